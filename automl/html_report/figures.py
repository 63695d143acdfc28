"""The plots of a report, made by plotly express from the data frame of the trials.

Trials keep one colour per state throughout. A trial without a value is never drawn as if it had one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.express as px
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from automl.html_report.study_facts import COMPETES, STATE, TEXT, TRIAL, title_of
from automl.space.parameters import ParameterType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.html_report.study_facts import SearchedParameter, StudyFacts
    from automl.study.model import Objective

MIN_TRIALS = 8
"""With fewer trials that have a value neither importances nor contours are shown."""

_BEST = "#2f855a"
_COLOURS = {
    "completed": "#2b6cb0",
    "stopped": "#8a99ad",
    "diverged": "#dd6b20",
    "failed": "#c53030",
    "interrupted": "#805ad5",
    "running": "#38b2ac",
    "pending": "#cbd5e0",
}
_BY_STATE: dict[str, Any] = {
    "color": STATE,
    "color_discrete_map": _COLOURS,
    "category_orders": {STATE: list(_COLOURS)},
}
_SYMBOLS = {"completed": "circle", "stopped": "square", **dict.fromkeys(("diverged", "failed", "interrupted"), "x")}
_SCALE = ["#c7d2fe", "#3b82f6", "#1e3a8a"]
_STAR = {"symbol": "star", "size": 15, "color": _BEST}
_MAX_CURVES = 60
_COLUMNS = 3
_INACTIVE = -1e9
_MAX_CHOICE_LENGTH = 14
_STEPS = 32
_SMOOTHING = 0.05


def objective_history(facts: StudyFacts) -> go.Figure:
    """Return value over trial number, with the best so far; trials without a value are marked below the value axis."""
    metric, frame = facts.metric, facts.competing
    figure = px.scatter(frame, x=TRIAL, y=metric, hover_name=TEXT, **_BY_STATE).update_traces(marker_size=9)
    best_so_far = frame[metric].cummax() if facts.is_maximized else frame[metric].cummin()
    line = {"shape": "hv", "color": _BEST}
    figure.add_scatter(x=frame[TRIAL], y=best_so_far, mode="lines", name="best so far", line=line, hoverinfo="skip")
    best = frame[frame[TRIAL] == facts.best]
    figure.add_scatter(x=best[TRIAL], y=best[metric], name="best", mode="markers", marker=_STAR)
    for state, trials in facts.frame[facts.frame[metric].isna()].groupby(STATE):
        mark = {"symbol": "x", "size": 9, "color": _COLOURS[state]}
        figure.add_scatter(x=trials[TRIAL], y=[0] * len(trials), yaxis="y2", mode="markers", marker=mark)
        figure.data[-1].update(name=f"{state} (no value)", text=trials[TEXT], hoverinfo="text")
    if facts.constant is not None:
        text = f"constant prediction {facts.constant:.3g}"
        figure.add_hline(facts.constant, line_dash="dash", annotation_text=text, annotation_position="top left")
    _zoom(figure, facts, frame[metric], facts.constant)
    below = {"domain": [0, 0.07], "visible": False, "fixedrange": True}
    return _styled(figure, 400, xaxis={"title": "trial", "anchor": "y2"}, yaxis_domain=[0.1, 1], yaxis2=below)


def learning_curves(facts: StudyFacts) -> go.Figure:
    """Return the objective over epochs, a line per trial; the end of stopped and diverged trials is marked."""
    trials = [trial for trial in facts.result.trials if trial.curve]
    shown = [trial for trial in trials if trial in trials[-_MAX_CURVES:] or trial.number == facts.best]
    points = [(trial.number, epoch, value) for trial in shown for epoch, value in trial.curve]
    frame = pd.DataFrame(points, columns=[TRIAL, "epoch", facts.metric])
    frame = frame.merge(facts.frame[[TRIAL, STATE, TEXT]], on=TRIAL)
    is_best = frame[TRIAL] == facts.best
    axes = {"x": "epoch", "y": facts.metric, "hover_name": TEXT}
    figure = px.line(frame[~is_best], line_group=TRIAL, **axes, **_BY_STATE).update_traces(opacity=0.6)
    ends = frame.groupby(TRIAL).tail(1)
    marks = px.scatter(ends[ends[STATE] != "completed"], symbol=STATE, symbol_map=_SYMBOLS, **axes, **_BY_STATE)
    figure.add_traces(marks.update_traces(showlegend=False, marker_size=8).data)
    top = px.line(frame[is_best], markers=True, **axes)
    figure.add_traces(top.update_traces(line={"color": _BEST, "width": 3}, name="best", showlegend=True).data)
    has_value = facts.frame.loc[facts.frame[facts.metric].notna(), TRIAL]
    _zoom(figure, facts, frame.loc[frame[TRIAL].isin(has_value), facts.metric])
    return _styled(figure, 400)


def parallel_coordinates(facts: StudyFacts) -> go.Figure:
    """Return one axis per parameter and one for the objective; a line is a trial that has a value."""
    frame = facts.competing
    values = facts.clipped(frame[facts.metric])
    dimensions = [_dimension(parameter, frame[parameter.path]) for parameter in facts.parameters]
    dimensions.append({"label": facts.metric, "values": values, "tickformat": ".3~g"})
    line = {"color": values, "coloraxis": "coloraxis"}
    # More labels than six do not fit side by side at 1280 px.
    figure = go.Figure(go.Parcoords(dimensions=dimensions, line=line, labelangle=-18 if len(dimensions) > 6 else 0))  # noqa: PLR2004
    return _styled(figure, 440, coloraxis=_colours(facts), margin={"l": 90, "t": 90, "b": 30})


def importance_bars(facts: StudyFacts, found: Mapping[str, float]) -> go.Figure:
    """Return a bar per parameter."""
    labels = {parameter.path: parameter.label for parameter in facts.parameters}
    shares, names = list(found.values()), [labels[path] for path in found]
    figure = px.bar(x=shares, y=names, text=[f"{share:.0%}" for share in shares])
    figure.update_traces(textposition="outside", cliponaxis=False, marker_color=_COLOURS["completed"])
    figure.update_xaxes(title="share of the importance", tickformat=".0%")
    return _styled(figure.update_yaxes(title="", autorange="reversed"), 120 + 26 * len(shares))


def slices(facts: StudyFacts) -> go.Figure:
    """Return a small plot per parameter: objective over its value, later trials darker."""
    rows = math.ceil(len(facts.parameters) / _COLUMNS)
    titles = [parameter.label for parameter in facts.parameters]
    figure = make_subplots(rows, _COLUMNS, subplot_titles=titles, vertical_spacing=0.36 / rows)
    for index, parameter in enumerate(facts.parameters):
        cell = {"row": index // _COLUMNS + 1, "col": index % _COLUMNS + 1}
        frame = facts.competing.dropna(subset=parameter.path)
        points = px.scatter(frame, x=parameter.path, y=facts.metric, color=TRIAL, hover_name=TEXT)
        star = px.scatter(frame[frame[TRIAL] == facts.best], x=parameter.path, y=facts.metric)
        figure.add_traces([*points.data, *star.update_traces(marker=_STAR).data], rows=cell["row"], cols=cell["col"])
        figure.update_xaxes(**_axis(parameter), **cell)
    _zoom(figure, facts, facts.competing[facts.metric])
    figure.update_yaxes(title=facts.metric, col=1)
    return _styled(figure, 230 * rows + 90, coloraxis={"colorscale": _SCALE, "showscale": False})


def pair(facts: StudyFacts, first: SearchedParameter, second: SearchedParameter) -> go.Figure:
    """Return two parameters against each other, coloured by the objective; with contours from enough trials on."""
    frame = facts.competing.dropna(subset=[first.path, second.path])
    value = facts.clipped(frame[facts.metric])
    axes = {"x": frame[first.path], "y": frame[second.path]}
    figure = go.Figure()
    if len(frame) >= MIN_TRIALS and not first.options and not second.options:
        figure.add_trace(_contours(facts, first, second))
    marker = {"size": 12, "color": value, "coloraxis": "coloraxis", "line": {"color": "#1a202c", "width": 0.5}}
    # As text: a column of no value would keep its numbers' type.
    text = frame[TEXT] + "<br>" + frame[facts.metric].map("{:.4g}".format).astype(str)
    figure.add_scatter(**axes, mode="markers", marker=marker, text=text, hoverinfo="text")
    figure.update_xaxes(title=first.label, **_axis(first)).update_yaxes(title=second.label, **_axis(second))
    return _styled(figure, 420, coloraxis=_colours(facts))


def _contours(facts: StudyFacts, first: SearchedParameter, second: SearchedParameter) -> go.Contour:
    """Return a smooth surface through the trials on the scales of the axes, left out where no trial is near."""
    from scipy.interpolate import RBFInterpolator  # noqa: PLC0415 - only a report of enough trials needs it
    from scipy.spatial.distance import cdist  # noqa: PLC0415 - as above

    frame = facts.competing.dropna(subset=[first.path, second.path])
    values = facts.clipped(frame[facts.metric])
    known = np.column_stack([first.position(frame[first.path]), second.position(frame[second.path])])
    steps = np.linspace(0, 1, _STEPS)
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    # Neighbours differ in other parameters too, so the surface need not pass through every trial.
    surface = RBFInterpolator(known, values, kernel="linear", degree=0, smoothing=_SMOOTHING)(grid)
    # Beyond half the mean spacing of a regular grid of as many points nothing was measured nearby.
    surface[cdist(grid, known).min(axis=1) > 1.5 / math.sqrt(len(known))] = np.nan
    x, y = ((np.geomspace if p.log else np.linspace)(*p.ends, _STEPS) for p in (first, second))
    z = surface.clip(values.min(), values.max()).reshape(_STEPS, _STEPS)
    # plotly.js 3 does not end with a contour that shares the colour axis of the dots.
    colours = {"colorscale": _SCALE, "reversescale": not facts.is_maximized, "showscale": False}
    style = {"opacity": 0.45, "line_width": 0.5, "ncontours": 12, "hoverinfo": "skip"}
    return go.Contour(x=x, y=y, z=z, zmin=values.min(), zmax=values.max(), **colours, **style)


def pareto_front(facts: StudyFacts, other: Objective) -> go.Figure:
    """Return the primary objective against another one: trials, the front, and trials that miss a constraint."""
    kinds = {"other trials": _COLOURS["stopped"], "a constraint is not met": _COLOURS["failed"], "Pareto front": _BEST}
    beaten, unmet, front = kinds
    frame = facts.frame.dropna(subset=[facts.metric, other.metric]).sort_values(other.metric)
    in_front = frame[TRIAL].isin([trial.number for trial in facts.result.pareto])
    frame["kind"] = np.select([in_front, frame[COMPETES]], [front, beaten], unmet)
    trials = {trial.number: trial for trial in facts.result.trials}
    frame["unmet"] = [", ".join(facts.result.unmet(trials[number])) for number in frame[TRIAL]]
    style: dict[str, Any] = {
        "color": "kind",
        "symbol": "kind",
        "color_discrete_map": kinds,
        "category_orders": {"kind": list(kinds)},
        "symbol_map": {front: "star", beaten: "circle", unmet: "circle-open"},
    }
    figure = px.scatter(frame, x=other.metric, y=facts.metric, hover_name=TEXT, hover_data=["unmet"], **style)
    figure.update_traces(marker_size=9).update_traces(marker_size=13, selector={"name": front})
    if len(facts.result.further) == 1:
        # With more than two objectives the front is a surface: a line through two of them would claim an order.
        figure.update_traces(mode="lines+markers", line_dash="dot", selector={"name": front})
    _zoom(figure, facts, frame[facts.metric])
    return _styled(figure, 420, xaxis_title=title_of(other), yaxis_title=title_of(facts.result.objective))


def slots_of(attempts: pd.DataFrame, jobs: int) -> list[int]:
    """Return the slot of each attempt, in order of their starts: the one that has been idle longest.

    There are as many as jobs; more are added if more attempts overlap, as after a crash.
    """
    slots: list[int] = []
    free_at = [attempts["start"].min()] * jobs
    for start, end in zip(attempts["start"], attempts["end"], strict=True):
        slot = min(range(len(free_at)), key=free_at.__getitem__)
        if free_at[slot] > start:
            slot = len(free_at)
            free_at.append(end)
        free_at[slot] = end
        slots.append(slot)
    return slots


def timeline(attempts: pd.DataFrame, slots: list[int]) -> go.Figure:
    """Return a bar per attempt, a row per slot; gaps are idle time."""
    rows = [f"slot {slot}" for slot in range(max(slots) + 1)]
    frame = attempts.assign(slot=[rows[slot] for slot in slots])
    bars = {"x_start": "start", "x_end": "end", "y": "slot", "text": "trial", "color": "state"}
    figure = px.timeline(frame, **bars, color_discrete_map=_COLOURS, category_orders={"slot": rows})
    figure.update_traces(insidetextanchor="middle", textangle=0, marker_line={"color": "white", "width": 1})
    return _styled(figure, 140 + 34 * len(rows), xaxis_title="time (UTC)", yaxis_title="")


def importances(facts: StudyFacts) -> tuple[dict[str, float], float]:
    """Estimate how much each searched parameter mattered, as far as the trials can tell.

    A random forest is fitted to the trials. The importance of a parameter is how much the forest's error grows when its
    values are shuffled among the trials (permutation importance, Breiman 2001), as a share of the sum.

    Returns:
        Parameter path -> share in [0, 1], largest first, empty if nothing can be said; and the share of the objective's
        variance that the forest predicts for trials it has not seen (R squared of the out-of-bag predictions). Near or
        below 0 the shares mean nothing.
    """
    from sklearn.ensemble import RandomForestRegressor  # noqa: PLC0415 # 1 s, and only reports of many trials need it
    from sklearn.inspection import permutation_importance  # noqa: PLC0415 # as above

    frame = facts.competing
    values = facts.clipped(frame[facts.metric])
    if len(frame) < MIN_TRIALS or not facts.parameters or values.min() == values.max():
        return {}, 0.0
    # An inactive parameter is a value of its own, outside every range.
    inputs = pd.DataFrame({p.path: _numbers(p, frame[p.path])[0] for p in facts.parameters}).fillna(_INACTIVE)
    forest = RandomForestRegressor(oob_score=True, random_state=0, n_jobs=1).fit(inputs, values)
    found = permutation_importance(forest, inputs, values, random_state=0, n_jobs=1)["importances_mean"]
    raw = pd.Series(found, index=inputs.columns).clip(lower=0).sort_values(ascending=False)
    return (raw / raw.sum()).to_dict() if raw.sum() else {}, float(forest.oob_score_)


def _axis(parameter: SearchedParameter) -> dict[str, Any]:
    """Return an axis over the whole range of a parameter, so that values at an end show as such."""
    if parameter.options:
        names = {"tickvals": parameter.options, "ticktext": [_short(choice) for choice in parameter.options]}
        return {"type": "category", "categoryorder": "array", "categoryarray": parameter.options, **names}
    low, high = np.log10(parameter.ends) if parameter.log else parameter.ends
    margin = 0.05 * (high - low or 1.0)
    axis = {"range": [low - margin, high + margin], "nticks": 6}
    if parameter.log:
        ticks = _log_ticks(parameter)
        axis |= {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:.3g}" for tick in ticks]}
    return axis


def _dimension(parameter: SearchedParameter, values: pd.Series) -> dict[str, Any]:
    """Return the axis of a parameter among parallel ones, with its values; inactive ones lie below the range."""
    numbers, names = _numbers(parameter, values)
    if names:
        limits = (0.0, len(names) - 1.0)
        ticks = {float(index): _short(name) for index, name in enumerate(names)}
    elif parameter.log:
        numbers, limits = (
            np.log10(parameter.above_zero(numbers)),
            (math.log10(parameter.ends[0]), math.log10(parameter.ends[1])),
        )
        ticks = {math.log10(tick): f"{tick:.3g}" for tick in _log_ticks(parameter)}
    else:
        limits = parameter.ends
        marks = np.linspace(*limits, 5)
        ticks = {mark: f"{mark:.3g}" for mark in (marks.round() if parameter.type is ParameterType.INT else marks)}
    # Trial 0 may lie outside the range.
    low, high = min(limits[0], numbers.min()), max(limits[1], numbers.max())
    if numbers.isna().any():
        low -= 0.12 * (high - low or 1)
        numbers, ticks = numbers.fillna(low), {low: "inactive", **ticks}
    shown = {"range": [low, high if high > low else low + 1], "tickvals": list(ticks), "ticktext": list(ticks.values())}
    return {"label": parameter.label, "values": numbers, **shown}


def _log_ticks(parameter: SearchedParameter) -> list[float]:
    """Return the powers of ten in a range, with 2 and 5 times them where these are few."""
    low, high = parameter.ends
    ticks = 10.0 ** np.arange(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    if high / low < 100:  # noqa: PLR2004 # two decades
        ticks = np.outer(ticks, [1, 2, 5]).ravel()
    return [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)] or [low, high]


def _short(name: str) -> str:
    return name if len(name) <= _MAX_CHOICE_LENGTH else f"{name[: _MAX_CHOICE_LENGTH - 1]}…"


def _numbers(parameter: SearchedParameter, values: pd.Series) -> tuple[pd.Series, list[str]]:
    """Return values as numbers, a choice as its index, and the names of the choices."""
    names = list(dict.fromkeys([*parameter.options, *values.dropna()])) if parameter.options else []
    return (values.map({name: index for index, name in enumerate(names)}) if names else values), names


def _zoom(figure: go.Figure, facts: StudyFacts, values: pd.Series, *shown: float | None) -> None:
    """Leave hopelessly bad values out of view, but for those that must be shown."""
    limit = facts.fence(values)
    if limit is not None:
        ends = pd.Series([limit, values.max() if facts.is_maximized else values.min(), *shown], dtype=float)
        margin = 0.08 * (ends.max() - ends.min())
        figure.update_yaxes(range=[ends.min() - margin, ends.max() + margin])


def _colours(facts: StudyFacts) -> dict[str, Any]:
    return {"colorscale": _SCALE, "reversescale": not facts.is_maximized, "colorbar_title": facts.metric}


def _styled(figure: go.Figure, height: int, **layout: Any) -> go.Figure:  # noqa: ANN401 # attributes of a layout
    figure.update_layout(
        template="plotly_white",
        height=height,
        font={"family": "system-ui, sans-serif", "size": 13, "color": "#1a202c"},
        margin={"l": 70, "r": 30, "t": 50, "b": 50},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "title": ""},
    )
    return figure.update_layout(**layout)
