"""The plots of a report, as plotly figures in their JSON form: data and layout as plain dictionaries.

Trials keep one colour per state throughout. A trial without a value is never drawn as if it had one.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, TypeAlias

from automl.report.axes import coordinate, parameter_axis, plain_axis
from automl.report.contour import contour_trace
from automl.report.focus import clipped, window
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from automl.report.importance import Importances
    from automl.report.study_facts import SearchedParameter, StudyFacts
    from automl.study.trial import TrialResult

Figure: TypeAlias = "dict[str, Any]"
"""``{"data": [...], "layout": {...}}``."""

COLOURS = {
    "COMPLETED": "#2b6cb0",
    "STOPPED": "#8a99ad",
    "DIVERGED": "#dd6b20",
    "FAILED": "#c53030",
    "INTERRUPTED": "#805ad5",
    "RUNNING": "#38b2ac",
    "PENDING": "#cbd5e0",
}
BEST = "#2f855a"
_SCALE = [[0, "#c7d2fe"], [0.5, "#3b82f6"], [1, "#1e3a8a"]]
_MAX_CURVES = 60


def objective_history(facts: StudyFacts) -> Figure:
    """Return value over trial number, with the best so far, the constant prediction, and trials without a value."""
    traces = []
    for state in (TrialState.COMPLETED, TrialState.STOPPED):
        trials = [t for t in facts.competing if t.state is state]
        traces.append(_markers(facts, trials, state.lower(), COLOURS[state]))
    best_so_far = list(itertools.accumulate((t.values[facts.metric] for t in facts.competing), _better(facts)))
    traces.append(
        {
            "type": "scatter",
            "mode": "lines",
            "name": "best so far",
            "x": [t.number for t in facts.competing],
            "y": best_so_far,
            "line": {"shape": "hv", "color": BEST, "width": 2},
        }
    )
    layout = _layout(380, "trial", facts.metric)
    count = len(facts.result.trials)
    layout["xaxis"] |= {"dtick": max(1, count // 20), "range": [-0.6, count - 0.4]}
    layout["yaxis"]["range"] = _padded(facts.window, facts.constant)
    traces += _without_value(facts)
    constant = facts.constant
    if constant is not None:
        layout["shapes"] = [_level(constant)]
        layout["annotations"] = [_note(f"constant prediction {constant:.3g}", constant)]
    return {"data": traces, "layout": layout}


def learning_curves(facts: StudyFacts) -> Figure:
    """Return the objective over epochs, a line per trial; the end of stopped and diverged trials is marked."""
    shown = [t for t in facts.result.trials if t.curve][-_MAX_CURVES:]
    best = facts.result.best
    traces = []
    for trial in sorted(shown, key=lambda t: best is not None and t.number == best.number):
        is_best = best is not None and trial.number == best.number
        traces.append(_curve(trial, is_best=is_best))
    layout = _layout(400, "epoch", facts.metric)
    measured = [value for t in shown if t.state.has_value for _, value in t.curve]
    if measured:
        layout["yaxis"]["range"] = _padded(window(measured, facts.result.objective.direction))
    layout["xaxis"]["dtick"] = 1 if max((t.epochs for t in shown), default=0) <= 20 else None  # noqa: PLR2004 # ticks
    return {"data": [*traces, *_state_legend({t.state for t in shown})], "layout": layout}


def parallel_coordinates(facts: StudyFacts) -> Figure:
    """Return one axis per parameter and one for the objective; a line is a trial that has a value."""
    trials = facts.competing
    values = clipped([t.values[facts.metric] for t in trials], facts.window)
    dimensions = [coordinate(p, [t.assignment.get(p.path) for t in trials]) for p in facts.parameters]
    dimensions.append({"label": facts.metric, "values": values, "tickformat": ".3~g"})
    reverse = facts.result.objective.direction.value == "minimize"
    line = {"color": values, "colorscale": _SCALE, "reversescale": reverse, "showscale": True}
    trace: Figure = {"type": "parcoords", "dimensions": dimensions, "line": line, "labelfont": {"size": 12}}
    if len(dimensions) > 6:  # noqa: PLR2004 # more labels than fit side by side at 1280 px
        trace |= {"labelangle": -18, "labelside": "top"}
    layout = _layout(440, "", "")
    layout["margin"] = {"l": 90, "r": 60, "t": 90, "b": 30}
    return {"data": [trace], "layout": layout}


def importance_bars(facts: StudyFacts, found: Importances) -> Figure:
    """Return a bar per parameter."""
    labels = {p.path: p.label for p in facts.parameters}
    shares = list(reversed(found.shares))
    trace: dict[str, Any] = {
        "type": "bar",
        "orientation": "h",
        "y": [labels[path] for path, _ in shares],
        "x": [share for _, share in shares],
        "text": [f"{share:.0%}" for _, share in shares],
        "textposition": "outside",
        "cliponaxis": False,
        "marker": {"color": COLOURS["COMPLETED"]},
    }
    layout = _layout(110 + 26 * len(shares), "share of the importance", "")
    layout["xaxis"] |= {"tickformat": ".0%", "rangemode": "tozero"}
    layout["yaxis"]["automargin"] = True
    return {"data": [trace], "layout": layout}


def slices(facts: StudyFacts, *, columns: int = 3) -> Figure:
    """Return a small plot per parameter: objective over its value, later trials darker."""
    rows = max(1, math.ceil(len(facts.parameters) / columns))
    layout = _layout(250 * rows + 40, "", "")
    layout["grid"] = {"rows": rows, "columns": columns, "pattern": "independent", "xgap": 0.12, "ygap": 0.36}
    layout |= {"showlegend": False, "annotations": []}
    layout["margin"]["t"] = 50
    traces = []
    for index, parameter in enumerate(facts.parameters):
        suffix = "" if index == 0 else str(index + 1)
        traces += _slice(facts, parameter, suffix)
        layout[f"xaxis{suffix}"] = parameter_axis(parameter, "")
        layout[f"yaxis{suffix}"] = plain_axis(facts.metric if index % columns == 0 else "")
        layout[f"yaxis{suffix}"]["range"] = _padded(facts.window)
        place = {"xref": f"x{suffix} domain", "yref": f"y{suffix} domain", "x": 0.5, "y": 1.14, "showarrow": False}
        layout["annotations"].append({"text": f"<b>{parameter.label}</b>", **place})
    return {"data": traces, "layout": layout}


def pair(facts: StudyFacts, first: SearchedParameter, second: SearchedParameter) -> Figure:
    """Return two parameters against each other, coloured by the objective; with contours from enough trials on."""
    trials = [t for t in facts.competing if first.path in t.assignment and second.path in t.assignment]
    values = [t.values[facts.metric] for t in trials]
    marker = {
        "size": 13,
        "color": clipped(values, facts.window),
        "colorscale": _SCALE,
        "reversescale": facts.result.objective.direction.value == "minimize",
        "showscale": True,
        "colorbar": {"title": {"text": facts.metric}},
        "line": {"color": "#1a202c", "width": 0.5},
    }
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [first.number(t.assignment[first.path]) for t in trials],
        "y": [second.number(t.assignment[second.path]) for t in trials],
        "text": [f"trial {t.number}: {value:.4g}" for t, value in zip(trials, values, strict=True)],
        "hoverinfo": "text",
        "marker": marker,
    }
    layout = _layout(400, "", "")
    layout |= {"xaxis": parameter_axis(first, first.label), "yaxis": parameter_axis(second, second.label)}
    contours = contour_trace(facts, first, second, _SCALE)
    return {"data": [trace] if contours is None else [contours, trace], "layout": layout}


def _markers(facts: StudyFacts, trials: list[TrialResult], name: str, colour: str) -> dict[str, Any]:
    best = facts.result.best
    is_best = [best is not None and t.number == best.number for t in trials]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [t.number for t in trials],
        "y": [t.values[facts.metric] for t in trials],
        "text": [f"trial {t.number}, epoch {t.best_epoch}: {t.values[facts.metric]:.4g}" for t in trials],
        "hoverinfo": "text",
        "marker": {
            "color": [BEST if winner else colour for winner in is_best],
            "size": [15 if winner else 9 for winner in is_best],
            "symbol": ["star" if winner else "circle" for winner in is_best],
        },
    }


def _without_value(facts: StudyFacts) -> list[dict[str, Any]]:
    """Return marks on the lower edge for trials that have no value."""
    traces = []
    for state in (TrialState.DIVERGED, TrialState.FAILED, TrialState.INTERRUPTED):
        trials = [t for t in facts.result.trials if t.state is state]
        if trials:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": f"{state.lower()} (no value)",
                    "x": [t.number for t in trials],
                    "y": [0.03] * len(trials),
                    "yaxis": "y2",
                    "text": [f"trial {t.number}: {t.reason}" for t in trials],
                    "hoverinfo": "text",
                    "marker": {"symbol": "x", "size": 9, "color": COLOURS[state]},
                }
            )
    return traces


def _curve(trial: TrialResult, *, is_best: bool) -> dict[str, Any]:
    ends = {TrialState.STOPPED: "square", TrialState.DIVERGED: "x", TrialState.FAILED: "x"}
    count = len(trial.curve)
    mark = ends.get(trial.state, "circle")
    colour = BEST if is_best else COLOURS[trial.state]
    note = f"trial {trial.number} {trial.state.lower()}{': ' + trial.reason if trial.reason else ''}"
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": f"trial {trial.number} (best)" if is_best else f"trial {trial.number}",
        "showlegend": is_best,
        "x": [epoch for epoch, _ in trial.curve],
        "y": [value for _, value in trial.curve],
        "text": [f"{note}<br>epoch {epoch}: {value:.4g}" for epoch, value in trial.curve],
        "hoverinfo": "text",
        "opacity": 1 if is_best else 0.6,
        "line": {"color": colour, "width": 3.5 if is_best else 1.5},
        "marker": {
            "color": colour,
            "symbol": ["circle"] * (count - 1) + [mark],
            "size": [4] * (count - 1) + [9 if mark != "circle" else 4],
        },
    }


def _state_legend(states: set[TrialState]) -> list[dict[str, Any]]:
    marks = {TrialState.STOPPED: "square", TrialState.DIVERGED: "x", TrialState.FAILED: "x"}
    return [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": state.lower(),
            "x": [None],
            "y": [None],
            "line": {"color": COLOURS[state]},
            "marker": {"symbol": marks.get(state, "circle"), "size": 9, "color": COLOURS[state]},
        }
        for state in TrialState
        if state in states
    ]


def _slice(facts: StudyFacts, parameter: SearchedParameter, suffix: str) -> list[dict[str, Any]]:
    trials = [t for t in facts.competing if parameter.path in t.assignment]
    best = facts.result.best
    trace = _markers(facts, trials, parameter.label, COLOURS["COMPLETED"])
    trace |= {
        "x": [parameter.number(t.assignment[parameter.path]) for t in trials],
        "xaxis": f"x{suffix}",
        "yaxis": f"y{suffix}",
    }
    trace["marker"] |= {"color": [t.number for t in trials], "colorscale": _SCALE}
    winners = [t for t in trials if best is not None and t.number == best.number]
    star = _markers(facts, winners, "best", BEST)
    star |= {"x": [parameter.number(t.assignment[parameter.path]) for t in winners]} | {
        "xaxis": f"x{suffix}",
        "yaxis": f"y{suffix}",
    }
    return [trace, star]


def _better(facts: StudyFacts) -> Any:  # noqa: ANN401 # max or min, whose types are overloaded
    return max if facts.result.objective.direction.value == "maximize" else min


def _padded(shown: tuple[float, float], constant: float | None = None) -> list[float]:
    """Return a range with room below for the marks of trials without a value."""
    known = [*shown, constant] if constant is not None else shown
    low, high = min(known), max(known)
    span = high - low or abs(high) or 1.0
    return [low - 0.16 * span, high + 0.08 * span]


def _level(value: float) -> dict[str, Any]:
    line = {"color": "#4a5568", "width": 1.5, "dash": "dash"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": value, "y1": value, "line": line}


def _note(text: str, value: float) -> dict[str, Any]:
    font = {"size": 12, "color": "#4a5568"}
    place = {"xref": "paper", "x": 0.01, "xanchor": "left", "y": value, "yanchor": "bottom"}
    return {"text": text, "showarrow": False, "font": font, **place}


def empty_layout(height: int) -> dict[str, Any]:
    """Return the layout of a plot without titles."""
    return _layout(height, "", "")


def _layout(height: int, x_title: str, y_title: str) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 70, "r": 30, "t": 20, "b": 50},
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#1a202c"},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "xaxis": plain_axis(x_title),
        "yaxis": plain_axis(y_title),
        "yaxis2": {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    }
