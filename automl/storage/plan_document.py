"""The JSON form of a plan, `plan.json`: what readers of a study directory know of the study without its skill."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError, Problem
from automl.plugins import Plugin
from automl.request.policy import Route
from automl.skill.program import COMMAND, NETWORK_ARCH
from automl.space.document import PlannedSpace, describe_space
from automl.space.values import Scalar
from automl.storage.documents import read_document, to_json, write_document
from automl.storage.own_documents import token_of
from automl.storage.paths import find_studies
from automl.storage.portable import located, made_portable, record_of_moved, results_of_prepared
from automl.study.causes import Origin, OriginKind, origin_from, origins_document
from automl.study.cost import ObjectivePer, objective_per
from automl.study.earlier import EarlierStudy
from automl.study.evaluation import RecordLocation
from automl.study.launch_plan import LaunchPlan
from automl.study.model import Budget, Resources
from automl.study.objectives import Direction, Objective

if TYPE_CHECKING:
    from automl.architectures.model import Architecture
    from automl.request.location import RunLocation
    from automl.request.study_request import StudyRequest
    from automl.skill.model import Skill
    from automl.storage.paths import StudyPaths
    from automl.study.model import StudyPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSkill:
    """The skill of a plan; ``fingerprints`` are SHA-256 of its files, by their names."""

    name: str
    network_arch: str
    root: str
    image: str | None = None
    command: str = ""
    fingerprints: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_program(self) -> bool:
        """Whether it stands for a program that no skill describes."""
        return self.network_arch == NETWORK_ARCH

    @property
    def code(self) -> dict[str, str]:
        """The digests of the files of a program; empty for a skill, and where an earlier version recorded none."""
        return {name: text for name, text in self.fingerprints.items() if self.is_program and name != COMMAND}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedObjective:
    """An objective of a plan."""

    metric: str
    direction: Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDocument:
    """A plan as JSON; the attributes are those of `automl.study.model.StudyPlan`."""

    name: str
    route: Route
    reasons: tuple[str, ...]
    skill: PlannedSkill
    objective: PlannedObjective
    objective_source: str = ""
    objectives: tuple[PlannedObjective, ...] = ()
    constraints: tuple[str, ...] = ()
    evaluate_with: str | None = None
    weighed_by: ObjectivePer = ObjectivePer.TRIAL
    replicates: int = 0
    race: bool = False
    sampler: str
    scheduler: str
    seed: int
    max_epochs: int | None
    options: Mapping[str, Any] = field(default_factory=dict)
    launch: LaunchPlan | None = None
    budget: Budget
    resources: Resources
    space: PlannedSpace
    first_trials: tuple[Mapping[str, Scalar], ...] = ()
    first_origins: tuple[str, ...] = ()
    first_origin_data: tuple[Mapping[str, Any], ...] | None = None
    earlier: tuple[EarlierStudy, ...] = ()
    spec: dict[str, Any]
    fingerprint: str
    experiment: str = ""
    model: str = ""
    plugins: tuple[Plugin, ...] = ()

    @property
    def all_objectives(self) -> tuple[Objective, ...]:
        """The objectives, the primary one first."""
        first, *others = self.objectives or (self.objective,)
        primary = Objective(metric=first.metric, direction=first.direction, source=self.objective_source)
        return (primary, *(Objective(metric=other.metric, direction=other.direction) for other in others))

    @property
    def launched(self) -> LaunchPlan:
        """How trials are started; the default where the plan is from before there were launchers."""
        return self.launch or LaunchPlan()

    @property
    def origins(self) -> tuple[Origin, ...]:
        """Where the first trials come from."""
        return tuple(map(origin_from, self.first_origins if self.first_origin_data is None else self.first_origin_data))

    @property
    def of_first(self) -> str:
        """What is said of trial 0: whose values it has."""
        return (self.origins or (Origin(OriginKind.TEMPLATE),))[0].of_first


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlan(PlanDocument):
    """`plan.json`.

    Attributes:
        request: What was asked for; see `StudyRequest.document`.
        mlflow: Where the study is recorded.
        results: The results folder; None where the plan is of a version before that noted it.
    """

    request: Mapping[str, Any] = field(default_factory=dict)
    mlflow: RecordLocation
    results: Path | None = None

    def load_skill(self) -> Skill:
        """Read the skill of the study, or make it of its program; raises as `find_skill`."""
        from automl.program.skill import find_skill  # noqa: PLC0415 # 20 ms that `status` need not pay

        program = self.request.get("program")
        try:
            return find_skill(self.skill.root, program)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            if not program:
                raise
            # Of the file's content nothing has looked at it before.
            problem = Problem(
                where="plan.json: request.program",
                found=f"{type(error).__name__}: {error}",
                expected="the program, as automl wrote it",
                fix="restore the file from a copy",
            )
            raise ConfigurationError.from_problems([problem], subject="the plan of the study") from error

    def architecture(self) -> Architecture:
        """Return what is known of the architecture; where the skill cannot be read, what holds for its name."""
        try:
            return self.load_skill().architecture
        except ConfigurationError:
            from automl.architectures.load import load_architecture  # noqa: PLC0415 # as above

            return load_architecture(self.skill.network_arch)


def described_skill(skill: Mapping[str, Any]) -> dict[str, str]:
    """Return what a person reads of the skill of a plan's document, by the word for what it is."""
    name, arch = skill["name"], skill["network_arch"]
    return {"program": name} if arch == NETWORK_ARCH else {"skill": f"{name} ({arch})"}


def named_study(name: str, results: Path) -> tuple[Path, str] | None:
    """Return the study of a results folder that a name stands for, and why: the newest of that skill, or its folder."""
    known = []
    for paths in find_studies(results):
        with contextlib.suppress(ConfigurationError, OSError):
            known.append((paths.plan_file.stat().st_mtime, paths.root, read_plan(paths).skill))
    of_skill = [(made, root) for made, root, skill in known if name in {skill.name, skill.root}]
    if of_skill:
        return max(of_skill)[1], f"the newest of {name}, of {len(of_skill)}"
    folder = next((root for _, root, _ in known if root.name == name), None)
    return None if folder is None else (folder, f"by its name in {results}")


def describe_plan(plan: StudyPlan) -> dict[str, Any]:
    """Return the fields of a plan's document."""
    skill, objectives = plan.skill, [PlannedObjective(metric=o.metric, direction=o.direction) for o in plan.objectives]
    described = {
        "skill": PlannedSkill(
            name=skill.name,
            network_arch=skill.network_arch,
            root=str(skill.root),
            image=skill.image,
            command=skill.actions[plan.action].command,
            fingerprints=skill.fingerprints,
        ),
        "objective": objectives[0],
        "objective_source": plan.objective.source,
        "objectives": tuple(objectives),
        "constraints": tuple(map(str, plan.constraints)),
        "weighed_by": objective_per(plan),
        "space": describe_space(plan.space, skill),
        **{name: tuple(values) for name, values in origins_document(plan.first_origins).items()},
        "spec": plan.spec.values,
    }
    names = {document_field.name for document_field in dataclasses.fields(PlanDocument)} - described.keys()
    return {**described, **{name: getattr(plan, name) for name in names}}


def plan_document(plan: StudyPlan) -> dict[str, Any]:
    """Return the JSON form of a plan; the fields of `automl plan --json` and of `plan.json`."""
    document: dict[str, Any] = to_json(PlanDocument(**describe_plan(plan)))
    return document


def run_fingerprint(plan: StudyPlan, place: RunLocation) -> str:
    """Return a SHA-256 over all that a run would do: its plan, with budget and resources, and its place."""
    where = {"results": str(place.results), "tracking_uri": place.tracking_uri, "ray_address": place.ray_address}
    canonical = json.dumps([plan_document(plan), where], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def write_plan(
    paths: StudyPaths, plan: StudyPlan, request: StudyRequest, record: RecordLocation, results: Path
) -> None:
    """Write `plan.json`: the first one with a token of its own, a later one with that of the one before."""
    token = token_of(paths) if paths.plan_file.exists() else secrets.token_hex(8)
    stored = StoredPlan(**describe_plan(plan), request=request.document(), mlflow=record, results=results)
    write_document(paths.plan_file, made_portable(to_json(stored), paths.root, results), token=token)


def read_plan(paths: StudyPaths) -> StoredPlan:
    """Read `plan.json`.

    Raises:
        ConfigurationError: the folder is no study directory, or its plan cannot be read.
    """
    try:
        plan = read_document(paths.plan_file, StoredPlan, study=paths.root)
        _ = plan.origins  # the kinds are known
    except FileNotFoundError as error:
        raise _no_study(paths) from error
    except ConfigurationError as error:
        raise _torn_plan(paths, error.problems[0].found) from error
    except (ValueError, TypeError, KeyError) as error:
        raise _torn_plan(paths, f"a file that cannot be read (where a first trial comes from: {error})") from error
    uri = record_of_moved(plan.mlflow.tracking_uri, paths.root)
    plan = dataclasses.replace(plan, mlflow=dataclasses.replace(plan.mlflow, tracking_uri=uri))
    return plan if plan.results is not None else _of_version_before(plan, paths.root)


def _of_version_before(plan: StoredPlan, root: Path) -> StoredPlan:
    """Return a plan with absolute paths whose prepared data are found where its results folder lies now."""
    prepare, data = plan.request.get("prepare") or {}, plan.request.get("data") or {}
    before = results_of_prepared(plan.spec, data, str(prepare.get("directory", "")))
    if before is None or before.is_dir():
        return dataclasses.replace(plan, results=before)
    spec = located(made_portable(plan.spec, before / root.name, before), root)
    return dataclasses.replace(plan, spec=spec, results=root.parent)


def _no_study(paths: StudyPaths) -> ConfigurationError:
    studies, name = find_studies(paths.root), paths.plan_file.name
    found = f"no readable {name} in it" if paths.root.is_dir() else f"no readable {name}: no such folder"
    if studies:
        found = f"no readable {name}: a results folder, with {studies[-1].root.name} and the like"
    fix = f"name the folder of one study, e.g. {studies[-1].root if studies else 'results/depth_net_mono-demo'}"
    return ConfigurationError.single(
        "the command line",
        where=str(paths.root),
        found=found,
        expected="a study directory, as `automl run` makes one",
        fix=fix,
    )


def _torn_plan(paths: StudyPaths, found: str) -> ConfigurationError:
    """Return the error about a plan that is there and cannot be read; without a log, the folder may be no study."""
    name = paths.plan_file.name
    is_study = paths.events_file.is_file()
    copy = "MLflow has one among the artifacts of the study's run"
    fix = f"restore {name} from a copy: {copy}" if is_study else "name the folder of one study"
    is_ours = "" if is_study else f"a {name} that automl has not written, or "
    return ConfigurationError.single(
        "the study directory" if is_study else "the command line",
        where=str(paths.plan_file),
        found=f"no readable {name}: {is_ours}{found}",
        expected="the plan of a study, as `automl run` wrote it",
        fix=fix,
    )
