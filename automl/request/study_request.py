"""What a user asks for: a study file, command line options, or both; options win.

Nothing is looked up or decided here: the skill is a reference, ranges are text. `automl.study.plan` turns a request
into a plan once skill, spec and space are known.
"""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.config_files import read_document, schema_problems
from automl.duration import parse_duration_s
from automl.errors import ConfigurationError, Problem
from automl.request.policy import parse_policy
from automl.resources import builtin_studies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.request.policy import Policy
    from automl.skill.model import JsonValue

DEFAULT_STUDY = "depth_net_mono/demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare:
    """How to make the data when they are missing.

    Attributes:
        command: Program and arguments; ``{prepared}`` stands for the folder.
        directory: Name of the folder under ``<results>/data/``.
    """

    command: tuple[str, ...]
    directory: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSettings:
    """Spec and data of the training.

    Attributes:
        spec: A spec file in place of the skill's template.
        overrides: Dotted path -> value.
        data: Split -> path.
        prepare: How to make missing data.
    """

    spec: str | None = None
    overrides: Mapping[str, JsonValue] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    prepare: Prepare | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveSettings:
    """What is optimised, and what the best trial must keep.

    Attributes:
        metric: The objective's metric.
        direction: ``maximize`` or ``minimize``.
        objectives: ``NAME[:direction]``, the primary one first, in place of metric and direction.
        constraints: Limits of metrics, such as ``memory_gib <= 40``.
        evaluate_with: Command that measures more of a trained trial.
    """

    metric: str | None = None
    direction: str | None = None
    objectives: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    evaluate_with: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningSettings:
    """How the search is done.

    Attributes:
        search: Requests that widen or narrow the space.
        sampler: Name of the sampler.
        scheduler: Name of the scheduler.
        seed: Seed of the sampler.
        warm_start: Studies whose best trials are tried first; empty for none, None for those that are found.
        replicates: How many of the best trials are trained again with other seeds.
        options: Further settings of sampler, scheduler and trials.
    """

    search: tuple[str, ...] = ()
    sampler: str | None = None
    scheduler: str | None = None
    seed: int | None = None
    warm_start: tuple[str, ...] | None = None
    replicates: int | None = None
    options: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSettings:
    """When the study ends.

    Attributes:
        trials: Number of trials.
        time_s: Time limit.
        gpu_hours: Limit of GPU hours.
        target: Value of the objective that is good enough.
        patience_trials: Trials without improvement after which to end.
        min_improvement: Expected improvement below which to end.
    """

    trials: int | None = None
    time_s: float | None = None
    gpu_hours: float | None = None
    target: float | None = None
    patience_trials: int | None = None
    min_improvement: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceSettings:
    """What each trial gets.

    Attributes:
        jobs: Trials at once.
        gpus_per_trial: GPUs of a trial.
        cpus_per_trial: CPUs of a trial.
        nodes_per_trial: Nodes of a trial.
    """

    jobs: int | None = None
    gpus_per_trial: float | None = None
    cpus_per_trial: float | None = None
    nodes_per_trial: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchSettings:
    """How trials are started; see `automl.launch.choice`.

    Attributes:
        launcher: Name of the launcher.
        image: Container image in place of the skill's.
        network: Network of containers.
        container: ``shm_size``, ``memory``, ``mounts``, ``environment``: further settings of containers.
    """

    launcher: str | None = None
    image: str | None = None
    network: str | None = None
    container: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRequest:
    """What a user asks for. None means: not given.

    Attributes:
        name: Name of the study.
        skill: Name of a built-in skill or path of a skill folder.
        policy: ``on`` or ``off``.
        request_text: Free text of the user: policy, budget, resources and metric are read from it.
        fallback: Train once where ``on`` cannot be done, instead of an error.
        inputs: Spec and data.
        objective: What is optimised.
        tuning: How the search is done.
        budget: When the study ends.
        resources: What each trial gets.
        launch: How trials are started.
        source: The study file, if any.
        explicit: Names of the settings that the command line has set; they win over the request's text.
    """

    skill: str
    name: str
    policy: Policy | None = None
    request_text: str | None = None
    fallback: bool = False
    inputs: InputSettings = field(default_factory=InputSettings)
    objective: ObjectiveSettings = field(default_factory=ObjectiveSettings)
    tuning: TuningSettings = field(default_factory=TuningSettings)
    budget: BudgetSettings = field(default_factory=BudgetSettings)
    resources: ResourceSettings = field(default_factory=ResourceSettings)
    launch: LaunchSettings = field(default_factory=LaunchSettings)
    source: Path | None = None
    explicit: tuple[str, ...] = ()

    def with_settings(self, **settings: Any) -> StudyRequest:  # noqa: ANN401 - the settings differ in type
        """Return the request with other values of its settings, named as in its document: ``trials=3``."""
        parts: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for name, value in settings.items():
            if (part := _PART_OF.get(name)) is None:
                own[name] = value
            else:
                parts[part] = replace(parts.get(part, getattr(self, part)), **{name: value})
        return replace(self, **parts, **own)

    def setting(self, name: str) -> Any:  # noqa: ANN401 - the settings differ in type
        """Return the value of a setting; None for a name that is none."""
        return getattr(getattr(self, _PART_OF[name]) if name in _PART_OF else self, name, None)

    def document(self) -> dict[str, Any]:
        """Return the JSON form, for `plan.json`: all settings beside each other. `request_from_document` inverts it."""
        document = asdict(self)
        for part in _PARTS:
            document |= document.pop(part)
        return document | {"source": str(self.source) if self.source else None}


_PARTS = {
    "inputs": InputSettings,
    "objective": ObjectiveSettings,
    "budget": BudgetSettings,
    "resources": ResourceSettings,
    "launch": LaunchSettings,
    "tuning": TuningSettings,
}
_PART_OF = {setting.name: part for part, kind in _PARTS.items() for setting in fields(kind)}
SETTINGS = frozenset({setting.name for setting in fields(StudyRequest)} - _PARTS.keys() | _PART_OF.keys())
"""The names of all settings, as `StudyRequest.with_settings` takes them."""


def request_from_document(document: Mapping[str, Any]) -> StudyRequest:
    """Build the request that `StudyRequest.document` wrote."""
    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in document.items()}
    prepare = document["prepare"]
    settings["prepare"] = Prepare(**{**prepare, "command": tuple(prepare["command"])}) if prepare else None
    settings["source"] = Path(document["source"]) if document["source"] else None
    return StudyRequest(skill=document["skill"], name=document["name"]).with_settings(**settings)


def load_study_request(reference: str) -> StudyRequest:
    """Read a study file.

    Args:
        reference: Path of a study file, or the name of a ready one (``depth_net_mono/demo``).

    Raises:
        ConfigurationError: there is no such study, or the file has problems: all of them.
    """
    file = _find_study(reference)
    document = read_document(file)
    if not isinstance(document, dict):
        raise ConfigurationError.from_problems(
            [
                Problem(
                    where=str(file), found="no mapping", expected="a mapping with at least `skill`", fix="see studies/"
                )
            ],
            subject="the study",
        )
    problems = schema_problems(document, "study", where=str(file))
    time_s = None
    budget: Any = document.get("budget") or {}
    if not problems and "time" in budget:
        try:
            time_s = parse_duration_s(budget["time"])
        except ValueError as error:
            problems.append(
                Problem(
                    where=f"{file}: budget.time", found=str(error), expected="a duration", fix="write 20min or 1h30min"
                )
            )
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the study")
    return _request(file, document, time_s)


def _request(file: Path, document: dict[str, Any], time_s: float | None) -> StudyRequest:
    prepare, options = document.get("prepare"), dict(document.get("options", {}))
    # Keys of these mappings are names of settings; `launcher`, `image` and `network` may also stand under `options`.
    older = {name: options.pop(name) for name in ("launcher", "image", "network") if name in options}
    named = {**document.get("objective", {}), **document.get("budget", {}), **older, **document.get("resources", {})}
    settings = {name: value for name, value in {**document, **named}.items() if name in SETTINGS}
    return StudyRequest(skill="", name=default_name(file)).with_settings(
        **settings
        | {
            "skill": _relative_to(file, document["skill"], must_exist=True),
            "spec": _relative_to(file, document["spec"]) if "spec" in document else None,
            "policy": parse_policy(document.get("policy")),
            "data": {split: _relative_to(file, path) for split, path in document.get("data", {}).items()},
            "prepare": Prepare(command=tuple(prepare["command"]), directory=prepare["directory"]) if prepare else None,
            "overrides": document.get("set", {}),
            "search": tuple(document.get("search", ())),
            "objectives": tuple(_objective_text(entry) for entry in document.get("objectives", ())),
            "constraints": tuple(document.get("constraints", ())),
            "time_s": time_s,
            "warm_start": _warm_start(file, document.get("warm_start")),
            "options": options,
            "source": file,
        }
    )


def _objective_text(entry: str | dict[str, str]) -> str:
    """Return ``NAME[:direction]`` of an entry of `objectives`, which may be a mapping."""
    return entry if isinstance(entry, str) else ":".join(filter(None, (entry["metric"], entry.get("direction"))))


def _warm_start(file: Path, value: list[str] | bool | None) -> tuple[str, ...] | None:  # noqa: FBT001 - YAML's own types
    """Read `warm_start`: names or paths of studies, false for none; true is the default."""
    if isinstance(value, list):
        return tuple(_relative_to(file, text, must_exist=True) for text in value)
    return () if value is False else None


def default_name(file: Path) -> str:
    """Return the name of a study without one: its folder and its file name, ``depth_net_mono-demo``."""
    return f"{file.parent.name}-{file.stem}" if file.parent.name else file.stem


def _find_study(reference: str) -> Path:
    direct = Path(reference)
    if direct.is_file():
        return direct.resolve()
    ready = builtin_studies()
    if reference in ready:
        return ready[reference].resolve()
    close = difflib.get_close_matches(reference, list(ready), n=1, cutoff=0.5)
    raise ConfigurationError.from_problems(
        [
            Problem(
                where="STUDY",
                found=f"{reference}, which is neither a file nor a ready study",
                expected=f"a study file, or one of: {', '.join(sorted(ready))}",
                fix=f"did you mean {close[0]}?" if close else "check the path",
            )
        ],
        subject="the command line",
    )


def _relative_to(file: Path, text: str, *, must_exist: bool = False) -> str:
    """Resolve a path against the study file's folder; placeholders, and names without a file there, stay."""
    if "{prepared}" in text or Path(text).is_absolute():
        return text
    candidate = (file.parent / text).resolve()
    return text if must_exist and not candidate.exists() else str(candidate)
