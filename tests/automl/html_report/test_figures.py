"""Figures show trials as they were, and none without a value as if it had one."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import plotly.graph_objects as go
import pytest

from automl.html_report import figures as made
from automl.html_report.study_facts import StudyFacts, read_facts
from automl.study.trial import TrialResult, TrialState
from tests.automl.tracking.synthetic import RESULTS
from tests.automl.tracking.written_study import write_study

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 1, 1, tzinfo=UTC)
SPACE = [
    {"path": "lr", "type": "float", "low": 1e-5, "high": 1e-1, "log": True, "choices": None},
    {"path": "batch", "type": "int", "low": 1, "high": 16, "log": True, "choices": None},
    {"path": "width", "type": "int", "low": 1, "high": 10, "log": False, "choices": None},
    {
        "path": "rule",
        "type": "categorical",
        "low": None,
        "high": None,
        "log": False,
        "choices": ["StepLR", "CosineAnnealingLR"],
    },
]


class Plots:
    """The functions of the module, with each plot as an object of plotly: it refuses what the library does not know."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - plotly has no types
        found = getattr(made, name)

        def drawn(*arguments: Any) -> Any:  # noqa: ANN401 - as above
            result = found(*arguments)
            return go.Figure(result.document()) if isinstance(result, made.Figure) else result

        return drawn if callable(found) else found


figures = Plots()


@pytest.fixture
def facts(tmp_path: Path) -> StudyFacts:
    return read_facts(write_study(tmp_path / "demo").root)


def trace(figure: go.Figure, name: str) -> Any:  # noqa: ANN401 # plotly has no types
    return next(found for found in figure.data if found.name == name)


def completed(number: int, value: float, **assignment: Any) -> TrialResult:  # noqa: ANN401 # values of any parameter
    return TrialResult(
        number=number,
        state=TrialState.COMPLETED,
        assignment={"train.optim.lr": 1e-3, **assignment},
        directory=f"trials/{number:04d}",
        values={"val/d1": value},
        best_epoch=0,
    )


def searched(root: Path, *assignments: dict[str, Any]) -> StudyFacts:
    trials = tuple(completed(number, number / 10, **assignment) for number, assignment in enumerate(assignments))
    return read_facts(write_study(root, trials, space={"parameters": SPACE}).root)


def test_the_history_shows_the_best_so_far_and_marks_trials_without_a_value_apart(facts: StudyFacts) -> None:
    figure = figures.objective_history(facts)

    assert list(trace(figure, "best so far").y) == [0.5, 0.5, 0.7]
    assert list(trace(figure, "stopped").y) == [0.2]
    diverged = trace(figure, "diverged (no value)")
    assert (list(diverged.x), diverged.yaxis) == ([2], "y2")
    assert figure.layout.yaxis2.domain[1] < figure.layout.yaxis.domain[0]


def test_the_best_trial_is_a_star(facts: StudyFacts) -> None:
    star = trace(figures.objective_history(facts), "best")

    assert (star.marker.symbol, list(star.x), list(star.y)) == ("star", [4], [0.7])


def test_a_hopeless_value_does_not_squeeze_the_axis(tmp_path: Path) -> None:
    values = [0.80, 0.82, 0.84, 0.86, 0.88, 0.90, -12.0]
    trials = tuple(completed(number, value) for number, value in enumerate(values))
    facts = read_facts(write_study(tmp_path / "demo", trials, space={"parameters": []}).root)

    low, high = figures.objective_history(facts).layout.yaxis.range

    assert 0 < low < 0.8
    assert 0.9 < high < 1


def test_a_learning_curve_ends_with_the_mark_of_its_state(facts: StudyFacts) -> None:
    figure = figures.learning_curves(facts)

    marks = {found.name: found.marker.symbol for found in figure.data if found.mode == "markers"}
    assert marks == {"stopped": "square", "diverged": "x"}
    assert list(trace(figure, "best").x) == [0, 1, 2]
    assert "nan at epoch 1" in trace(figure, "diverged").text[0]


def test_the_curve_of_the_best_trial_is_shown_however_many_trials_follow(tmp_path: Path) -> None:
    best = replace(RESULTS[4], number=0, attempt=1)
    later = tuple(replace(RESULTS[0], number=number) for number in range(1, 80))

    figure = figures.learning_curves(read_facts(write_study(tmp_path / "demo", (best, *later)).root))

    assert list(trace(figure, "best").y) == [0.6, 0.7, 0.65]


def test_parallel_coordinates_have_an_axis_for_each_parameter_and_the_objective(facts: StudyFacts) -> None:
    (found,) = figures.parallel_coordinates(facts).data

    assert [dimension.label for dimension in found.dimensions] == ["lr", "sizes[1]", "val/d1"]
    assert list(found.line.color) == [0.5, 0.2, 0.7]


def test_parallel_axes_have_marks_that_a_person_can_read(tmp_path: Path) -> None:
    whole = {"lr": 1e-3, "batch": 4, "width": 5, "rule": "StepLR"}

    (found,) = figures.parallel_coordinates(searched(tmp_path / "demo", whole)).data

    assert [dimension.ticktext for dimension in found.dimensions[:4]] == [
        ("1e-05", "0.0001", "0.001", "0.01", "0.1"),
        ("1", "2", "5", "10"),
        ("1", "3", "6", "8", "10"),
        ("StepLR", "CosineAnneali…"),
    ]


def test_an_inactive_parameter_lies_below_its_range_and_is_named(tmp_path: Path) -> None:
    (found,) = figures.parallel_coordinates(searched(tmp_path / "demo", {"width": 1}, {}, {"width": 10})).data

    width = found.dimensions[2]
    assert width["values"][1] == width.range[0] < 1
    assert width.ticktext[0] == "inactive"


def test_a_value_of_trial_0_outside_the_range_is_still_on_the_axis(tmp_path: Path) -> None:
    (found,) = figures.parallel_coordinates(searched(tmp_path / "demo", {"lr": 1.0}, {"lr": 1e-3})).data

    assert found.dimensions[0].range == pytest.approx([-5, 0])


def test_a_0_in_trial_0_lies_a_decade_below_a_logarithmic_range(tmp_path: Path) -> None:
    (found,) = figures.parallel_coordinates(searched(tmp_path / "demo", {"lr": 0.0}, {"lr": 1e-3})).data

    assert found.dimensions[0].range[0] == pytest.approx(-6)
    assert list(found.dimensions[0].values) == pytest.approx([-6, -3])


def test_a_slice_shows_only_trials_in_which_the_parameter_was_active(tmp_path: Path) -> None:
    points, star = figures.slices(searched(tmp_path / "demo", {"lr": 1e-3}, {}, {"lr": 1e-2})).data[:2]

    assert list(points.x) == [1e-3, 1e-2]
    assert (list(star.x), star.marker.symbol) == ([1e-2], "star")


def test_the_axis_of_a_slice_covers_the_range_and_a_little_more(tmp_path: Path) -> None:
    layout = figures.slices(searched(tmp_path / "demo", {"lr": 1e-3, "rule": "StepLR"})).layout

    assert layout.xaxis.type == "log"
    assert layout.xaxis.range == pytest.approx([-5.2, -0.8])
    assert list(layout.xaxis4.categoryarray) == ["StepLR", "CosineAnnealingLR"]


def test_two_parameters_are_shown_against_each_other_in_the_colour_of_the_objective(facts: StudyFacts) -> None:
    (found,) = figures.pair(facts, *facts.parameters).data

    assert list(zip(found.x, found.y, found.marker.color, strict=True))[-1] == (5e-3, 32, 0.7)


def test_two_parameters_that_no_trial_has_both_are_an_empty_plot(tmp_path: Path) -> None:
    trials = (completed(0, 0.5, batch=4), completed(1, 0.6, batch=8))
    facts = read_facts(write_study(tmp_path / "demo", trials).root)

    (found,) = figures.pair(facts, *facts.parameters).data

    assert list(found.x) == []


def surface_of(root: Path, count: int, corner: float = 1.0) -> Any:  # noqa: ANN401 # plotly has no types
    """Return the contours of a value that grows with the positions of two parameters in their ranges."""
    points = [((i * 0.618) % 1 * corner, (i * 0.414) % 1 * corner) for i in range(count)]
    trials = tuple(
        completed(number, x + y, **{"train.optim.lr": 10 ** (-6 + 6 * x), "model.sizes[1]": round(8 + 56 * y)})
        for number, (x, y) in enumerate(points)
    )
    facts = read_facts(write_study(root, trials).root)
    return figures.pair(facts, *facts.parameters).data[0]


def test_the_surface_follows_the_trials_on_their_own_scales(tmp_path: Path) -> None:
    found = surface_of(tmp_path / "demo", 40)

    assert (found.x[0], found.x[-1]) == pytest.approx((1e-6, 1.0))
    middle = found.z[16][16]
    assert math.isclose(middle, 1.0, abs_tol=0.15)
    assert found.z[2][2] < middle < found.z[29][29]


def test_where_no_trial_is_near_no_surface_is_drawn(tmp_path: Path) -> None:
    found = surface_of(tmp_path / "demo", 40, corner=0.4)

    assert found.z[31][31] is None
    assert found.z[4][4] is not None


def test_a_handful_of_trials_has_no_contours(tmp_path: Path) -> None:
    assert surface_of(tmp_path / "demo", figures.MIN_TRIALS - 1).type == "scatter"


def test_trials_on_a_line_have_contours(tmp_path: Path) -> None:
    trials = tuple(completed(n, n, **{"train.optim.lr": 1e-3, "model.sizes[1]": 8 + n}) for n in range(10))
    facts = read_facts(write_study(tmp_path / "demo", trials).root)

    assert figures.pair(facts, *facts.parameters).data[0].type == "contour"


def noisy(root: Path, count: int) -> StudyFacts:
    generator = random.Random(1)  # noqa: S311 # a seeded study, no secret
    trials = []
    for number in range(count):
        size = generator.randint(8, 64)
        assignment = {"train.optim.lr": generator.random(), "model.sizes[1]": size}
        trials.append(completed(number, size / 64 + generator.gauss(0, 0.01), **assignment))
    return read_facts(write_study(root, tuple(trials)).root)


def test_the_parameter_that_decides_has_the_largest_importance(tmp_path: Path) -> None:
    shares, fit = figures.importances(noisy(tmp_path / "demo", 20))

    assert next(iter(shares)) == "model.sizes[1]"
    assert shares["model.sizes[1]"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)
    assert fit > 0.5


def test_few_trials_give_no_importances(tmp_path: Path) -> None:
    assert figures.importances(noisy(tmp_path / "demo", 7))[0] == {}


def test_equal_values_give_no_importances(tmp_path: Path) -> None:
    trials = tuple(replace(RESULTS[0], number=number) for number in range(9))

    assert figures.importances(read_facts(write_study(tmp_path / "demo", trials).root))[0] == {}


def test_importances_are_drawn_largest_on_top(facts: StudyFacts) -> None:
    figure = figures.importance_bars(facts, {"train.optim.lr": 0.8, "model.sizes[1]": 0.2})

    assert list(figure.data[0].y) == ["lr", "sizes[1]"]
    assert list(figure.data[0].text) == ["80%", "20%"]
    assert figure.layout.yaxis.autorange == "reversed"


@pytest.fixture
def two_objectives(tmp_path: Path) -> StudyFacts:
    objectives = [{"metric": "val/d1", "direction": "maximize"}, {"metric": "latency_ms", "direction": "minimize"}]
    trials = tuple(
        replace(completed(number, d1), values={"val/d1": d1, "latency_ms": latency})
        for number, (d1, latency) in enumerate(((0.5, 10.0), (0.7, 30.0), (0.6, 35.0), (0.8, 90.0)))
    )
    limits = {"objectives": objectives, "constraints": ["latency_ms <= 80"]}
    return read_facts(write_study(tmp_path / "demo", trials, **limits).root)


def test_front_beaten_and_infeasible_trials_are_apart(two_objectives: StudyFacts) -> None:
    figure = figures.pareto_front(two_objectives, two_objectives.result.further[0])

    front = trace(figure, "Pareto front")
    assert (list(front.x), list(front.y)) == ([10.0, 30.0], [0.5, 0.7])
    assert list(trace(figure, "other trials").x) == [35.0]
    missed = trace(figure, "a constraint is not met")
    assert list(missed.x) == [90.0]
    assert "latency_ms" in missed.text[0]


def test_the_axes_of_the_front_say_which_way_is_better(two_objectives: StudyFacts) -> None:
    layout = figures.pareto_front(two_objectives, two_objectives.result.further[0]).layout

    assert layout.xaxis.title.text == "latency_ms (less is better)"
    assert layout.yaxis.title.text == "val/d1 (more is better)"


def attempts(*rows: tuple[int, float, float]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "trial": trial,
                "state": "completed",
                "start": START + timedelta(seconds=start_s),
                "end": START + timedelta(seconds=end_s),
            }
            for trial, start_s, end_s in rows
        ]
    )


def test_an_attempt_goes_into_a_slot_that_is_free() -> None:
    assert figures.slots_of(attempts((0, 0, 10), (1, 0, 4), (2, 5, 10)), 2) == [0, 1, 1]


def test_attempts_that_overlap_more_than_planned_get_a_further_slot() -> None:
    assert figures.slots_of(attempts((0, 0, 10), (1, 1, 10)), 1) == [0, 1]


def test_the_timeline_has_a_bar_for_each_attempt(facts: StudyFacts) -> None:
    figure = figures.timeline(facts.attempts, figures.slots_of(facts.attempts, 2))

    assert sum(len(bars.x) for bars in figure.data) == 6
