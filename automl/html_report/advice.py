"""What to try next: rules over a finished study, each giving one sentence with the numbers it rests on."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from automl.html_report.study_facts import TRIAL
from automl.space.parameters import ParameterType
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from automl.html_report.study_facts import SearchedParameter, StudyFacts

# Share of a range that counts as its edge.
_EDGE = 0.05
_TOP = 3
_LATE_SHARE = 0.25
# With fewer trials a late best value shows no trend.
_FEW = 8
_MANY = 0.3


def advise(facts: StudyFacts) -> list[str]:
    """Return what to try next, the strongest reason first; a sentence that nothing stands out if nothing does."""
    result, best, epochs, constant = facts.result, facts.result.best, facts.plan.max_epochs, facts.constant
    total, late = len(result.trials), sorted(trial.number for trial in result.ranked())
    states = Counter(trial.state for trial in result.trials)
    diverged, failed = states[TrialState.DIVERGED], states[TrialState.FAILED]
    found = [
        f"{grown.path}: its range has grown to {grown.low:g} .. {grown.high:g}, because {grown.reason}. Such a value "
        "was not expected: look at the curves of the best trials."
        for grown in facts.grown
    ]
    found += _edges(facts)
    longer = "Train its spec longer (best_spec.yaml, --policy off)"
    longer = "Run its command longer (best.json)" if facts.plan.skill.is_program else longer
    if best is not None and epochs and best.best_epoch == epochs - 1 > 0:
        found.append(
            f"The best trial was best in its last epoch ({epochs} of {epochs}): it was still improving. "
            f"{longer}, or search with more epochs."
        )
    if best is not None and len(late) >= _FEW and best.number in late[-int(len(late) * _LATE_SHARE) :]:
        found.append(
            f"The best value came late (trial {best.number} of {total}): the search had not settled. More trials are "
            "likely to help."
        )
    if diverged > _MANY * total:
        found.append(
            f"{diverged} of {total} trials diverged. Lower the upper end of the learning rate, or clip gradients "
            "harder."
        )
    if failed > _MANY * total:
        found.append(f"{failed} of {total} trials failed; see the failures below before searching more.")
    value = None if best is None else best.values[facts.metric]
    if value is not None and constant is not None and not result.objective.direction.is_better(value, constant):
        found.append(
            f"The best trial ({value:.4g}) is no better than a constant prediction ({constant:.4g}); a useful model "
            f"needs {facts.metric} {'>' if facts.is_maximized else '<'} {constant:.4g}. Check data, ranges and epochs "
            "before anything else."
        )
    return found or ["Nothing stands out: the best values lie inside their ranges, and late trials found nothing new."]


def _edges(facts: StudyFacts) -> list[str]:
    found = []
    best = [trial.number for trial in facts.result.ranked()[:_TOP]]
    top = facts.frame[facts.frame[TRIAL].isin(best)]
    count = "the best trial lies" if len(top) == 1 else f"the best {len(top)} trials lie"
    for parameter in facts.parameters:
        values = top[parameter.path]
        low, high = parameter.ends
        if top.empty or parameter.choices or low == high or values.isna().any():
            continue
        position = parameter.position(values)
        for side, end, farthest in (("lower", low, position.max()), ("upper", high, 1 - position.min())):
            if farthest <= _EDGE and not _is_limit(parameter, side):
                where = f"{count} at the {side} end of its range ({end:g})"
                found.append(f"{parameter.path}: {where}. Widen it, if it can go further.")
    return found


def _is_limit(parameter: SearchedParameter, side: str) -> bool:
    """Return whether a value beyond an end makes no sense, as far as the end itself shows it.

    What begins at 0 is no signed quantity, a share ends at 1, and a whole number from 1 on is a count.
    """
    low, high = parameter.ends
    is_count = parameter.type is ParameterType.INT
    if side == "lower":
        return low == 0 or (is_count and low == 1)
    return not is_count and not parameter.log and high == 1 and low >= 0
