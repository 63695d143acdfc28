"""Hopeless values do not decide the scale of a plot; good ones always show."""

from __future__ import annotations

from automl.report.focus import clipped, outside, window
from automl.study.model import Direction

GOOD = [0.80, 0.82, 0.84, 0.86, 0.88, 0.90]


def test_a_hopeless_value_is_outside_the_window() -> None:
    values = [*GOOD, -12.0]

    shown = window(values, Direction.MAXIMIZE)

    assert shown[0] > 0
    assert shown[1] == 0.90
    assert outside(values, shown) == 1
    assert clipped(values, shown)[-1] == shown[0]


def test_a_surprisingly_good_value_is_never_cut_off() -> None:
    assert window([*GOOD, 12.0], Direction.MAXIMIZE)[1] == 12.0
    assert window([*GOOD, -12.0], Direction.MINIMIZE)[0] == -12.0


def test_ordinary_and_few_values_are_all_shown() -> None:
    assert window(GOOD, Direction.MINIMIZE) == (0.80, 0.90)
    assert window([1.0, 100.0], Direction.MINIMIZE) == (1.0, 100.0)
    assert window([0.5] * 6, Direction.MAXIMIZE) == (0.5, 0.5)
