"""Contours are drawn between trials, never beyond them, and not from a handful."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from automl.report.contour import FEWEST_TRIALS, contour_trace
from automl.report.study_facts import StudyFacts, read_facts
from automl.study.trial import TrialResult, TrialState
from tests.automl.tracking.written_study import write_study

if TYPE_CHECKING:
    from pathlib import Path


def facts_of(root: Path, count: int, corner: float = 1.0) -> StudyFacts:
    """Return a study whose value is the sum of both parameters' positions in the lower part of their ranges."""
    points = [((i * 0.618) % 1 * corner, (i * 0.414) % 1 * corner) for i in range(count)]
    trials = tuple(
        TrialResult(
            number=number,
            state=TrialState.COMPLETED,
            assignment={"train.optim.lr": 10 ** (-6 + 6 * x), "model.sizes[1]": round(8 + 56 * y)},
            directory=f"trials/{number:04d}",
            values={"val/d1": x + y},
        )
        for number, (x, y) in enumerate(points)
    )
    return read_facts(write_study(root, trials).root)


def contours(facts: StudyFacts) -> dict[str, Any] | None:
    first, second = facts.parameters
    return contour_trace(facts, first, second, [[0, "#fff"], [1, "#000"]])


def test_the_surface_follows_the_trials_on_their_own_scales(tmp_path: Path) -> None:
    trace = contours(facts_of(tmp_path / "demo", 40))

    assert trace is not None
    assert (trace["x"][0], trace["x"][-1]) == (1e-6, 1.0) or math.isclose(trace["x"][-1], 1.0)
    middle = trace["z"][16][16]
    assert math.isclose(middle, 1.0, abs_tol=0.15)
    assert trace["z"][2][2] < middle < trace["z"][29][29]


def test_where_no_trial_is_near_nothing_is_drawn(tmp_path: Path) -> None:
    trace = contours(facts_of(tmp_path / "demo", 40, corner=0.4))

    assert trace is not None
    assert math.isnan(trace["z"][31][31])
    assert not math.isnan(trace["z"][4][4])


def test_a_handful_of_trials_has_no_contours(tmp_path: Path) -> None:
    assert contours(facts_of(tmp_path / "demo", FEWEST_TRIALS - 1)) is None
