"""The first half of the straight line, step by step: from a request to skill, spec, space and objectives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.architectures.model import matches
from automl.errors import ConfigurationError, Problem, counted
from automl.handoff.best import require_best_spec
from automl.preflight.annotations import count_samples
from automl.program.check import program_problems
from automl.program.skill import find_skill
from automl.request.policy import Route, SkillFacts
from automl.request.trial_options import check_options
from automl.samplers.registry import SAMPLER_OPTIONS, check_sampler
from automl.schedulers.registry import SCHEDULER_OPTIONS, make_scheduler
from automl.skill.catalog import SkillStatus, describe
from automl.skill.layout import find_files, found_at
from automl.skill.objective import objective_for
from automl.space.build import SpaceRequest, build_space, suggest_candidates
from automl.space.search_space import SearchSpace
from automl.space.unlisted import with_middles
from automl.spec.build import build_spec, expand_shorthands
from automl.spec.data import has_place
from automl.spec.model import iterate_leaves
from automl.spec.overrides import flatten
from automl.spec.special import takes_checkpoint
from automl.spec.train_schema import SchemaStatus, TrainSchema, read_train_schema
from automl.spec.validate import check_skill, check_spec
from automl.storage.paths import StudyPaths
from automl.study.objectives import LAST_EPOCH, Direction, Objective, parse_constraints, split_objective

if TYPE_CHECKING:
    from automl.request.study_request import StudyRequest
    from automl.schedulers.base import Scheduler
    from automl.skill.model import Skill
    from automl.spec.model import Spec
    from automl.study.model import StudyPlan
    from automl.study.objectives import Constraint

TRAIN, EVALUATE, TEST = "train", "evaluate", "test"
# An empty space is explained by its first parameters; `automl space` lists all of them.
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedInputs:
    """What a study is made from, before anything is decided.

    Attributes:
        skill: The skill.
        spec: The merged spec: what trial 0 runs.
        space: The search space; empty where there is no usable schema.
        facts: What the policy needs to know of them.
        notes: What was changed in the spec.
        unread: Why there is no schema to build a space from; empty where nothing needs one.
    """

    skill: Skill
    spec: Spec
    space: SearchSpace
    facts: SkillFacts
    notes: tuple[str, ...] = ()
    unread: tuple[Problem, ...] = ()


def resolve_inputs(request: StudyRequest, skill: Skill | None = None) -> ResolvedInputs:
    """Load the skill where it was not, merge the spec and build the search space.

    Raises:
        ConfigurationError: skill, spec or the requests for parameters cannot be used; with every problem.
    """
    skill = skill if skill is not None else find_skill(request.skill, request.program)
    schema, status, unread = _read_schema(skill)
    template = _given_spec(request)
    # Test data that only the evaluation has an input for are used at the end of the study.
    is_later = not has_place(skill, TRAIN, TEST) and has_place(skill, EVALUATE, TEST)
    data = {split: path for split, path in request.data.items() if split != TEST or not is_later}
    spec = build_spec(skill, TRAIN, data=data, overrides=request.overrides, schema=schema, template=template)
    if skill.is_open:
        spec = with_middles(spec, request.search)
    samples = count_samples(Path(request.data["train"])) if "train" in request.data else None
    devices = max(1, int(request.gpus_per_trial or 1))
    spec, notes = _with_fitting_batch(skill, spec, samples, devices)
    space = SearchSpace(parameters=(), fixed={})
    candidates: tuple[str, ...] = ()
    has_ranges = bool(request.search) and all("=" in item for item in request.search)
    searched = TrainSchema(leaves={}) if schema is None and has_ranges else schema
    if searched is not None and request.policy != "off":
        space_request = SpaceRequest(
            search=request.search,
            pinned=frozenset(expand_shorthands(skill, spec, flatten(request.overrides))),
            sample_count=samples,
            devices=devices,
            metric=split_objective(request.objectives[0])[0] if request.objectives else request.metric,
        )
        space = build_space(skill, searched, spec, space_request)
        candidates = () if space.parameters else suggest_candidates(skill, searched, spec, space_request)
    problems = program_problems(
        skill.actions[TRAIN].program,
        searched=space.parameters,
        fixed=expand_shorthands(skill, spec, flatten(request.overrides)),
        known=[path for path, _ in iterate_leaves(spec.values)],
    )
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the study")
    facts = SkillFacts(
        is_program=skill.is_open,
        is_enabled=skill.automl_enabled,
        has_template=TRAIN in skill.templates or template is not None or skill.values is not None,
        has_ranges=has_ranges,
        space_is_empty=not space.parameters,
        candidates=candidates,
        schema_problem=unread[0].found if unread else "",
        **_schema_facts(skill, status, space, has_ranges=has_ranges),
    )
    unread = () if has_ranges else unread
    return ResolvedInputs(skill=skill, spec=spec, space=space, facts=facts, notes=notes, unread=unread)


def _schema_facts(skill: Skill, status: SchemaStatus, space: SearchSpace, *, has_ranges: bool) -> dict[str, Any]:
    """Return what the policy needs to know of schema and template; a program has neither, and needs ranges."""
    if skill.is_open:
        given = SchemaStatus.MISSING if has_ranges else SchemaStatus.VALID
        return {"schema": given.value, "left_out": () if has_ranges else ("the study has no ranges in `search`",)}
    schema_file, template_file = find_files(skill.root).expected(TRAIN)
    return {
        "schema": status.value,
        "schema_file": str(skill.schemas.get(TRAIN, schema_file)),
        "template_file": str(template_file),
        "left_out": tuple(f"{item.path}: {item.reason}" for item in space.left_out[:_SHOWN]),
    }


def _with_fitting_batch(skill: Skill, spec: Spec, samples: int | None, devices: int) -> tuple[Spec, tuple[str, ...]]:
    """Lower a batch size that no step would fill, whoever has set it."""
    path = next((path for path in skill.keys.batch_size if spec.count(path) is not None), None)
    batch = spec.count(path) if path is not None else None
    if path is None or batch is None or not samples:
        return spec, ()
    most = max(samples // devices, 1)
    if batch <= most:
        return spec, ()
    note = f"{path} {batch} is lowered to {most}: the training data have {counted(samples, 'sample')}"
    return spec.with_values({path: most}, origin="samples"), (note,)


def resolve_objectives(
    request: StudyRequest, skill: Skill, route: Route = Route.TUNE
) -> tuple[tuple[Objective, ...], tuple[Constraint, ...]]:
    """Return the objectives, the primary one first, and the constraints; one training needs no metric.

    Raises:
        ConfigurationError: a metric or its direction is not known, an objective is named twice, or a constraint cannot
            be read; with every problem.
    """
    problems: list[Problem] = []
    objectives: tuple[Objective, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    try:
        objectives = (
            _named_objectives(request, skill, problems) if request.objectives else (_objective(request, skill, route),)
        )
    except ConfigurationError as error:
        problems += error.problems
    try:
        constraints = parse_constraints(request.constraints)
    except ConfigurationError as error:
        problems += error.problems
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the objectives and constraints")
    return objectives, constraints


def loss_notes(plan: StudyPlan) -> tuple[str, ...]:
    """Say why a loss that is an objective compares trials badly: its own terms are searched, or it has no unit."""
    losses = [objective.metric for objective in plan.objectives if "loss" in objective.metric.lower()]
    if not losses:
        return ()
    architecture, names = plan.skill.architecture, " and ".join(losses)
    terms = [path for path in plan.space.paths if matches(path, architecture.parameters.loss_terms)]
    notes = (
        [f"{names} of trials cannot be compared: {', '.join(terms)}, which decides it, is searched"] if terms else []
    )
    known = architecture.model_output
    output = known.kinds.get(str(plan.spec.get(known.path)), {}) if known.path and plan.spec.has(known.path) else {}
    without_unit = output.get("unit", "").partition("none: ")[2]
    if without_unit:
        default = architecture.metrics.default
        notes.append(f"{names} of {output['kind']} is {without_unit}: it says nothing about metres; usual is {default}")
    return tuple(notes)


def _named_objectives(request: StudyRequest, skill: Skill, problems: list[Problem]) -> tuple[Objective, ...]:
    found: list[Objective] = []

    def refuse(text: str, why: str, fix: str) -> None:
        problems.append(Problem(where=f"--objective {text}", found=why, expected="each objective once", fix=fix))

    for text in request.objectives:
        metric, direction = split_objective(text)
        if any(objective.metric == metric for objective in found):
            refuse(text, "an objective that was named before", "name it once")
        try:
            choice = objective_for(skill, metric=metric, direction=direction)
        except ConfigurationError as error:
            name, colon, last = metric.rpartition(":")
            wanted = f"{name or metric}:maximize or {name or metric}:minimize"
            for problem in error.problems:
                said = f"{last!r} after the colon, which is no direction" if colon and name else problem.found
                problems.append(replace(problem, where=f"--objective {text}", found=said, expected=wanted))
            continue
        source = choice.source.replace("--metric", "--objective").replace(", --direction", "")
        found.append(Objective(metric=metric, direction=Direction(choice.direction), source=source))
    if "metric" in request.explicit:
        refuse(request.objectives[0], "--metric beside it", "name each with --objective")
    return tuple(found)


def _objective(request: StudyRequest, skill: Skill, route: Route) -> Objective:
    try:
        choice = objective_for(skill, metric=request.metric, direction=request.direction)
    except ConfigurationError:
        if route is Route.TUNE or request.metric is not None:
            raise
        return LAST_EPOCH
    in_file = request.source is not None and request.metric is not None and "metric" not in request.explicit
    source = choice.source.replace("--metric, --direction", "the study file") if in_file else choice.source
    return Objective(metric=choice.metric, direction=Direction(choice.direction), source=source)


def chosen_scheduler(plan: StudyPlan) -> Scheduler:
    """Return the plan's scheduler; one that is unknown or has an unusable option is a `ConfigurationError`."""
    return make_scheduler(
        plan.scheduler,
        max_epochs=plan.max_epochs,
        trials=plan.budget.trials,
        options=plan.options,
        direction=plan.objective.direction,
        can_pause=takes_checkpoint(plan.skill.actions[plan.action]),
    )


def check_settings(plan: StudyPlan, request: StudyRequest) -> None:
    """Check sampler, scheduler and options; all their problems are one `ConfigurationError` that names the inputs."""
    problems = (
        *check_sampler(plan.sampler, plan.options),
        *check_options(plan.options, (*SCHEDULER_OPTIONS, *SAMPLER_OPTIONS)),
    )
    try:
        chosen_scheduler(plan)
    except ConfigurationError as error:
        problems += error.problems
    if problems:
        named = [replace(problem, where=_input_of(problem.where, request)) for problem in problems]
        raise ConfigurationError.from_problems(named, subject="the study")


def _input_of(setting: str, request: StudyRequest) -> str:
    """Return where the user has set something: an option of the command line, or a key of the study file."""
    if setting in request.explicit or request.source is None:
        name, _, option = setting.partition(".")
        return f"--option {option}" if name == "options" else f"--{name}"
    return f"{request.source}: {setting}"


def _read_schema(skill: Skill) -> tuple[TrainSchema | None, SchemaStatus, tuple[Problem, ...]]:
    """Read a skill's train schema, if it can be read; if it cannot, the policy decides what follows."""
    file = skill.schemas.get(TRAIN)
    if file is None:
        return None, SchemaStatus.MISSING, () if skill.is_open else (_missing("schema", skill),)
    try:
        return read_train_schema(file), SchemaStatus.VALID, ()
    except ConfigurationError as error:
        return None, SchemaStatus.UNREADABLE, tuple(error.problems)


def _missing(kind: str, skill: Skill) -> Problem:
    schema, template = find_files(skill.root).expected(TRAIN)
    fix = "add it (automl init --skill DIR writes a small example), or train once with --policy off"
    file = schema if kind == "schema" else template
    found, expected = found_at(file, skill.root), f"a train {kind}, which a search needs"
    return Problem(where=str(file), found=found, expected=expected, fix=fix)


def check_skill_and_spec(request: StudyRequest) -> tuple[list[Problem], list[Problem]]:
    """Read every file of a skill and compare the spec with template and schema; return problems and warnings."""
    try:
        skill = find_skill(request.skill, request.program)
    except ConfigurationError as error:
        return list(error.problems), []
    found = check_skill(skill)
    problems, warnings = [*found.problems, *_blocking(request, skill)], list(found.warnings)
    schema, *_ = _read_schema(skill)
    try:
        template = build_spec(skill, TRAIN, schema=schema)
        spec = build_spec(skill, TRAIN, overrides=request.overrides, schema=schema, template=_given_spec(request))
    except ConfigurationError as error:
        return [*problems, *error.problems], warnings
    compared = check_spec(spec, template, schema, where=request.spec or "spec")
    return [*problems, *compared.problems], [*warnings, *compared.warnings]


def _blocking(request: StudyRequest, skill: Skill) -> list[Problem]:
    """Return what `automl list` calls the skill blocked for, by the file that is not there."""
    if skill.is_open or any("=" in item for item in request.search) or request.policy == "off":
        return []
    if describe(skill).status is not SkillStatus.BLOCKED:
        return []
    files = {"schema": skill.schemas, "template": skill.templates}
    return [_missing(kind, skill) for kind, known in files.items() if TRAIN in skill.actions and TRAIN not in known]


def _given_spec(request: StudyRequest) -> Path | None:
    """Return the spec file that the user names; a study's spec of its best has to be what the study wrote."""
    file = Path(request.spec) if request.spec else None
    if file is not None and StudyPaths(file.parent).best_spec == file:
        require_best_spec(StudyPaths(file.parent))
    return file
