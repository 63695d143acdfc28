"""How much each searched parameter mattered, as far as the trials can tell.

A random forest learns the objective from the assignments; a parameter's importance is how much the forest's error
grows when the parameter's values are shuffled among the trials (permutation importance, Breiman 2001), as a share of
the sum. With few trials this is a hint and no more, so the number of trials is part of the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.report.focus import clipped

if TYPE_CHECKING:
    from automl.report.study_facts import StudyFacts

MIN_TRIALS = 8
"""Below this many trials with a value no importance is given."""

_TREES = 100
_SHUFFLES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Importances:
    """Shares of the parameters.

    Attributes:
        shares: (parameter path, share in [0, 1]), largest first; empty if nothing can be said.
        trials: How many trials they rest on.
        fit: Share of the objective's variance that the forest predicts for trials it has not seen (R squared of the
            out-of-bag predictions); None if there are no shares. Near or below 0 the shares mean nothing.
    """

    shares: tuple[tuple[str, float], ...]
    trials: int
    fit: float | None = None


def importances(facts: StudyFacts) -> Importances:
    """Estimate the importances of a study's parameters."""
    trials = facts.competing
    values = [trial.values[facts.metric] for trial in trials]
    if len(trials) >= MIN_TRIALS:
        # One trial at -12 among values around 0.9 would be all that the forest learns.
        values = clipped(values, facts.window)
    if len(trials) < MIN_TRIALS or not facts.parameters or max(values) == min(values):
        return Importances(shares=(), trials=len(trials))
    rows = [
        [_number(parameter.number(trial.assignment.get(parameter.path))) for parameter in facts.parameters]
        for trial in trials
    ]
    raw, fit = _shuffled_errors(rows, values)
    total = sum(raw)
    if total <= 0:
        return Importances(shares=(), trials=len(trials), fit=fit)
    shares = [(p.path, share / total) for p, share in zip(facts.parameters, raw, strict=True)]
    return Importances(shares=tuple(sorted(shares, key=lambda s: -s[1])), trials=len(trials), fit=fit)


def _number(value: float | None) -> float:
    # An inactive parameter is a value of its own, outside every range.
    return -1e9 if value is None else value


def _shuffled_errors(rows: list[list[float]], values: list[float]) -> tuple[list[float], float]:
    from sklearn.ensemble import RandomForestRegressor  # noqa: PLC0415 # 1 s, and only reports need it
    from sklearn.inspection import permutation_importance  # noqa: PLC0415 # as above

    forest = RandomForestRegressor(n_estimators=_TREES, min_samples_leaf=1, oob_score=True, random_state=0, n_jobs=1)
    forest.fit(rows, values)
    found = permutation_importance(forest, rows, values, n_repeats=_SHUFFLES, random_state=0, n_jobs=1)
    return [max(0.0, float(mean)) for mean in found["importances_mean"]], float(forest.oob_score_)
