"""Axes show the whole range with readable marks."""

from __future__ import annotations

import pytest

from automl.report.axes import coordinate, log_ticks, parameter_axis, plain_axis, tick_name
from automl.report.study_facts import SearchedParameter

RATE = SearchedParameter(path="lr", label="lr", low=1e-5, high=1e-1, is_log=True, choices=())
SIZE = SearchedParameter(path="n", label="n", low=1, high=10, is_log=False, choices=(), is_integer=True)
KIND = SearchedParameter(
    path="k", label="k", low=None, high=None, is_log=False, choices=("StepLR", "CosineAnnealingLR")
)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (1e-5, 1e-1, [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]),
        (1, 16, [1, 2, 5, 10]),
        (3, 4, [3, 4]),
    ],
)
def test_a_logarithmic_range_has_round_tick_marks(low: float, high: float, ticks: list[float]) -> None:
    assert log_ticks(low, high) == pytest.approx(ticks)


def test_a_parameters_axis_covers_its_range_and_a_little_more() -> None:
    axis = parameter_axis(RATE, "lr")

    assert axis["type"] == "log"
    assert axis["range"] == pytest.approx([-5.2, -0.8])


def test_choices_stand_side_by_side_under_shortened_names() -> None:
    axis = parameter_axis(KIND, "")

    assert axis["ticktext"] == ["StepLR", "CosineAnneali…"]
    assert axis["range"] == [-0.5, 1.5]


def test_an_inactive_parameter_lies_below_its_range_and_is_named() -> None:
    axis = coordinate(SIZE, [1, None, 10])

    assert axis["values"][1] < 1
    assert axis["ticktext"][0] == "inactive"
    assert axis["range"][0] == axis["values"][1]


def test_whole_numbers_have_whole_tick_marks() -> None:
    assert coordinate(SIZE, [1, 10])["tickvals"] == [1, 3, 6, 8, 10]


def test_a_value_of_trial_0_outside_the_range_is_still_on_the_axis() -> None:
    assert coordinate(RATE, [1.0, 1e-3])["range"] == pytest.approx([-5, 0])


def test_axes_and_numbers_have_short_names() -> None:
    assert plain_axis("epoch")["title"]["text"] == "epoch"
    assert [tick_name(value) for value in (1e-5, 0.01, 16.0)] == ["1e-05", "0.01", "16"]
