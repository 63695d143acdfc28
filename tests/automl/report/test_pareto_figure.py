"""The Pareto front: what no other trial beats, apart from what is beaten and what breaks a constraint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from automl.report.page import render
from automl.report.pareto_figure import pareto_figure, pareto_table
from automl.report.study_facts import StudyFacts, read_facts
from automl.report.tables import leaderboard
from automl.study.trial import TrialResult, TrialState
from tests.automl.tracking.written_study import write_study

if TYPE_CHECKING:
    from pathlib import Path

VALUES = ((0.5, 10.0), (0.7, 30.0), (0.6, 35.0), (0.8, 90.0))


def trials() -> tuple[TrialResult, ...]:
    return tuple(
        TrialResult(
            number=number,
            state=TrialState.COMPLETED,
            assignment={"train.optim.lr": 0.001 * (1 + number), "model.sizes[1]": 16},
            directory=f"trials/{number:04d}",
            values={"val/d1": d1, "latency_ms": latency},
            curve=((0, d1),),
            best_epoch=0,
        )
        for number, (d1, latency) in enumerate(VALUES)
    )


@pytest.fixture
def facts(tmp_path: Path) -> StudyFacts:
    goals: dict[str, Any] = {
        "objectives": [
            {"metric": "val/d1", "direction": "maximize"},
            {"metric": "latency_ms", "direction": "minimize"},
        ],
        "constraints": ["latency_ms <= 80"],
    }
    return read_facts(write_study(tmp_path / "demo", trials(), **goals).root)


def test_front_beaten_and_broken_trials_are_apart(facts: StudyFacts) -> None:
    traces = {trace["name"]: trace for trace in pareto_figure(facts, facts.result.further[0])["data"]}

    assert traces["Pareto front"]["x"] == [10.0, 30.0]
    assert traces["Pareto front"]["y"] == [0.5, 0.7]
    assert traces["trials"]["x"] == [35.0]
    assert traces["a constraint is not met"]["x"] == [90.0]
    assert "latency_ms" in traces["a constraint is not met"]["text"][0]


def test_the_axes_say_which_way_is_better(facts: StudyFacts) -> None:
    layout = pareto_figure(facts, facts.result.further[0])["layout"]

    assert layout["xaxis"]["title"]["text"] == "latency_ms (less is better)"
    assert layout["yaxis"]["title"]["text"] == "val/d1 (more is better)"


def test_the_table_lists_the_front_by_the_leading_objective(facts: StudyFacts) -> None:
    text = pareto_table(facts)

    assert text.index(">0.7<") < text.index(">0.5<")
    assert ">90<" not in text


def test_the_leaderboard_has_a_column_for_every_objective(facts: StudyFacts) -> None:
    assert "<th>val/d1</th><th>latency_ms</th>" in leaderboard(facts)


def test_the_page_has_the_front_only_with_several_objectives(facts: StudyFacts, tmp_path: Path) -> None:
    assert "Pareto front" in render(facts)
    assert "Pareto front" not in render(read_facts(write_study(tmp_path / "one").root))
