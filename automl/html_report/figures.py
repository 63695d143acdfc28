"""The plots of a report as plotly's JSON, made from the data frame of the trials; the browser draws them.

Trials keep one colour per state throughout. A trial without a value is never drawn as if it had one. Colours of text,
grid and background are those of the page, which are set where it is shown (light or dark).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from automl.html_report.study_facts import COMPETES, STATE, TEXT, TRIAL, title_of
from automl.space.parameters import ParameterType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from automl.html_report.study_facts import SearchedParameter, StudyFacts
    from automl.study.objectives import Objective

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
_SYMBOLS = {"completed": "circle", "stopped": "square", **dict.fromkeys(("diverged", "failed", "interrupted"), "x")}
_SCALE = [[0, "#93c5fd"], [0.5, "#2563eb"], [1, "#a21caf"]]
"""Legible on white and on black."""
_STAR = {"symbol": "star", "size": 15, "color": _BEST}
_MAX_CURVES = 60
_COLUMNS = 3
_INACTIVE = -1e9
_MAX_CHOICE_LENGTH = 14
_STEPS = 32
_SMOOTHING = 0.05
_MOST_FITTED = 1_000


@dataclass(slots=True)
class Figure:
    """A plot: its traces and its layout, by plotly's names."""

    data: list[dict[str, Any]] = field(default_factory=list)
    layout: dict[str, Any] = field(default_factory=dict)

    def add(self, kind: str, **trace: Any) -> None:  # noqa: ANN401 # attributes of a trace
        """Add a trace; series become lists, and what is no number null."""
        self.data.append(_plain({"type": kind, **trace}))

    def points(self, frame: pd.DataFrame, x: str, y: str, **trace: Any) -> None:  # noqa: ANN401 # as above
        """Add the rows of a frame as dots that show what the row is about; a mode is one of plotly's."""
        shown = {"text": frame[TEXT], "hovertemplate": "%{text}<br>%{x:.4~g}, %{y:.4~g}<extra></extra>"}
        self.add("scatter", **{"mode": "markers", "x": frame[x], "y": frame[y], **shown, **trace})

    def document(self) -> dict[str, Any]:
        """Return the JSON form."""
        layout: dict[str, Any] = _plain(self.layout)
        return {"data": self.data, "layout": layout}


def _plain(value: Any) -> Any:  # noqa: ANN401 # whatever plotly takes
    match value:
        case dict():
            return {key: _plain(inner) for key, inner in value.items()}
        case pd.Series() | np.ndarray() if value.dtype.kind == "f":
            numbers: Any = np.asarray(value)
            return np.where(np.isfinite(numbers), numbers, np.array(None)).tolist()
        case pd.Series() | np.ndarray() | np.generic():
            return _plain(value.tolist())
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case pd.Timestamp():
            return value.isoformat()
        case _:
            return None if isinstance(value, float) and not math.isfinite(value) else value


def _by_state(frame: pd.DataFrame) -> Iterable[tuple[str, pd.DataFrame]]:
    """Yield the rows of each state, in the order of the legend."""
    return ((state, rows) for state in _COLOURS if not (rows := frame[frame[STATE] == state]).empty)


def objective_history(facts: StudyFacts) -> Figure:
    """Return value over trial number, with the best so far; trials without a value are marked below the value axis."""
    metric, frame, figure = facts.metric, facts.competing, Figure()
    for state, rows in _by_state(frame):
        figure.points(rows, TRIAL, metric, name=state, marker={"size": 9, "color": _COLOURS[state]})
    best_so_far = frame[metric].cummax() if facts.is_maximized else frame[metric].cummin()
    line: dict[str, Any] = {"shape": "hv", "color": _BEST}
    figure.add("scatter", mode="lines", x=frame[TRIAL], y=best_so_far, name="best so far", line=line, hoverinfo="skip")
    figure.points(frame[frame[TRIAL] == facts.best], TRIAL, metric, name="best", marker=_STAR)
    for state, rows in _by_state(facts.frame[facts.frame[metric].isna()]):
        mark = {"symbol": "x", "size": 9, "color": _COLOURS[state]}
        below = {"name": f"{state} (no value)", "yaxis": "y2", "hovertemplate": "%{text}<extra></extra>"}
        figure.points(rows.assign(below=0), TRIAL, "below", marker=mark, **below)
    axes: dict[str, Any] = {"yaxis": {"title": title_of(facts.result.objective), "domain": [0.1, 1]}}
    if facts.constant is not None:
        line = {"xref": "paper", "x0": 0, "x1": 1, "y0": facts.constant, "y1": facts.constant, "line": {"dash": "dash"}}
        text = f"constant prediction {facts.constant:.3g}"
        note = {"xref": "paper", "x": 0, "xanchor": "left", "y": facts.constant, "yanchor": "bottom", "text": text}
        axes |= {"shapes": [line], "annotations": [{**note, "showarrow": False}]}
    axes["yaxis"] |= _zoom(facts, frame[metric], facts.constant)
    below_axis = {"domain": [0, 0.07], "visible": False, "fixedrange": True}
    return _styled(figure, 400, xaxis={"title": "trial", "anchor": "y2"}, yaxis2=below_axis, **axes)


def learning_curves(facts: StudyFacts) -> Figure:
    """Return the objective over epochs, a line per trial; the end of stopped and diverged trials is marked."""
    trials = [trial for trial in facts.result.trials if trial.curve]
    best = facts.best
    shown = [*(trial for trial in trials[:-_MAX_CURVES] if trial.number == best), *trials[-_MAX_CURVES:]]
    points = [(trial.number, epoch, value) for trial in shown for epoch, value in trial.curve]
    frame = pd.DataFrame(points, columns=[TRIAL, "epoch", facts.metric])
    frame = frame.merge(facts.frame[[TRIAL, STATE, TEXT]], on=TRIAL)
    figure, is_best = Figure(), frame[TRIAL] == facts.best
    for state, rows in _by_state(frame[~is_best]):
        line = {"mode": "lines", "opacity": 0.6, "line": {"color": _COLOURS[state]}, "legendgroup": state}
        for place, (_, curve) in enumerate(rows.groupby(TRIAL)):
            figure.points(curve, "epoch", facts.metric, name=state, showlegend=place == 0, **line)
    ends = frame.groupby(TRIAL).tail(1)
    for state, rows in _by_state(ends[ends[STATE] != "completed"]):
        mark = {"symbol": _SYMBOLS.get(state, "circle"), "size": 8, "color": _COLOURS[state]}
        figure.points(rows, "epoch", facts.metric, name=state, showlegend=False, legendgroup=state, marker=mark)
    top = {"mode": "lines+markers", "line": {"color": _BEST, "width": 3}, "name": "best"}
    figure.points(frame[is_best], "epoch", facts.metric, **top)
    has_value = facts.frame.loc[facts.frame[facts.metric].notna(), TRIAL]
    zoom = _zoom(facts, frame.loc[frame[TRIAL].isin(has_value), facts.metric])
    value_axis = {"title": title_of(facts.result.objective), **zoom}
    return _styled(figure, 400, xaxis={"title": "epoch (from 0)"}, yaxis=value_axis)


def parallel_coordinates(facts: StudyFacts) -> Figure:
    """Return one axis per parameter and one for the objective; a line is a trial that has a value."""
    frame, figure = facts.competing, Figure()
    values = facts.clipped(frame[facts.metric])
    dimensions = [_dimension(parameter, frame[parameter.path]) for parameter in facts.parameters]
    dimensions.append({"label": facts.metric, "values": values, "tickformat": ".3~g"})
    line = {"color": values, "coloraxis": "coloraxis"}
    # More labels than six do not fit side by side at 1280 px.
    figure.add("parcoords", dimensions=dimensions, line=line, labelangle=-18 if len(dimensions) > 6 else 0)  # noqa: PLR2004
    return _styled(figure, 440, coloraxis=_colours(facts), margin={"l": 90, "r": 30, "t": 90, "b": 30})


def importance_bars(facts: StudyFacts, found: Mapping[str, float]) -> Figure:
    """Return a bar per parameter."""
    labels, figure = {parameter.path: parameter.label for parameter in facts.parameters}, Figure()
    shares, names = list(found.values()), [labels[path] for path in found]
    text = {"text": [f"{share:.0%}" for share in shares], "textposition": "outside", "cliponaxis": False}
    bars = {"orientation": "h", "marker": {"color": _COLOURS["completed"]}, "hoverinfo": "skip"}
    figure.add("bar", x=shares, y=names, **text, **bars)
    across = {"title": "share of the importance", "tickformat": ".0%", "rangemode": "tozero"}
    down = {"autorange": "reversed", "automargin": True}
    return _styled(figure, 120 + 26 * len(shares), xaxis=across, yaxis=down)


def slices(facts: StudyFacts) -> Figure:
    """Return a small plot per parameter: objective over its value, later trials darker."""
    rows, figure, layout = math.ceil(len(facts.parameters) / _COLUMNS), Figure(), dict[str, Any]()
    zoom = _zoom(facts, facts.competing[facts.metric])
    titles = []
    for index, parameter in enumerate(facts.parameters):
        key, first = ("", "") if index == 0 else (str(index + 1), str(index // _COLUMNS * _COLUMNS + 1))
        frame = facts.competing.dropna(subset=parameter.path)
        axes = {"xaxis": f"x{key}", "yaxis": f"y{key}", "showlegend": False}
        figure.points(
            frame, parameter.path, facts.metric, marker={"color": frame[TRIAL], "coloraxis": "coloraxis"}, **axes
        )
        figure.points(frame[frame[TRIAL] == facts.best], parameter.path, facts.metric, marker=_STAR, **axes)
        row, column = divmod(index, _COLUMNS)
        left, width, top, height = column / _COLUMNS, 0.82 / _COLUMNS, 1 - row / rows, 0.66 / rows
        across, up = [left, left + width], [top - height, top]
        layout[f"xaxis{key}"] = {"domain": across, "anchor": f"y{key}", **_axis(parameter)}
        is_first = column == 0 or not first
        named = {"title": facts.metric} if is_first else {"showticklabels": False}
        layout[f"yaxis{key}"] = {"domain": up, "anchor": f"x{key}", **named, **zoom}
        layout[f"yaxis{key}"] |= {} if index == 0 else {"matches": "y"}
        place = {
            "x": left + width / 2,
            "y": top,
            "xref": "paper",
            "yref": "paper",
            "xanchor": "center",
            "yanchor": "bottom",
        }
        titles.append({"text": parameter.title, "showarrow": False, "font": {"size": 14}, **place})
    scale = {"colorscale": _SCALE, "colorbar": {"title": {"text": "trial"}, "thickness": 14, "tickformat": "d"}}
    return _styled(figure, 230 * rows + 90, coloraxis=scale, annotations=titles, **layout)


def pair(facts: StudyFacts, first: SearchedParameter, second: SearchedParameter) -> Figure:
    """Return two parameters against each other, coloured by the objective; with contours from enough trials on."""
    frame, figure = facts.competing.dropna(subset=[first.path, second.path]), Figure()
    value = facts.clipped(frame[facts.metric])
    if len(frame) >= MIN_TRIALS and not first.options and not second.options:
        figure.add("contour", **_contours(facts, first, second))
    marker = {"size": 12, "color": value, "coloraxis": "coloraxis", "line": {"color": "#64748b", "width": 0.5}}
    # As text: a column of no value would keep its numbers' type.
    text = frame[TEXT] + "<br>" + frame[facts.metric].map("{:.4g}".format).astype(str)
    figure.points(frame, first.path, second.path, marker=marker, text=text, hovertemplate="%{text}<extra></extra>")
    axes = {"xaxis": {"title": first.title, **_axis(first)}, "yaxis": {"title": second.title, **_axis(second)}}
    return _styled(figure, 420, coloraxis=_colours(facts), **axes)


def _contours(facts: StudyFacts, first: SearchedParameter, second: SearchedParameter) -> dict[str, Any]:
    """Return a smooth surface through the trials on the scales of the axes, left out where no trial is near."""
    from scipy.interpolate import RBFInterpolator  # noqa: PLC0415 - only a report of enough trials needs it
    from scipy.spatial.distance import cdist  # noqa: PLC0415 - as above

    frame = facts.competing.dropna(subset=[first.path, second.path])
    values = facts.clipped(frame[facts.metric])
    known = np.column_stack([first.position(frame[first.path]), second.position(frame[second.path])])
    steps = np.linspace(0, 1, _STEPS)
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    # Neighbours differ in other parameters too, so the surface need not pass through every trial.
    # Of thousands a thousand: the time grows with their third power, the memory with their square.
    drawn = np.sort(np.random.default_rng(0).permutation(len(known))[:_MOST_FITTED])
    fit = RBFInterpolator(known[drawn], values.iloc[drawn], kernel="linear", degree=0, smoothing=_SMOOTHING)
    surface = fit(grid)
    # Beyond half the mean spacing of a regular grid of as many points nothing was measured nearby.
    surface[cdist(grid, known).min(axis=1) > 1.5 / math.sqrt(len(known))] = np.nan
    x, y = ((np.geomspace if p.log else np.linspace)(*p.ends, _STEPS) for p in (first, second))
    z = surface.clip(values.min(), values.max()).reshape(_STEPS, _STEPS)
    # plotly.js 3 does not end with a contour that shares the colour axis of the dots.
    colours = {"colorscale": _SCALE, "reversescale": not facts.is_maximized, "showscale": False}
    style = {"opacity": 0.45, "line": {"width": 0.5}, "ncontours": 12, "hoverinfo": "skip"}
    return {"x": x, "y": y, "z": z, "zmin": values.min(), "zmax": values.max(), **colours, **style}


def pareto_front(facts: StudyFacts, other: Objective) -> Figure:
    """Return the primary objective against another one: trials, the front, and trials that miss a constraint."""
    frame, figure = facts.frame.dropna(subset=[facts.metric, other.metric]).sort_values(other.metric), Figure()
    in_front = frame[TRIAL].isin([trial.number for trial in facts.result.pareto])
    trials = {trial.number: trial for trial in facts.result.trials}
    unmet = pd.Series([", ".join(facts.result.unmet(trials[number])) for number in frame[TRIAL]], index=frame.index)
    frame[TEXT] += unmet.map(lambda missed: f"<br>{missed}" if missed else "")
    # With more than two objectives the front is a surface: a line through two of them would claim an order.
    line = {"mode": "lines+markers", "line": {"dash": "dot"}} if len(facts.result.further) == 1 else {}
    kinds: tuple[tuple[str, Any, dict[str, Any], dict[str, Any]], ...] = (
        ("other trials", ~in_front & frame[COMPETES], {"color": _COLOURS["stopped"]}, {}),
        ("a constraint is not met", ~frame[COMPETES], {"color": _COLOURS["failed"], "symbol": "circle-open"}, {}),
        ("Pareto front", in_front, {"color": _BEST, "symbol": "star", "size": 13}, line),
    )
    for name, chosen, mark, further in kinds:
        if chosen.any():
            figure.points(frame[chosen], other.metric, facts.metric, name=name, marker={"size": 9, **mark}, **further)
    value_axis = {"title": title_of(facts.result.objective), **_zoom(facts, frame[facts.metric])}
    return _styled(figure, 420, xaxis={"title": title_of(other)}, yaxis=value_axis)


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


def timeline(attempts: pd.DataFrame, slots: list[int]) -> Figure:
    """Return a bar per attempt, a row per slot; gaps are idle time."""
    names, figure = [f"slot {slot}" for slot in range(max(slots) + 1)], Figure()
    frame = attempts.assign(slot=[names[slot] for slot in slots])
    for state in dict.fromkeys(frame["state"]):
        rows = frame[frame["state"] == state]
        lengths_ms = (rows["end"] - rows["start"]).dt.total_seconds() * 1000
        marker = {"color": _COLOURS[state], "line": {"color": "white", "width": 1}}
        text = {"text": rows["trial"].astype(str), "textangle": 0, "insidetextanchor": "middle"}
        bars = {"orientation": "h", "base": [start.isoformat() for start in rows["start"]], "x": lengths_ms}
        hover = {"hovertemplate": "trial %{text}<br>%{base} to %{x}<extra></extra>"}
        figure.add("bar", name=state, y=rows["slot"], **bars, **text, **hover, marker=marker)
    across = {"title": "time (UTC)", "type": "date"}
    down = {"categoryorder": "array", "categoryarray": names[::-1], "automargin": True}
    return _styled(figure, 140 + 34 * len(names), xaxis=across, yaxis=down, barmode="overlay", showlegend=True)


def importances(facts: StudyFacts) -> tuple[dict[str, float], float]:
    """Estimate how much each searched parameter mattered, as far as the trials can tell.

    A random forest is fitted to the trials, of thousands to 1,000 drawn at random. The importance of a parameter is how
    much the forest's error grows when its values are shuffled among the trials (permutation importance, Breiman 2001),
    as a share of the sum.

    Returns:
        Parameter path -> share in [0, 1], largest first, empty if nothing can be said; and the share of the objective's
        variance that the forest predicts for trials it has not seen (R squared of the out-of-bag predictions). Near or
        below 0 the shares mean nothing.
    """
    from sklearn.ensemble import RandomForestRegressor  # noqa: PLC0415 # 1 s, and only reports of many trials need it
    from sklearn.inspection import permutation_importance  # noqa: PLC0415 # as above

    frame = facts.competing
    if len(frame) > _MOST_FITTED:
        frame = frame.sample(_MOST_FITTED, random_state=0)
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


def _zoom(facts: StudyFacts, values: pd.Series, *shown: float | None) -> dict[str, Any]:
    """Return the part of an axis that leaves hopelessly bad values out of view, but for those that must be shown."""
    limit = facts.fence(values)
    if limit is None:
        return {}
    ends = pd.Series([limit, values.max() if facts.is_maximized else values.min(), *shown], dtype=float)
    margin = 0.08 * (ends.max() - ends.min())
    return {"range": [ends.min() - margin, ends.max() + margin]}


def _colours(facts: StudyFacts) -> dict[str, Any]:
    bar = {"title": {"text": facts.metric}, "thickness": 14}
    return {"colorscale": _SCALE, "reversescale": not facts.is_maximized, "colorbar": bar}


def _styled(figure: Figure, height: int, **layout: Any) -> Figure:  # noqa: ANN401 # attributes of a layout
    """Give a plot what all have in common; titles of axes are texts here."""
    figure.layout = {
        "height": height,
        "font": {"family": "system-ui, sans-serif", "size": 13},
        "margin": {"l": 70, "r": 30, "t": 50, "b": 50},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"},
        "hovermode": "closest",
        **layout,
    }
    for name, axis in figure.layout.items():
        if name.startswith(("xaxis", "yaxis")) and isinstance(axis.get("title"), str):
            figure.layout[name] = {**axis, "title": {"text": axis["title"]}}
    return figure
