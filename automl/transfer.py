"""Which earlier studies a plan learns from, and their observations as it keeps them.

Comparable are studies of the same skill, objective, direction and command of evaluation that have ended and searched a
parameter of this one; on which data does not matter. Their observations are copied into the plan, so a resume proposes
the same when a source moves, grows or is deleted. A parameter that a study did not search counts with its value there;
a trial outside the ranges of this study is left out.
"""

from __future__ import annotations

import math
from pathlib import PurePath
from typing import TYPE_CHECKING

from automl.skill.fields import is_number
from automl.spec.model import Spec
from automl.study.earlier import EarlierStudy, EarlierTrial
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from automl.space.parameters import Parameter
    from automl.space.values import Scalar
    from automl.storage.plan_document import StoredPlan
    from automl.study.model import StudyPlan
    from automl.study.result import StudyResult
    from automl.study.trial import TrialResult

FEWEST_STUDIES = 2
"""With one study its two best trials as starting points were measured to be as good."""
MOST_STUDIES = 15
_FEWEST_TRIALS = 5
_MOST_TRIALS = 60


def learns(plan: StudyPlan) -> bool:
    """Tell whether a plan can learn from earlier studies: one objective, no constraint, the default sampler."""
    return plan.sampler == "auto" and len(plan.objectives) == 1 and not plan.constraints


def is_comparable(document: StoredPlan, plan: StudyPlan) -> bool:
    """Tell whether the values of an earlier study say something about this one."""
    skill, objective = document.skill, plan.objective
    return (
        (skill.name, skill.network_arch) == (plan.skill.name, plan.skill.network_arch)
        and (document.objective.metric, document.objective.direction) == (objective.metric, objective.direction)
        and document.evaluate_with == plan.evaluate_with
        and any(parameter.path in plan.space.paths for parameter in document.space.parameters)
    )


def observed(plan: StudyPlan, document: StoredPlan, result: StudyResult) -> EarlierStudy | None:
    """Return what an ended study measured in the parameters of a plan; None where that is too little."""
    if not all(trial.state.is_final for trial in result.trials):
        return None
    trials = [kept for trial in result.trials if (kept := _kept(plan, document, trial)) is not None]
    if sum(trial.value is not None for trial in trials) < _FEWEST_TRIALS:
        return None
    return EarlierStudy(name=document.name, data=_name_of_data(document), trials=tuple(trials[:_MOST_TRIALS]))


def described(studies: Iterable[EarlierStudy], agreement: Mapping[str, float]) -> str:
    """Return the sentence about the studies that a plan learns from.

    Args:
        studies: The studies.
        agreement: Name -> how much each agrees with the others, 0 to 1; a study that is missing follows no pattern.
    """
    parts = []
    for study in studies:
        likeness = f"agreement {agreement[study.name]:.2f}" if study.name in agreement else "no pattern, not used"
        data = f" on {study.data}" if study.data else ""
        parts.append(f"{study.name}{data} ({len(study.trials)} trials, {likeness})")
    return f"it learns from earlier studies: {', '.join(parts)} (--no-warm-start: from none)"


def _kept(plan: StudyPlan, document: StoredPlan, trial: TrialResult) -> EarlierTrial | None:
    if trial.replicate_of is not None or trial.changes:
        return None
    value = trial.values.get(plan.objective.metric, math.nan)
    if trial.state.has_value and math.isfinite(value):
        measured: float | None = value
    elif trial.state is TrialState.DIVERGED:
        measured = None
    else:
        return None
    assignment: dict[str, Scalar] = {}
    for parameter in plan.space.parameters:
        found = trial.assignment.get(parameter.path, _fixed(document, parameter))
        if not _is_inside(parameter, found):
            return None
        assignment[parameter.path] = found
    return EarlierTrial(assignment=assignment, value=measured, state=trial.state)


def _fixed(document: StoredPlan, parameter: Parameter) -> Scalar:
    """Return the value of a parameter that a study did not search; this study's default where its spec has none."""
    spec = Spec(values=document.spec)
    value = spec.get(parameter.path) if spec.has(parameter.path) else None
    return value if isinstance(value, str | int | float | bool) else parameter.default


def _is_inside(parameter: Parameter, value: Scalar) -> bool:
    if parameter.choices:
        return parameter.contains(value)
    low, high = parameter.bounds
    return is_number(value) and low <= value <= high


def _name_of_data(document: StoredPlan) -> str:
    data = document.request.get("data") or {}
    train = data.get("train") if isinstance(data, dict) else None
    return PurePath(train).stem if isinstance(train, str) else ""
