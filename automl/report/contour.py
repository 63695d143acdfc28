"""The objective between the trials: a smooth surface over two parameters, drawn as contours under the trials."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from automl.report.focus import clipped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl.report.study_facts import SearchedParameter, StudyFacts

FEWEST_TRIALS = 8
"""With fewer trials a surface would show what nobody measured."""

_STEPS = 32
_SMOOTHING = 0.05
"""Of the radial basis functions: values of neighbours with other settings elsewhere differ, and need not be met."""


def contour_trace(
    facts: StudyFacts, first: SearchedParameter, second: SearchedParameter, scale: list[list[Any]]
) -> dict[str, Any] | None:
    """Return the contours of the objective over two parameters; None with too few trials, or where one is a choice.

    The surface is a thin-plate spline through the trials in the units of the axes (logarithms of logarithmic ranges),
    cut to the values that were measured, and left out where no trial is near.
    """
    if first.choices or second.choices:
        return None
    trials = [t for t in facts.competing if first.path in t.assignment and second.path in t.assignment]
    points = [(_unit(first, t.assignment[first.path]), _unit(second, t.assignment[second.path])) for t in trials]
    if len(set(points)) < FEWEST_TRIALS:
        return None
    values = clipped([t.values[facts.metric] for t in trials], facts.window)
    surface = _surface(points, values)
    if surface is None:
        return None
    return {
        "type": "contour",
        "x": [_value(first, step / (_STEPS - 1)) for step in range(_STEPS)],
        "y": [_value(second, step / (_STEPS - 1)) for step in range(_STEPS)],
        "z": surface,
        "colorscale": scale,
        "reversescale": facts.result.objective.direction.value == "minimize",
        "showscale": False,
        "opacity": 0.45,
        "line": {"width": 0.5},
        "ncontours": 12,
        "hoverinfo": "skip",
        "connectgaps": False,
    }


def _surface(points: Sequence[tuple[float, float]], values: Sequence[float]) -> list[list[float]] | None:
    """Return rows of values over the unit square; None where the points lie on a line."""
    import numpy as np  # noqa: PLC0415 - only a report with enough trials needs it
    from scipy.interpolate import RBFInterpolator  # noqa: PLC0415 - with it

    steps = np.linspace(0.0, 1.0, _STEPS)
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    known = np.asarray(points)
    try:
        fitted = RBFInterpolator(known, np.asarray(values), kernel="thin_plate_spline", smoothing=_SMOOTHING)
    except np.linalg.LinAlgError:
        return None
    shown = np.clip(fitted(grid), min(values), max(values))
    # Beyond half the mean spacing of a regular grid of as many points nothing was measured nearby.
    reach = 1.5 / math.sqrt(len(known))
    nearest = np.linalg.norm(grid[:, None] - known[None], axis=-1).min(axis=1)
    shown[nearest > reach] = np.nan
    rows: list[list[float]] = shown.reshape(_STEPS, _STEPS).tolist()
    return rows


def _unit(parameter: SearchedParameter, value: object) -> float:
    low, high, number = _scaled(parameter, value)
    return (number - low) / (high - low or 1.0)


def _value(parameter: SearchedParameter, position: float) -> float:
    low, high, _ = _scaled(parameter, parameter.low)
    number = low + position * (high - low)
    return math.exp(number) if parameter.is_log else number


def _scaled(parameter: SearchedParameter, value: object) -> tuple[float, float, float]:
    low, high, number = parameter.low or 0.0, parameter.high or 0.0, parameter.number(value) or 0.0
    if not parameter.is_log:
        return low, high, number
    return math.log(low), math.log(high), math.log(number)
