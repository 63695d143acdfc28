"""Axes of a report's plots: names, ranges and tick marks that a person can read, for every kind of parameter."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl.report.study_facts import SearchedParameter

GRID = "#e2e8f0"
_MAX_CHOICE_LENGTH = 14
_FEW_DECADES = 2.0
_PADDING = 0.05
_SLANTED = {"tickangle": 22, "tickfont": {"size": 11}}


def plain_axis(title: str) -> dict[str, Any]:
    """Return an axis of numbers."""
    return {
        "title": {"text": title, "standoff": 8},
        "gridcolor": GRID,
        "linecolor": "#718096",
        "zeroline": False,
        "automargin": True,
    }


def parameter_axis(parameter: SearchedParameter, title: str) -> dict[str, Any]:
    """Return the axis of a parameter over its whole range, so that values at an end show as such.

    Values of choices are drawn at their index; see `SearchedParameter.number`.
    """
    axis = plain_axis(title)
    if parameter.choices:
        names = [_shortened(str(choice)) for choice in parameter.choices]
        count = len(names)
        return axis | {"tickvals": list(range(count)), "ticktext": names, "range": [-0.5, count - 0.5]} | _SLANTED
    low, high = parameter.low, parameter.high
    if low is None or high is None:
        return axis
    if parameter.is_log and low > 0:
        start, end = math.log10(low), math.log10(high)
        padding = _PADDING * (end - start or 1)
        ticks = log_ticks(low, high)
        names = [tick_name(tick) for tick in ticks]
        return axis | {
            "type": "log",
            "range": [start - padding, end + padding],
            "tickvals": ticks,
            "ticktext": names,
        }
    padding = _PADDING * (high - low or 1)
    return axis | {"range": [low - padding, high + padding], "nticks": 6}


def coordinate(parameter: SearchedParameter, values: list[object]) -> dict[str, Any]:
    """Return the axis of a parameter among parallel ones, with its values; inactive ones lie below the range."""
    numbers = [parameter.number(value) for value in values]
    is_log = parameter.is_log and not parameter.choices
    shown = [math.log10(n) if n is not None and is_log else n for n in numbers]
    low, high = _ends(parameter, [n for n in shown if n is not None], is_log=is_log)
    ticks = _coordinate_ticks(parameter, low, high, is_log=is_log)
    if None in shown:
        below = low - 0.12 * (high - low or 1)
        shown = [below if n is None else n for n in shown]
        ticks = {below: "inactive", **ticks}
        low = below
    return {
        "label": parameter.label,
        "values": shown,
        "range": [low, high if high > low else low + 1],
        "tickvals": list(ticks),
        "ticktext": list(ticks.values()),
    }


def log_ticks(low: float, high: float) -> list[float]:
    """Return tick marks for a logarithmic range: powers of ten, or 1, 2 and 5 times them where there are few."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if math.log10(high / low) < _FEW_DECADES else (1,)
    ticks = [factor * 10.0**decade for decade in decades for factor in factors]
    return [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)] or [low, high]


def tick_name(value: float) -> str:
    """Return a short name for a number: ``0.01``, ``1e-05``, ``16``."""
    return f"{value:.3g}"


def _ends(parameter: SearchedParameter, shown: list[float], *, is_log: bool) -> tuple[float, float]:
    if parameter.choices:
        return 0.0, float(len(parameter.choices) - 1)
    low, high = parameter.low or 0.0, parameter.high or 0.0
    if is_log:
        low, high = math.log10(low), math.log10(high)
    # Trial 0 may lie outside the range.
    return min([low, *shown]), max([high, *shown])


def _coordinate_ticks(parameter: SearchedParameter, low: float, high: float, *, is_log: bool) -> dict[float, str]:
    if parameter.choices:
        return {float(i): _shortened(str(choice)) for i, choice in enumerate(parameter.choices)}
    if is_log:
        return {math.log10(tick): tick_name(tick) for tick in log_ticks(10**low, 10**high)}
    ticks = [low + step * (high - low) / 4 for step in range(5)]
    if parameter.is_integer:
        ticks = [float(round(tick)) for tick in ticks]
    return {tick: tick_name(tick) for tick in ticks}


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_CHOICE_LENGTH else f"{text[: _MAX_CHOICE_LENGTH - 1]}…"
