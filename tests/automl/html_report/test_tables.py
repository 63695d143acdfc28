"""Tables compare honestly."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from automl.html_report.study_facts import read_facts
from automl.html_report.tables import failures, leaderboard, pareto_front, replicates, summary
from automl.storage.documents import write_document
from automl.study.trial import TrialState
from tests.automl.tracking.synthetic import RESULTS
from tests.automl.tracking.written_study import write_study

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from automl.study.trial import TrialResult


def summary_rows(root: Path, *results: TrialResult) -> Sequence[Sequence[object]]:
    return summary(read_facts(write_study(root, results or RESULTS).root)).rows


def test_the_summary_compares_the_best_with_trial_0(tmp_path: Path) -> None:
    rows = summary_rows(tmp_path / "demo")

    assert rows[0] == ("best: trial 4, epoch 2 of 3", 0.7, "")
    assert rows[1] == ("trial 0: the template's own values", 0.5, "better by 0.2 (+40.0%)")


def test_the_summary_compares_the_best_with_a_constant_prediction(tmp_path: Path) -> None:
    rows = summary_rows(tmp_path / "demo", RESULTS[0])

    assert rows[1][2] == "the same trial: the search found nothing better"
    assert rows[2] == ("a constant prediction", 0.3, "better by 0.2 (+66.7%)")


def test_the_summary_shows_what_baseline_and_best_checkpoint_scored_on_their_own(tmp_path: Path) -> None:
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

    found = summary(read_facts(root))

    assert found.rows[2:] == [
        ("baseline: the starting checkpoint", 0.3, "better by 0.4 (+133.3%)"),
        (
            "best checkpoint, evaluated again",
            0.71,
            "not reproduced, better than the trial by 0.01, better than the baseline by 0.41",
        ),
        ("best checkpoint on the test data", None, "failed: no data"),
    ]


def test_a_trial_0_without_a_value_is_not_compared(tmp_path: Path) -> None:
    rows = summary_rows(tmp_path / "demo", replace(RESULTS[3], number=0), RESULTS[4])

    assert rows[1] == ("trial 0: the template's own values", None, "not comparable: failed, out of GPU memory")


def test_of_a_program_trial_0_has_its_own_defaults_and_nothing_is_said_of_a_skill(tmp_path: Path) -> None:
    root = write_study(tmp_path / "demo").root
    document = json.loads((root / "plan.json").read_text(encoding="utf-8"))
    document["skill"]["network_arch"] = "program"
    document |= {"reasons": [], "first_origin_data": [{"kind": "defaults"}]}
    write_document(root / "plan.json", document)
    unavailable: dict[str, Any] = {
        "status": "unavailable",
        "value": None,
        "reason": "no action",
        "data": "validation",
        "deltas": {},
    }
    write_document(root / "evaluations.json", {"baseline": {**unavailable, "is_reproduced": None}})

    found = summary(read_facts(root))

    assert [row[0] for row in found.rows[1:]] == ["trial 0: the program's own defaults"]
    assert "program" in found.facts
    assert "skill" not in found.facts


def test_a_study_without_a_value_has_no_summary(tmp_path: Path) -> None:
    found = summary(read_facts(write_study(tmp_path / "demo", RESULTS[2:4]).root))

    assert (found.note, found.head, found.rows) == ("No trial has a usable value.", (), ())


def test_the_leaderboard_lists_the_best_first_and_those_without_a_value_last(tmp_path: Path) -> None:
    board = leaderboard(read_facts(write_study(tmp_path / "demo").root))

    assert [row[0] for row in board.rows] == [4, 0, 1, 2, 3]
    assert [row[2] for row in board.rows] == [0.7, 0.5, 0.2, None, None]
    assert (board.best_row, board.note) == (0, "")


def test_the_leaderboard_and_the_front_have_a_column_for_every_objective(tmp_path: Path) -> None:
    objectives = [{"metric": "val/d1", "direction": "maximize"}, {"metric": "latency_ms", "direction": "minimize"}]
    trials = tuple(
        replace(RESULTS[0], number=number, values={"val/d1": d1, "latency_ms": latency})
        for number, (d1, latency) in enumerate(((0.5, 10.0), (0.7, 30.0), (0.6, 35.0)))
    )
    facts = read_facts(write_study(tmp_path / "demo", trials, objectives=objectives).root)

    front = pareto_front(facts)

    assert leaderboard(facts).head[2:4] == ("val/d1", "latency_ms")
    assert front.head[:3] == ("trial", "val/d1 (more is better)", "latency_ms (less is better)")
    assert [row[:3] for row in front.rows] == [(1, 0.7, 30.0), (0, 0.5, 10.0)]


def test_failures_with_other_numbers_are_one_cause(tmp_path: Path) -> None:
    again = replace(RESULTS[2], number=3, reason="train_loss is nan at epoch 7")

    found = failures(read_facts(write_study(tmp_path / "demo", (*RESULTS[:3], again)).root))

    assert [row[2:4] for row in found.rows] == [(2, "2, 3")]
    assert found.logs == {}


def test_a_failure_comes_with_the_last_lines_of_its_log(tmp_path: Path) -> None:
    assert failures(read_facts(write_study(tmp_path / "demo").root)).logs == {
        "log of trial 3": "RuntimeError: CUDA out of memory"
    }


def test_a_study_without_failures_has_no_table_of_them(tmp_path: Path) -> None:
    found = failures(read_facts(write_study(tmp_path / "demo", RESULTS[:2]).root))

    assert (found.note, found.head, found.rows, found.logs) == ("No trial failed or diverged.", (), [], {})


def test_replicates_are_listed_best_mean_first_and_the_winner_is_marked_in_the_leaderboard(tmp_path: Path) -> None:
    lucky = replace(RESULTS[0], number=0, state=TrialState.COMPLETED, values={"val/d1": 0.9})
    steady = replace(lucky, number=1, values={"val/d1": 0.8})
    again = [
        replace(lucky, number=2, values={"val/d1": 0.5}, replicate_of=0, seed=8),
        replace(lucky, number=3, values={"val/d1": 0.7}, replicate_of=1, seed=8),
    ]
    facts = read_facts(write_study(tmp_path / "demo", (lucky, steady, *again)).root)

    rows, board = replicates(facts).rows, leaderboard(facts)

    assert [row[:3] for row in rows] == [(1, 0.8, 0.7), (0, 0.9, 0.5)]
    assert [row[5] for row in rows] == ["0.7", "0.5"]
    assert board.best_row == 1
    assert board.rows[2][1] == "completed, as 0 with seed 8"
