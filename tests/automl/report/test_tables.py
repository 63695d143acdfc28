"""Tables compare honestly and escape everything."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from automl.report.study_facts import read_facts
from automl.report.tables import escape, failures, leaderboard, replicates, summary, table
from automl.storage.documents import write_document
from automl.study.trial import TrialState
from tests.automl.tracking.synthetic import RESULTS
from tests.automl.tracking.written_study import write_study

if TYPE_CHECKING:
    from pathlib import Path


def test_the_summary_compares_the_best_with_trial_0(tmp_path: Path) -> None:
    text = summary(read_facts(write_study(tmp_path / "demo").root))

    assert "better by 0.2 (+40.0%)" in text


def test_the_summary_compares_the_best_with_a_constant_prediction(tmp_path: Path) -> None:
    text = summary(read_facts(write_study(tmp_path / "demo", RESULTS[:1]).root))

    assert "the search found nothing better" in text
    assert "better by 0.2 (+66.7%)" in text


def test_the_summary_tells_what_baseline_and_champion_scored_by_themselves(tmp_path: Path) -> None:
    root = write_study(tmp_path / "demo").root
    common: dict[str, Any] = {
        "status": "measured",
        "reason": "",
        "data": "validation",
        "deltas": {},
        "is_reproduced": None,
    }
    better = {"baseline": {"reference": 0.3, "difference": 0.41, "is_better": True}}
    again = {"trial": {"reference": 0.7, "difference": 0.01, "is_better": True}}
    evaluations = {
        "baseline": {**common, "value": 0.3},
        "champion": {**common, "value": 0.71, "is_reproduced": False, "deltas": {**again, **better}},
        "champion_test": {**common, "value": None, "status": "failed", "reason": "no data"},
    }
    write_document(root / "evaluations.json", evaluations)

    text = summary(read_facts(root))

    assert "baseline: the starting checkpoint</td><td class='number'>0.3</td><td>better by 0.4 (+133.3%)</td>" in text
    assert "<td>not reproduced, better than the trial by 0.01, better than the baseline by 0.41</td>" in text
    assert "<td>failed: no data</td>" in text


def test_a_trial_0_without_a_value_is_not_compared(tmp_path: Path) -> None:
    failed = replace(RESULTS[3], number=0)

    text = summary(read_facts(write_study(tmp_path / "demo", (failed, RESULTS[4])).root))

    assert "not comparable: failed, out of GPU memory" in text


def test_the_leaderboard_lists_the_best_first_and_those_without_a_value_last(tmp_path: Path) -> None:
    text = leaderboard(read_facts(write_study(tmp_path / "demo").root))

    rows = [row.split("<td")[1].partition(">")[2].partition("<")[0] for row in text.split("<tr")[2:]]
    assert rows == ["4", "0", "1", "2", "3"]


def test_failures_with_other_numbers_are_one_cause(tmp_path: Path) -> None:
    again = replace(RESULTS[2], number=3, reason="train_loss is nan at epoch 7")

    text = failures(read_facts(write_study(tmp_path / "demo", (*RESULTS[:3], again)).root))

    assert text.count("<tr>") == 2
    assert "2, 3" in text


def test_no_failure_is_said(tmp_path: Path) -> None:
    assert "No trial failed" in failures(read_facts(write_study(tmp_path / "demo", RESULTS[:2]).root))


def test_cells_are_escaped() -> None:
    assert table(["a"], [["<b>"]]).count("&lt;b&gt;") == 1
    assert [escape(value) for value in (None, 0.123456, 7, True)] == ["-", "0.1235", "7", "True"]


def test_replicates_are_listed_best_mean_first_and_the_winner_is_marked_in_the_leaderboard(tmp_path: Path) -> None:
    lucky = replace(RESULTS[0], number=0, state=TrialState.COMPLETED, values={"val/d1": 0.9})
    steady = replace(lucky, number=1, values={"val/d1": 0.8})
    again = [
        replace(lucky, number=2, values={"val/d1": 0.5}, replicate_of=0, seed=8),
        replace(lucky, number=3, values={"val/d1": 0.7}, replicate_of=1, seed=8),
    ]
    facts = read_facts(write_study(tmp_path / "demo", (lucky, steady, *again)).root)

    rows = replicates(facts).split("<tr")[2:]
    board = leaderboard(facts).split("<tr")[2:]

    assert ["0.8" in rows[0], "0.7" in rows[0], "0.1" in rows[0]] == [True] * 3
    assert "0.4" in rows[1]
    assert ["best" in row for row in board] == [False, True, False, False]
    assert "completed, as 0 with seed 8" in board[2]
