"""Turn a request, once skill, spec and space are known, into the frozen plan of a study.

Pure: machine, decision and objectives are arguments. Settings that the request leaves out get the defaults named here,
and the plan shows every one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError, Problem, counted
from automl.machine import threads_of
from automl.request.policy import Route
from automl.request.study_request import default_name
from automl.space.document import space_document
from automl.space.search_space import LeftOut, SearchSpace
from automl.space.unlisted import FIRST, MIDDLE
from automl.study.causes import Origin, OriginKind
from automl.study.cost import UNWEIGHED, ObjectivePer
from automl.study.model import Budget, Resources, StudyPlan
from automl.study.replication import decide_replication, seed_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from automl.machine import Machine
    from automl.request.study_request import ResourceSettings, StudyRequest
    from automl.skill.model import Skill
    from automl.spec.model import Spec
    from automl.study.model import StudyParts

DEFAULT_TRIALS = 20
DEFAULT_SEED = 20260


def plan_study(
    request: StudyRequest, parts: StudyParts, machine: Machine | None, *, most_threads: int | None = None
) -> StudyPlan:
    """Decide everything about a study; the machine is None when trials run on a cluster.

    ``most_threads`` is the most that a trial may have; None for no limit.

    Raises:
        ConfigurationError: resources that the machine does not have, or replicates of a skill without a seed.
    """
    skill, spec, decision = parts.skill, parts.spec, parts.decision
    is_tuned = decision.route is Route.TUNE
    trials = (request.trials or DEFAULT_TRIALS) if is_tuned else 1
    searched = parts.space
    if not is_tuned:
        once = [LeftOut(path=p.path, reason="training once: nothing is searched") for p in searched.parameters]
        searched = SearchSpace(parameters=(), left_out=(*once, *searched.left_out), fixed=searched.fixed)
    points, fewer = searched.size, [] if is_tuned else _without_effect(request)
    if points < trials:
        fewer = [f"the space has {counted(int(points), 'point')}: no need for {trials} trials"]
    if is_tuned and request.sampler in UNWEIGHED and request.objective_per not in {None, ObjectivePer.TRIAL}:
        fewer.append(f"--objective-per: without effect, the sampler {request.sampler} weighs no improvements")
    limits = {limit.name: getattr(request, limit.name) for limit in dataclasses.fields(Budget)}
    again = decide_replication(request, parts, trials)
    if again.reason:
        fewer.append(again.reason)
    key, record = epoch_key(skill, spec), record_name(request, parts)
    plan = StudyPlan(
        name=request.name,
        route=decision.route,
        reasons=(*decision.reasons, *decision.warnings, *fewer),
        skill=skill,
        action="train",
        spec=spec,
        space=searched,
        objectives=parts.objectives,
        constraints=parts.constraints,
        evaluate_with=request.evaluate_with,
        objective_per=request.objective_per,
        replicates=again.candidates,
        race=again.is_race,
        seed_key=seed_key(skill, spec) if again.candidates else None,
        budget=Budget(**{**limits, "trials": int(min(trials - again.kept, points))}),
        resources=decide_resources(
            request, skill=skill, spec=spec, trials=trials, machine=machine, most_threads=most_threads
        ),
        sampler=request.sampler or "auto",
        scheduler=(request.scheduler or "auto") if is_tuned else "none",
        seed=request.seed if request.seed is not None else DEFAULT_SEED,
        max_epochs=None if key is None else spec.count(key),
        first_trials=(searched.default_assignment(),),
        first_origins=(first_origin(skill, spec, searched.default_assignment()),),
        options=request.options,
        launch=parts.launch,
        experiment=request.experiment or record,
        model=re.sub(r"[/:]", "_", request.model_name or record),  # MLflow takes neither
    )
    return dataclasses.replace(plan, fingerprint=fingerprint(plan))


def first_origin(skill: Skill, spec: Spec, searched: Iterable[str]) -> Origin:
    """Return where trial 0 comes from; of a program, what of it has no default that could be read."""
    if not skill.is_open:
        return Origin(OriginKind.TEMPLATE)
    paths = tuple(searched)
    guesses = {origin: [p for p in paths if spec.origins.get(p) == origin] for origin in (MIDDLE, FIRST)}
    return Origin(OriginKind.DEFAULTS, detail="; ".join(f"{', '.join(p)}: {o}" for o, p in guesses.items() if p))


def _without_effect(request: StudyRequest) -> list[str]:
    """Return a note on the settings of a search that the user gives where training runs once."""
    of_search = {"trials", "sampler", "scheduler", "replicates", "objective_per", "studies", "warm_start"}
    names = {"search"} | (of_search if request.source is None else of_search & set(request.explicit))
    given = [name for name in sorted(names) if getattr(request, name) not in {None, (), 1}]
    keys = {"search"} if request.program else set()
    options = ", ".join(name if name in keys else f"--{name.replace('_', '-')}" for name in given)
    return [f"{options}: without effect, training runs once"] if given else []


def record_name(request: StudyRequest, parts: StudyParts) -> str:
    """Return what experiment and model are called: skill, objective and data, ``depth_net_mono-val_d1-demo``.

    Studies of one name are compared. Data are called as the study file that names them, else as their folder; so they
    keep their name when images are added.
    """
    source, slots = request.source, parts.skill.actions["train"].inputs
    if source is not None and "data" not in request.explicit:
        data = source.stem if request.name == default_name(source) else request.name
    else:
        paths = [*request.data.values(), *(parts.spec.get(slot.key) for slot in slots if parts.spec.has(slot.key))]
        first = next((Path(path) for path in paths if isinstance(path, str) and path), Path())
        data = first.parent.name if first.suffix else first.name
    words = filter(None, (parts.skill.name, parts.objectives[0].metric, data))
    return re.sub(r"[^\w.-]+", "_", "-".join(words))


def decide_resources(
    request: ResourceSettings,
    *,
    skill: Skill,
    spec: Spec,
    trials: int,
    machine: Machine | None,
    most_threads: int | None,
) -> Resources:
    """Decide what each trial gets: whole GPUs where there are any, else one CPU thread each, all slots busy.

    Raises:
        ConfigurationError: more GPUs are asked for than the machine has.
    """
    gpus = len(machine.gpus) if machine else None
    cpus = machine.cpus if machine else None
    wanted = request.gpus_per_trial
    if wanted is None:
        key = skill.gpu_spec_key if skill.gpu_spec_key and spec.has(skill.gpu_spec_key) else None
        in_spec = spec.get(key) if key is not None else 1
        wanted = float(in_spec) if isinstance(in_spec, int) and in_spec > 0 else 1.0
        if gpus is not None and wanted > max(gpus, 1) and spec.origins.get(key or "") in {"override", "--spec"}:
            raise _too_many_gpus(
                f"--set {key}" if spec.origins[key or ""] == "override" else f"--spec {key}", wanted, gpus
            )
        wanted = min(wanted, float(gpus)) if gpus is not None else wanted
    elif gpus is not None and wanted > gpus:
        raise _too_many_gpus("--gpus-per-trial", wanted, gpus)
    fitting = 1
    if gpus is not None and cpus is not None:
        slots = gpus / wanted + 1e-9 if wanted > 0 else cpus / (request.cpus_per_trial or 1)
        fitting = max(1, int(slots))
    jobs = min(request.jobs or fitting, trials)
    share = request.cpus_per_trial or (max(1.0, cpus // jobs) if cpus else 1.0)
    # Ray refuses a trial that asks for more than there is; more jobs than cores must share them.
    share = min(share, max(cpus / jobs, 0.01)) if cpus and request.cpus_per_trial is None else share
    return Resources(
        jobs=jobs,
        gpus_per_trial=wanted,
        cpus_per_trial=share,
        threads_per_trial=threads_of(share, most_threads),
        nodes_per_trial=request.nodes_per_trial or 1,
    )


def _too_many_gpus(where: str, wanted: float, gpus: int) -> ConfigurationError:
    problem = Problem(
        where=where,
        found=f"{wanted:g} GPUs for each trial",
        expected=f"at most {gpus}: that is what this machine offers",
        fix="lower it, use --ray-address for a cluster, or --gpus-per-trial 0 to train on the CPU",
    )
    return ConfigurationError.from_problems([problem], subject="the resources")


def fingerprint(plan: StudyPlan) -> str:
    """Return a SHA-256 over everything that changes what is computed; budget and resources may differ in a resume."""
    objectives = [{"metric": o.metric, "direction": o.direction} for o in plan.objectives]
    parts: dict[str, Any] = {
        "route": plan.route,
        "objective": objectives[0],
        "sampler": plan.sampler,
        "scheduler": plan.scheduler,
        "seed": plan.seed,
        "spec": plan.spec.values,
        "max_epochs": plan.max_epochs,
        "options": dict(plan.options),
        "space": space_document(plan.space, plan.skill)["parameters"],
        "skill": dict(plan.skill.fingerprints),
    }
    # Only where they are used: so that the fingerprint of a study without them stays the same.
    if len(plan.objectives) > 1 or plan.constraints or plan.evaluate_with:
        constraints = [str(constraint) for constraint in plan.constraints]
        parts |= {"objectives": objectives, "constraints": constraints, "evaluate_with": plan.evaluate_with}
    if plan.objective_per is not None:
        parts["objective_per"] = plan.objective_per
    if plan.launch.image is not None:
        parts["image"] = plan.launch.image
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


def epoch_key(skill: Skill, spec: Spec) -> str | None:
    """Return the parameter path of the number of epochs; None where the spec has none."""
    return next((path for path in skill.keys.epochs if spec.count(path) is not None), None)
