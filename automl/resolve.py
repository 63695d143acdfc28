"""The first half of the straight line, step by step: what a request and a skill say, before anything is decided."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError, Problem
from automl.preflight.annotations import count_samples
from automl.request.policy import SkillFacts, find_off_phrase
from automl.request.text import fits_gpus, read_request
from automl.request.trial_options import check_options
from automl.samplers.factory import LLM_STARTS, check_sampler
from automl.schedulers.factory import OPTIONS as RULE_OPTIONS
from automl.schedulers.factory import make_scheduler
from automl.skill.load import load_skill
from automl.skill.objective import objective_for
from automl.space.build import SpaceRequest, build_space, suggest_candidates
from automl.space.parameters import SearchSpace
from automl.spec.build import build_spec, expand_shorthands
from automl.spec.data import has_place
from automl.spec.overrides import flatten
from automl.spec.special import takes_checkpoint
from automl.spec.train_schema import SchemaStatus, read_train_schema
from automl.spec.validate import check_skill, check_spec
from automl.study.goals import parse_constraints, split_objective
from automl.study.model import Direction, Objective

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.request.study_request import StudyRequest
    from automl.schedulers.base import Scheduler
    from automl.skill.model import Skill
    from automl.spec.model import Spec
    from automl.spec.train_schema import TrainSchema
    from automl.study.goals import Constraint
    from automl.study.model import StudyPlan

TRAIN, EVALUATE, TEST = "train", "evaluate", "test"
# An empty space is explained by its first parameters; `automl space` lists all of them.
_SHOWN = 3
_OPTIONS = {
    "trials": "--trials",
    "time_s": "--time",
    "gpu_hours": "--gpu-hours",
    "jobs": "--jobs",
    "gpus_per_trial": "--gpus-per-trial",
    "metric": "--metric",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedInputs:
    """What a request and a skill say.

    Attributes:
        skill: The skill.
        spec: The merged spec: what trial 0 runs.
        space: The search space; empty where there is no usable schema.
        schema_status: Whether the train schema can be used.
        candidates: For an empty space: what ``--search`` could name.
        has_user_spec: The user gave a spec file in place of the template.
    """

    skill: Skill
    spec: Spec
    space: SearchSpace
    schema_status: SchemaStatus
    candidates: tuple[str, ...] = ()
    has_user_spec: bool = False


def apply_request_text(request: StudyRequest) -> tuple[StudyRequest, tuple[str, ...]]:
    """Let the words of a request count: over the study file, under explicit options.

    Returns:
        The request with what its words say, and every reading, contradiction and leftover in words.

    Raises:
        ConfigurationError: the skill, whose metrics the words may name, cannot be read.
    """
    if not request.request_text:
        return request, ()
    skill = load_skill(request.skill)
    known = frozenset(f"{skill.name} {skill.network_arch}".lower().replace("-", "_").replace("_", " ").split())
    metrics = skill.architecture.metrics.directions
    wording = read_request(request.request_text, metrics=metrics, known_words=known)
    changes: dict[str, Any] = {}
    lines: list[str] = []
    for name, wish in wording.wishes.items():
        phrase = wording.phrases[name]
        said = _said(request, name)
        if said is not None and said != wish:
            lines.append(f'the request says "{phrase.words}"; {_OPTIONS.get(name, name)} {said} wins')
            continue
        lines.append(f'the request says "{phrase.words}": {phrase.meaning}')
        changes[name] = wish
    lines += [f'not understood in the request: "{words}"' for words in wording.not_understood]
    return _with_wishes(request, changes), tuple(lines)


def _said(request: StudyRequest, name: str) -> Any:  # noqa: ANN401 - the fields differ in type
    """Return the value of a field that an option has set; without a study file every value counts as an option's."""
    if name == "metric" and request.objective.objectives:
        return request.objective.objectives[0].partition(":")[0]  # several objectives are no matter of one word
    value = request.setting(name)
    is_explicit = name in request.explicit or request.source is None
    return value if is_explicit else None


def _with_wishes(request: StudyRequest, wishes: dict[str, Any]) -> StudyRequest:
    gpus, limit_s = wishes.pop("gpus", None), wishes.pop("trial_time_limit_s", None)
    changes: dict[str, Any] = {name: int(wish) if name in {"trials", "jobs"} else wish for name, wish in wishes.items()}
    if "metric" in changes and "direction" not in request.explicit:
        changes["direction"] = None  # the study file's belongs to its own metric
    if limit_s is not None:
        changes["options"] = {**request.tuning.options, "trial_time_limit_s": limit_s}
    if find_off_phrase(request.request_text) is not None and request.source and "policy" not in request.explicit:
        changes["policy"] = None  # words count more than the study file
    if gpus is not None:
        jobs = changes.get("jobs") or _said(request, "jobs")
        each = changes.get("gpus_per_trial") or _said(request, "gpus_per_trial")
        is_once = find_off_phrase(request.request_text) is not None or request.policy == "off"
        changes["jobs"], changes["gpus_per_trial"] = fits_gpus(gpus, jobs=1 if is_once else jobs, gpus_per_trial=each)
    return request.with_settings(**changes)


def with_words(error: ConfigurationError, heard: tuple[str, ...]) -> ConfigurationError:
    """Return an error about GPUs with the words of the request that asked for them; others as they are."""
    asked = "; ".join(line for line in heard if line.startswith("the request says") and "GPU" in line)
    if not asked:
        return error
    problems = [
        dataclasses.replace(problem, found=f"{problem.found}; {asked}") if "gpus" in problem.where else problem
        for problem in error.problems
    ]
    return ConfigurationError(error.headline, tuple(problems))


def open_skill(request: StudyRequest) -> ResolvedInputs:
    """Walk the line up to the search space.

    Raises:
        ConfigurationError: skill, spec or the requests for parameters cannot be used; with every problem.
    """
    skill = load_skill(request.skill)
    schema, status = _open_schema(skill)
    template = Path(request.inputs.spec) if request.inputs.spec else None
    data = _training_data(skill, request.inputs.data)
    spec = build_spec(skill, TRAIN, data=data, overrides=request.inputs.overrides, schema=schema, template=template)
    space = SearchSpace(parameters=(), fixed={})
    candidates: tuple[str, ...] = ()
    if schema is not None and request.policy != "off":
        wishes = SpaceRequest(
            search=request.tuning.search,
            pinned=frozenset(expand_shorthands(skill, spec, flatten(request.inputs.overrides))),
            sample_count=count_samples(Path(request.inputs.data["train"])) if "train" in request.inputs.data else None,
            devices=max(1, int(request.resources.gpus_per_trial or 1)),
            metric=split_objective(request.objective.objectives[0])[0]
            if request.objective.objectives
            else request.objective.metric,
        )
        space = build_space(skill, schema, spec, wishes)
        candidates = () if space.parameters else suggest_candidates(skill, schema, spec)
    return ResolvedInputs(
        skill=skill,
        spec=spec,
        space=space,
        schema_status=status,
        candidates=candidates,
        has_user_spec=template is not None,
    )


def _training_data(skill: Skill, data: Mapping[str, str]) -> dict[str, str]:
    """Leave out test data that only the evaluation has an input for; they are kept for the end of the study."""
    is_later = not has_place(skill, TRAIN, TEST) and has_place(skill, EVALUATE, TEST)
    return {split: path for split, path in data.items() if split != TEST or not is_later}


def skill_facts(opened: ResolvedInputs) -> SkillFacts:
    """Return what the policy needs to know."""
    skill, left_out = opened.skill, opened.space.left_out
    return SkillFacts(
        is_enabled=skill.automl_enabled,
        schema=opened.schema_status.value,
        schema_file=str(skill.schemas.get(TRAIN, skill.root)),
        has_template=TRAIN in skill.templates or opened.has_user_spec,
        space_is_empty=not opened.space.parameters,
        left_out=tuple(f"{item.path}: {item.reason}" for item in left_out[:_SHOWN]),
        candidates=opened.candidates,
    )


def choose_goals(request: StudyRequest, skill: Skill) -> tuple[tuple[Objective, ...], tuple[Constraint, ...]]:
    """Return the objectives, the leading one first, and the constraints.

    Raises:
        ConfigurationError: some cannot be used; with every problem.
    """
    problems: list[Problem] = []
    objectives: tuple[Objective, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    try:
        objectives = choose_objectives(request, skill)
    except ConfigurationError as error:
        problems += error.problems
    try:
        constraints = parse_constraints(request.objective.constraints)
    except ConfigurationError as error:
        problems += error.problems
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the objectives and constraints")
    return objectives, constraints


def choose_objectives(request: StudyRequest, skill: Skill) -> tuple[Objective, ...]:
    """Return metrics and directions, the leading objective first.

    Raises:
        ConfigurationError: no metric is known, or no direction for one; or one is named twice.
    """
    if not request.objective.objectives:
        return (choose_objective(request, skill),)
    found: list[Objective] = []
    problems: list[Problem] = []
    for text in request.objective.objectives:
        metric, direction = split_objective(text)
        if any(objective.metric == metric for objective in found):
            problems.append(_objective_problem(text, "an objective that was named before", "name it once"))
        try:
            choice = objective_for(skill, metric=metric, direction=direction)
        except ConfigurationError as error:
            wanted = f"{metric}:maximize or {metric}:minimize"
            problems += [dataclasses.replace(p, where=f"--objective {text}", expected=wanted) for p in error.problems]
            continue
        source = choice.source.replace("--metric", "--objective").replace(", --direction", "")
        found.append(Objective(metric=metric, direction=Direction(choice.direction), source=source))
    if "metric" in request.explicit:
        problems.append(
            _objective_problem(request.objective.objectives[0], "--metric beside it", "name each with --objective")
        )
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the objectives")
    return tuple(found)


def _objective_problem(text: str, found: str, fix: str) -> Problem:
    return Problem(where=f"--objective {text}", found=found, expected="each objective once", fix=fix)


def choose_objective(request: StudyRequest, skill: Skill) -> Objective:
    """Return metric and direction.

    Raises:
        ConfigurationError: no metric is known, or no direction for it.
    """
    choice = objective_for(skill, metric=request.objective.metric, direction=request.objective.direction)
    in_file = request.source is not None and request.objective.metric is not None
    source = f"{choice.source.replace('--metric, --direction', 'the study file')}" if in_file else choice.source
    return Objective(metric=choice.metric, direction=Direction(choice.direction), source=source)


def chosen_scheduler(plan: StudyPlan) -> Scheduler:
    """Return the plan's stopping rule.

    Raises:
        ConfigurationError: it is unknown, or an option cannot be used.
    """
    return make_scheduler(
        plan.scheduler,
        max_epochs=plan.max_epochs,
        trials=plan.budget.trials,
        options=plan.options,
        direction=plan.objective.direction,
        can_pause=takes_checkpoint(plan.skill.actions[plan.action]),
    )


def check_names(plan: StudyPlan) -> None:
    """Check sampler, stopping rule and options before anything is spent.

    Raises:
        ConfigurationError: one of them is unknown or cannot be used; with every problem.
    """
    problems = (*check_sampler(plan.sampler, plan.options), *check_options(plan.options, (*RULE_OPTIONS, LLM_STARTS)))
    try:
        chosen_scheduler(plan)
    except ConfigurationError as error:
        problems += error.problems
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the study")


def _open_schema(skill: Skill) -> tuple[TrainSchema | None, SchemaStatus]:
    """Read a skill's train schema, if it can be read; the policy decides what it means when it cannot."""
    file = skill.schemas.get(TRAIN)
    if file is None:
        return None, SchemaStatus.MISSING
    try:
        return read_train_schema(file), SchemaStatus.VALID
    except ConfigurationError:
        return None, SchemaStatus.UNREADABLE


def check_skill_and_spec(request: StudyRequest) -> tuple[list[Problem], list[Problem]]:
    """Read every file of a skill and compare the spec with template and schema; return problems and warnings."""
    try:
        skill = load_skill(request.skill)
    except ConfigurationError as error:
        return list(error.problems), []
    found = check_skill(skill)
    problems, warnings = list(found.problems), list(found.warnings)
    schema, _ = _open_schema(skill)
    try:
        template = build_spec(skill, TRAIN, schema=schema)
        path = Path(request.inputs.spec) if request.inputs.spec else None
        spec = build_spec(skill, TRAIN, overrides=request.inputs.overrides, schema=schema, template=path)
    except ConfigurationError as error:
        return [*problems, *error.problems], warnings
    compared = check_spec(spec, template, schema, where=request.inputs.spec or "spec")
    return [*problems, *compared.problems], [*warnings, *compared.warnings]
