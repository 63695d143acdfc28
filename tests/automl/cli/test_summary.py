"""The closing summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from automl.cli.summary import print_summary
from automl.storage.documents import write_document
from automl.storage.event_log import EventLog
from automl.storage.paths import StudyPaths
from automl.storage.study_document import study_document
from automl.study.events import StudyEnded
from tests.automl.cli.study_folder import write_study

if TYPE_CHECKING:
    from pathlib import Path


def test_the_summary_compares_the_best_with_trial_0_and_with_a_constant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_study(tmp_path / "example")
    ended = StudyEnded(trials=4, best_trial=2, best_value=0.7, reason="the target is reached")
    EventLog(StudyPaths(root).events_file).append(ended)

    print_summary(root)

    shown = capsys.readouterr().out
    assert "the target is reached" in shown
    assert "trial 2, val/d1 0.7000 at epoch 5 of 5" in shown
    assert "0.6000 -> 0.7000, 0.1000 better" in shown
    assert "0.3000 -> 0.7000, 0.4000 better" in shown
    assert "trials/0002/train/b.pth" in shown
    assert f"automl ui {tmp_path}" in shown


def test_the_summary_shows_what_was_evaluated_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_study(tmp_path / "example")
    better = {"baseline": {"reference": 0.5, "difference": 0.2, "is_better": True}}
    common: dict[str, Any] = {
        "status": "measured",
        "reason": "",
        "data": "validation",
        "deltas": {},
        "is_reproduced": None,
    }
    evaluations = {
        "baseline": {**common, "value": 0.5},
        "champion": {**common, "value": 0.7, "is_reproduced": True, "deltas": better},
        "baseline_test": {**common, "value": None, "status": "unavailable", "reason": "no action"},
        "champion_test": {**common, "value": None, "status": "failed", "reason": "out of memory"},
    }
    write_document(root / "evaluations.json", evaluations)

    print_summary(root)

    shown = capsys.readouterr().out
    assert "0.7000, reproduced" in shown
    assert "0.5000 -> 0.7000, 0.2000 better" in shown
    assert "failed: out of memory" in shown
    assert "no action" not in shown


def test_an_evaluation_of_another_value_is_not_shown_as_that_of_the_best(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_study(tmp_path / "example")
    stale = {"trial": {"reference": 0.9, "difference": 0.0, "is_better": False}}
    champion = {"status": "measured", "reason": "", "data": "validation", "value": 0.9, "deltas": stale}
    write_document(root / "evaluations.json", {"champion": {**champion, "is_reproduced": True}})

    print_summary(root)

    shown = capsys.readouterr().out
    assert "not this trial" in shown
    assert "reproduced" not in shown


@pytest.mark.parametrize(("sha256", "roles"), [("bb", ["baseline", "champion"]), ("aa", ["baseline"])])
def test_an_evaluation_of_the_best_checkpoint_of_before_counts_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], sha256: str, roles: list[str]
) -> None:
    root = write_study(tmp_path / "example")
    measured = {"status": "measured", "value": 0.65, "data": "validation"}
    write_document(
        root / "evaluations.json",
        {"baseline": {**measured, "sha256": "cc"}, "champion": {**measured, "sha256": sha256}},
    )

    print_summary(root)

    assert ("evaluated again" in capsys.readouterr().out) == ("champion" in roles)
    assert list(study_document(root)["evaluations"]) == roles
