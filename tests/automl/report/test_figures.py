"""Figures show trials as they were, and none without a value as if it had one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.report.figures import (
    BEST,
    importance_bars,
    learning_curves,
    objective_history,
    pair,
    parallel_coordinates,
    slices,
)
from automl.report.importance import Importances
from automl.report.study_facts import StudyFacts, read_facts
from tests.automl.tracking.written_study import write_study

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def facts(tmp_path: Path) -> StudyFacts:
    return read_facts(write_study(tmp_path / "demo").root)


def test_the_history_shows_the_best_so_far_and_marks_trials_without_a_value_apart(facts: StudyFacts) -> None:
    traces = {trace["name"]: trace for trace in objective_history(facts)["data"]}

    assert traces["best so far"]["y"] == [0.5, 0.5, 0.7]
    assert traces["diverged (no value)"]["x"] == [2]
    assert traces["diverged (no value)"]["yaxis"] == "y2"
    assert traces["stopped"]["y"] == [0.2]


def test_the_best_trial_is_a_star(facts: StudyFacts) -> None:
    completed = objective_history(facts)["data"][0]

    assert completed["marker"]["symbol"] == ["circle", "star"]
    assert completed["marker"]["color"][1] == BEST


def test_a_learning_curve_ends_with_the_mark_of_its_state(facts: StudyFacts) -> None:
    curves = {trace["name"]: trace for trace in learning_curves(facts)["data"] if "text" in trace}

    assert curves["trial 1"]["marker"]["symbol"][-1] == "square"
    assert curves["trial 2"]["marker"]["symbol"][-1] == "x"
    assert curves["trial 4 (best)"]["x"] == [0, 1, 2]
    assert "nan at epoch 1" in curves["trial 2"]["text"][0]


def test_parallel_coordinates_have_an_axis_for_each_parameter_and_the_objective(facts: StudyFacts) -> None:
    (trace,) = parallel_coordinates(facts)["data"]

    assert [dimension["label"] for dimension in trace["dimensions"]] == ["lr", "sizes[1]", "val/d1"]
    assert trace["line"]["color"] == [0.5, 0.2, 0.7]


def test_a_slice_shows_only_trials_in_which_the_parameter_was_active(facts: StudyFacts) -> None:
    points, star = slices(facts)["data"][:2]

    assert points["x"] == [1e-3, 1e-5, 5e-3]
    assert star["x"] == [5e-3]


def test_two_parameters_are_shown_against_each_other_in_the_colour_of_the_objective(facts: StudyFacts) -> None:
    (trace,) = pair(facts, *facts.parameters)["data"]

    assert list(zip(trace["x"], trace["y"], trace["marker"]["color"], strict=True))[-1] == (5e-3, 32, 0.7)


def test_importances_are_drawn_largest_on_top(facts: StudyFacts) -> None:
    found = Importances(shares=(("train.optim.lr", 0.8), ("model.sizes[1]", 0.2)), trials=9)

    (trace,) = importance_bars(facts, found)["data"]

    assert trace["y"] == ["sizes[1]", "lr"]
    assert trace["text"] == ["20%", "80%"]
