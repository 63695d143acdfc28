"""What to try next: rules over a finished study, each giving one sentence with the numbers it rests on."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from automl.report.study_facts import TRIAL
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.report.study_facts import StudyFacts

_EDGE = 0.05
"""Share of a range that counts as its edge."""

_TOP = 3
_LATE_SHARE = 0.25
_FEW = 8
"""With fewer trials a late best value shows no trend."""
_MANY = 0.3


def advise(facts: StudyFacts) -> list[str]:
    """Return what to try next, the strongest reason first; a sentence that nothing stands out if nothing does."""
    found = [*_edges(facts), *_short_trials(facts), *_still_improving(facts), *_losses(facts), *_constant(facts)]
    return found or ["Nothing stands out: the best values lie inside their ranges, and late trials found nothing new."]


def _edges(facts: StudyFacts) -> Iterator[str]:
    best = [trial.number for trial in facts.result.ranked()[:_TOP]]
    top = facts.frame[facts.frame[TRIAL].isin(best)]
    count = "the best trial lies" if len(top) == 1 else f"the best {len(top)} trials lie"
    for parameter in facts.parameters:
        values = top[parameter.path]
        if top.empty or parameter.choices or parameter.low == parameter.high or values.isna().any():
            continue
        position = parameter.position(values)
        for side, end, farthest in (
            ("lower", parameter.low, position.max()),
            ("upper", parameter.high, 1 - position.min()),
        ):
            if farthest <= _EDGE:
                where = f"{count} at the {side} end of its range ({end:g})"
                yield f"{parameter.path}: {where}. Widen it, if it can go further."


def _short_trials(facts: StudyFacts) -> Iterator[str]:
    best, epochs = facts.result.best, facts.plan.max_epochs
    if best is not None and epochs and best.best_epoch == epochs - 1 > 0:
        yield (
            f"The best trial was best in its last epoch ({epochs} of {epochs}): it was still improving. "
            f"Train its spec longer (best_spec.yaml, --policy off), or search with more epochs."
        )


def _still_improving(facts: StudyFacts) -> Iterator[str]:
    trials = sorted(trial.number for trial in facts.result.ranked())
    best = facts.result.best
    if best is not None and len(trials) >= _FEW and best.number in trials[-int(len(trials) * _LATE_SHARE) :]:
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
    if not facts.result.objective.direction.is_better(value, constant):
        yield (
            f"The best trial ({value:.4g}) is no better than a constant prediction ({constant:.4g}); a useful model "
            f"needs {facts.metric} {'>' if facts.is_maximized else '<'} {constant:.4g}. Check data, ranges and epochs "
            "before anything else."
        )
