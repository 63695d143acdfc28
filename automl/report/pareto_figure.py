"""The Pareto front of a study with several objectives, as plots of two of them and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl.report.axes import plain_axis
from automl.report.figures import BEST, COLOURS, empty_layout
from automl.report.tables import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl.report.figures import Figure
    from automl.report.study_facts import StudyFacts
    from automl.study.model import Objective
    from automl.study.trial import TrialResult

_HEIGHT = 420


def pareto_figure(facts: StudyFacts, other: Objective) -> Figure:
    """Return the leading objective against another one: trials, the front as a line, and what breaks a constraint.

    A trial without a value of both is left out.
    """
    result = facts.result
    leading = result.objective
    both = [t for t in result.trials if t.state.has_value and {leading.metric, other.metric} <= t.values.keys()]
    front = [t for t in result.pareto if t in both]
    broken = [t for t in both if result.unmet(t)]
    beaten = [t for t in both if t not in front and t not in broken]
    traces = [
        _trace(facts, beaten, other, "trials", COLOURS["STOPPED"], "circle"),
        _trace(facts, broken, other, "a constraint is not met", COLOURS["FAILED"], "circle-open"),
        _front(facts, front, other),
    ]
    layout = empty_layout(_HEIGHT)
    layout["xaxis"] = plain_axis(f"{other.metric} ({_word(other)} is better)")
    layout["yaxis"] = plain_axis(f"{leading.metric} ({_word(leading)} is better)")
    return {"data": [trace for trace in traces if trace["x"]], "layout": layout}


def pareto_table(facts: StudyFacts) -> str:
    """Return the trials of the front with the values of every objective, best of the leading one first."""
    objectives = facts.result.objectives
    head = ["trial", *(f"{o.metric} ({_word(o)} is better)" for o in objectives), *(p.label for p in facts.parameters)]
    rows = [
        [t.number, *(t.values.get(o.metric) for o in objectives), *(t.assignment.get(p.path) for p in facts.parameters)]
        for t in facts.result.pareto
    ]
    return f"<div class='wide'>{table(head, rows)}</div>"


def _front(facts: StudyFacts, front: Sequence[TrialResult], other: Objective) -> dict[str, Any]:
    ordered = sorted(front, key=lambda trial: trial.values[other.metric])
    trace = _trace(facts, ordered, other, "Pareto front", BEST, "star")
    # With more than two objectives the front is a surface: a line through two of them would claim an order.
    trace["mode"] = "lines+markers" if len(facts.result.further) == 1 else "markers"
    trace["marker"]["size"] = 13
    trace["line"] = {"color": BEST, "width": 1.5, "dash": "dot"}
    return trace


def _trace(
    facts: StudyFacts, trials: Sequence[TrialResult], other: Objective, name: str, colour: str, symbol: str
) -> dict[str, Any]:
    metric = facts.metric
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [t.values[other.metric] for t in trials],
        "y": [t.values[metric] for t in trials],
        "text": [_words(facts, t, other) for t in trials],
        "hoverinfo": "text",
        "marker": {"color": colour, "symbol": symbol, "size": 9},
    }


def _words(facts: StudyFacts, trial: TrialResult, other: Objective) -> str:
    values = f"{facts.metric} {trial.values[facts.metric]:.4g}, {other.metric} {trial.values[other.metric]:.4g}"
    unmet = facts.result.unmet(trial)
    return f"trial {trial.number}: {values}" + "".join(f"<br>{words}" for words in unmet)


def _word(objective: Objective) -> str:
    return "more" if objective.direction.value == "maximize" else "less"
