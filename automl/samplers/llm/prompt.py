"""The prompt that describes a study: the space, the objectives, the skill's notes and the trials."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from automl.regular_file import open_regular
from automl.skill.layout import contained

if TYPE_CHECKING:
    from automl.samplers.history import Observation
    from automl.skill.model import Skill
    from automl.space.parameters import Parameter
    from automl.study.model import StudyPlan

_NOTES_LENGTH = 8000
_CURVE_POINTS = 12


def describe(plan: StudyPlan) -> dict[str, Any]:
    """Return what does not change during a study, as JSON values."""
    return {
        "skill": plan.skill.name,
        "network": plan.skill.network_arch,
        "epochs_of_a_full_trial": plan.max_epochs,
        "planned_trials": plan.budget.trials,
        "objectives": [{"metric": o.metric, "direction": o.direction.value} for o in plan.objectives],
        "constraints": [str(constraint) for constraint in plan.constraints],
        "parameters": [_parameter(parameter) for parameter in plan.space.parameters],
        "relations": [str(relation) for relation in plan.space.relations],
        "fixed": {path: value for path, value in plan.space.fixed.items() if path not in plan.space.paths},
        "notes": _notes(plan.skill),
    }


def _notes(skill: Skill) -> str:
    files = chain([skill.root / "SKILL.md"], sorted((skill.root / "references").glob("*.md")))
    texts = []
    for file in files:
        # The text leaves this machine: a link to a file of the host must not take that along.
        found = contained(file, skill.root)
        if found is not None:
            with open_regular(found) as stream:
                texts.append(stream.read(_NOTES_LENGTH).decode(errors="replace"))
    return "\n\n".join(texts)[:_NOTES_LENGTH]


def describe_trial(plan: StudyPlan, observation: Observation) -> dict[str, Any]:
    """Return what is known of a trial as JSON values, those of objectives as they were measured."""
    entry: dict[str, Any] = {
        "trial": observation.number,
        "state": observation.state.value if observation.paused_at is None else "PAUSED",
        "assignment": dict(observation.assignment),
    }
    if observation.values:
        measured = zip(plan.objectives, observation.values, strict=True)
        entry["values"] = {o.metric: o.direction.sign * value for o, value in measured}
    if observation.violations:
        missed = list(zip(plan.constraints, observation.violations, strict=True))
        entry["missed"] = [str(constraint) for constraint, by in missed if by is not None and by > 0]
        unknown = [str(constraint) for constraint, by in missed if by is None]
        entry |= {"not_measured_yet": unknown} if unknown else {}
    if observation.curve:
        every = -(-len(observation.curve) // _CURVE_POINTS)
        entry["curve"] = [[epoch, plan.objective.direction.sign * value] for epoch, value in observation.curve[::every]]
    return entry


def _parameter(parameter: Parameter) -> dict[str, Any]:
    numeric: dict[str, Any] = {
        "low": parameter.low,
        "high": parameter.high,
        "step": parameter.step,
        "log": parameter.log,
    }
    numeric |= {"log_of_1_minus_value": True} if parameter.log_to_one else {}
    numeric |= {"or_one_of": list(parameter.beside)} if parameter.beside else {}
    return {
        "path": parameter.path,
        "type": parameter.type.value,
        **({"choices": list(parameter.choices)} if parameter.choices else numeric),
        "default": parameter.default,
        "acts_only_while": str(parameter.condition) if parameter.condition else None,
        "note": parameter.reason,
    }
