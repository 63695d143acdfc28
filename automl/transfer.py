"""Which earlier studies a plan learns from, and their observations as it keeps them.

Comparable are studies of the same skill, objective, direction and way of evaluation that have ended and searched a
parameter of this one; on which data does not matter. Their observations are copied into the plan, so a resume proposes
the same when a source moves, grows or is deleted. A parameter that a study did not search counts with its value there;
a trial outside the ranges of this study is left out; a stopped one counts with what it would have reached.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

from automl.architectures.model import matches, named
from automl.errors import counted
from automl.skill.fields import is_number
from automl.spec.model import iterate_leaves
from automl.storage.study_history import digest_of
from automl.study.causes import OriginKind
from automl.study.earlier import EarlierStudy, EarlierTrial
from automl.study.finite import is_finite
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from automl.space.parameters import Parameter
    from automl.space.values import Scalar
    from automl.study.causes import Origin
    from automl.study.earlier import RecordedTrial, StudyHistory
    from automl.study.model import StudyPlan

FEWEST_STUDIES = 2
"""With one study its two best trials as starting points were measured to be as good."""
MOST_STUDIES = 15
FEWEST_TRIALS = 5
_FEWEST_AGAIN = 2
"""Trainings of trials that were trained before, from which the noise by the seed is estimated."""
_MOST_TRIALS = 60
_SHOWN_ORIGINS = frozenset({OriginKind.EARLIER_STUDY, OriginKind.TRACKED_STUDY, OriginKind.RECIPE})
_INDEX = re.compile(r"(?P<list>.+)\[(?P<index>\d+)\]")


def learns(plan: StudyPlan) -> bool:
    """Tell whether a plan can learn from earlier studies: one objective, no constraint, the default sampler."""
    return plan.sampler == "auto" and len(plan.objectives) == 1 and not plan.constraints


def is_of_skill(history: StudyHistory, plan: StudyPlan) -> bool:
    """Tell whether an earlier study is of the plan's skill."""
    return (history.skill, history.network_arch) == (plan.skill.name, plan.skill.network_arch)


def why_not(history: StudyHistory, plan: StudyPlan) -> str:
    """Return why the values of an earlier study say nothing about this one; empty where they do."""
    objective, metric = plan.objective, history.metric
    reasons = {
        f"it is of the skill {history.skill}": not is_of_skill(history, plan),
        f"it measured {metric}": metric != objective.metric,
        f"there {metric} was to {history.direction}": history.direction is not objective.direction,
        "its trials were evaluated by another command": history.evaluated_with != digest_of(plan.evaluate_with),
        "it searched none of these parameters": not {p.path for p in history.parameters} & set(plan.space.paths),
        "it has not ended": not history.is_ended,
    }
    return next((reason for reason, holds in reasons.items() if holds), "") or _other_evaluation(history, plan)


def _other_evaluation(history: StudyHistory, plan: StudyPlan) -> str:
    """Return which figure of the spec had another value in the evaluations of an earlier study; empty for none."""
    architecture = plan.skill.architecture
    rules, per_split = architecture.parameters, architecture.actions.per_split
    for path, value in iterate_leaves(plan.spec.values):
        is_evaluation = named(path, rules.evaluation_only) and not named(path, rules.training_only)
        if not is_evaluation or matches(path, (*rules.throughput, *per_split)):
            continue
        if _is_figure(value) and path in history.fixed and history.fixed[path] != value:
            return f"it was evaluated with {path} {history.fixed[path]}, here it is {value}"
    return ""


def _is_figure(value: object) -> bool:
    return all(map(is_number, value)) if isinstance(value, list) else isinstance(value, bool) or is_number(value)


def observed(plan: StudyPlan, history: StudyHistory) -> EarlierStudy | None:
    """Return what an ended study measured in the parameters of a plan; None where that is too little."""
    trials = [kept for trial in history.trials if (kept := _kept(plan, history, trial)) is not None]
    if sum(trial.value is not None for trial in trials) < FEWEST_TRIALS:
        return None
    used = tuple(trials[:_MOST_TRIALS])
    return EarlierStudy(name=history.name, data=history.data, trials=used, noise=noise_of(history))


def noise_of(history: StudyHistory) -> float | None:
    """Return how far trainings of one assignment lie apart by their seed, as a share of the spread of good trials.

    The value that a trial had in the search counts too, though it was selected: the noise is rather over- than
    underestimated. So does a replicate that diverged, as the worst value of the study.

    Returns:
        A standard deviation in units of that of the scores; None where too few trials were trained again.
    """
    again = [trial for trial in history.trials if trial.replicate_of is not None]
    if not again:
        return None
    from automl.samplers.gaussian_process.training_data import unit_of  # noqa: PLC0415 - numpy: only where it is needed

    sign, replicates = history.direction.sign, {trial.number for trial in again}
    finite = {t.number: sign * t.value for t in history.trials if t.value is not None and is_finite(t.value)}
    searched = [value for number, value in finite.items() if number not in replicates]
    groups: dict[int, list[float]] = {}
    for trial in history.trials:
        original = trial.number if trial.replicate_of is None else trial.replicate_of
        if original in finite and trial.state is not TrialState.STOPPED:
            groups.setdefault(original, []).append(finite.get(trial.number, min(searched)))
    freedom = sum(len(values) - 1 for values in groups.values())
    if freedom < _FEWEST_AGAIN or (unit := unit_of(searched)) <= 0.0:
        return None
    squares = sum((value - fmean(values)) ** 2 for values in groups.values() for value in values)
    return math.sqrt(squares / freedom) / unit


def with_own_names(studies: Iterable[EarlierStudy]) -> tuple[EarlierStudy, ...]:
    """Return studies in order of their names, of which no two have the same."""
    kept: dict[str, EarlierStudy] = {}
    for study in sorted(studies, key=lambda study: study.name):
        name, count = study.name, 1
        while name in kept:
            count += 1
            name = f"{study.name} ({count})"
        kept[name] = replace(study, name=name)
    return tuple(kept.values())


def described(
    earlier: Iterable[EarlierStudy], origins: Iterable[Origin] = (), *, is_switched_off: bool = False
) -> tuple[str, ...]:
    """Return the sentence about what a plan takes from earlier studies; nothing where there are none.

    Args:
        earlier: The studies that it learns from.
        origins: Of its first trials.
        is_switched_off: It was to take nothing.
    """
    used = [f"{s.name}{f' on {s.data}' if s.data else ''} ({counted(len(s.trials), 'trial')})" for s in earlier]
    if used:
        which = "it learns from earlier studies as far as their values follow a pattern"
        return (f"{which}: {', '.join(used)} (--no-warm-start: from none)",)
    points = [str(o) for o in origins if o.kind in _SHOWN_ORIGINS]
    if points:
        unless = "neither" if points[1:] else "not"
        return (f"after trial 0 it tries {' and '.join(points)} (--no-warm-start: {unless})",)
    return ("it takes nothing from earlier studies (--no-warm-start)",) if is_switched_off else ()


def _kept(plan: StudyPlan, history: StudyHistory, trial: RecordedTrial) -> EarlierTrial | None:
    value = trial.value if trial.expected is None else trial.expected
    if trial.replicate_of is not None or (value is None and trial.state.has_value):
        return None
    if value is not None and not is_finite(value):
        return None
    assignment: dict[str, Scalar] = {}
    for parameter in plan.space.parameters:
        # What a parameter that does not act stands at, there or in the spec, says nothing.
        if plan.space.is_active(parameter.path, assignment):
            found = trial.assignment.get(parameter.path, _fixed(history.fixed, parameter))
            if not _is_inside(parameter, found):
                return None
            assignment[parameter.path] = found
    return EarlierTrial(assignment=assignment, value=value, state=trial.state)


def _fixed(fixed: Mapping[str, Any], parameter: Parameter) -> Scalar:
    """Return the value of a parameter that a study did not search; this study's default where its spec has none."""
    value = fixed.get(parameter.path)
    if value is None and (match := _INDEX.fullmatch(parameter.path)) is not None:
        items: Sequence[Any] = fixed.get(match["list"]) or ()
        value = items[int(match["index"])] if int(match["index"]) < len(items) else None
    return value if isinstance(value, str | int | float | bool) else parameter.default


def _is_inside(parameter: Parameter, value: Scalar) -> bool:
    if parameter.choices or parameter.is_beside(value):
        return parameter.contains(value)
    low, high = parameter.bounds
    return is_number(value) and low <= value <= high
