"""What to try next: rules over a finished study, each giving one sentence with the numbers it rests on."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from automl.study.model import Direction
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.report.study_facts import SearchedParameter, StudyFacts

_EDGE = 0.05
"""Share of a range that counts as its edge."""

_TOP = 3
_LATE_SHARE = 0.25
_MANY = 0.3


def advise(facts: StudyFacts) -> list[str]:
    """Return what to try next, the strongest reason first; a sentence that nothing stands out if nothing does."""
    found = [*_edges(facts), *_short_trials(facts), *_still_improving(facts), *_losses(facts), *_constant(facts)]
    return found or ["Nothing stands out: the best values lie inside their ranges, and late trials found nothing new."]


def _edges(facts: StudyFacts) -> Iterator[str]:
    top = facts.result.ranked()[:_TOP]
    for parameter in facts.parameters:
        positions = [_position(parameter, trial.assignment.get(parameter.path)) for trial in top]
        known = [position for position in positions if position is not None]
        if not known or len(known) < min(_TOP, len(top)):
            continue
        for is_edge, end, word in (
            (all(p <= _EDGE for p in known), parameter.low, "lower"),
            (all(p >= 1 - _EDGE for p in known), parameter.high, "upper"),
        ):
            if is_edge:
                count = "the best trial" if len(known) == 1 else f"the best {len(known)} trials"
                where = f"{count} lie at the {word} end of its range ({end:g})"
                yield f"{parameter.path}: {where}. Widen it, if it can go further."


def _short_trials(facts: StudyFacts) -> Iterator[str]:
    best, epochs = facts.result.best, facts.plan.get("max_epochs")
    if best is None or not epochs or best.best_epoch is None or epochs < 2:  # noqa: PLR2004 # one epoch has no trend
        return
    if best.best_epoch == epochs - 1:
        yield (
            f"The best trial was best in its last epoch ({epochs} of {epochs}): it was still improving. "
            f"Train its spec longer (best_spec.yaml, --policy off), or search with more epochs."
        )


def _still_improving(facts: StudyFacts) -> Iterator[str]:
    trials = facts.competing
    best = facts.result.best
    if best is None or len(trials) < 8:  # noqa: PLR2004 # fewer show no trend
        return
    late = trials[-max(1, int(len(trials) * _LATE_SHARE)) :]
    if best in late and facts.result.best is not trials[0]:
        yield (
            f"The best value came late (trial {best.number} of {len(facts.result.trials)}): the search had not "
            "settled. More trials are likely to help."
        )


def _losses(facts: StudyFacts) -> Iterator[str]:
    states = Counter(trial.state for trial in facts.result.trials)
    total = len(facts.result.trials)
    if states[TrialState.DIVERGED] > _MANY * total:
        yield (
            f"{states[TrialState.DIVERGED]} of {total} trials diverged. Lower the upper end of the learning rate, or "
            "clip gradients harder."
        )
    if states[TrialState.FAILED] > _MANY * total:
        yield f"{states[TrialState.FAILED]} of {total} trials failed; see the failures below before searching more."


def _constant(facts: StudyFacts) -> Iterator[str]:
    best, constant = facts.result.best, facts.constant
    if best is None or constant is None:
        return
    value = best.values[facts.metric]
    is_better = facts.result.objective.direction.is_better(value, constant)
    sign = ">" if facts.result.objective.direction is Direction.MAXIMIZE else "<"
    if not is_better:
        yield (
            f"The best trial ({value:.4g}) is no better than a constant prediction ({constant:.4g}); a useful model "
            f"needs {facts.metric} {sign} {constant:.4g}. Check data, ranges and epochs before anything else."
        )


def _position(parameter: SearchedParameter, value: object) -> float | None:
    """Return where a value lies in its range, 0 to 1; None for choices and inactive parameters."""
    low, high = parameter.low, parameter.high
    if parameter.choices or low is None or high is None or low == high or not isinstance(value, int | float):
        return None
    if parameter.is_log and low > 0 and value > 0:
        return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
    return (float(value) - low) / (high - low)
