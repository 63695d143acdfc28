"""The studies of a results folder in one look."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from automl.storage.overview import list_studies, study_directories
from automl.storage.paths import StudyPaths
from automl.study.result import StudyResult
from automl.study.trial import TrialState
from tests.automl.cli.study_folder import TRIALS, write_study
from tests.automl.tracking.file_tracker import FileTracker
from tests.automl.tracking.synthetic import OBJECTIVE

if TYPE_CHECKING:
    from automl.study.trial import TrialResult


def write_ended(root: Path, trials: tuple[TrialResult, ...]) -> Path:
    write_study(root, trials)
    tracker = FileTracker(StudyPaths(root))
    tracker.study_ended(StudyResult(objective=OBJECTIVE, trials=trials))
    tracker.close()
    return root


def test_a_study_has_its_state_and_its_best_value(tmp_path: Path) -> None:
    write_ended(tmp_path / "good", TRIALS)
    write_ended(tmp_path / "bad", TRIALS[1:2])
    write_study(tmp_path / "open", TRIALS[:1])

    rows = {row.name: row for row in list_studies(tmp_path)}

    assert {name: row.state for name, row in rows.items()} == {
        "good": "completed",
        "bad": "failed",
        "open": "interrupted",
    }
    assert (rows["good"].best, rows["good"].trials, rows["good"].states["completed"]) == (0.7, 4, 2)
    assert rows["bad"].best is None
    assert rows["open"].reason == "its process was killed"


def test_a_trial_of_a_killed_study_does_not_run(tmp_path: Path) -> None:
    write_study(tmp_path / "one", (replace(TRIALS[0], state=TrialState.RUNNING),))

    (row,) = list_studies(tmp_path)

    assert row.states == {"interrupted": 1}


def test_a_study_that_a_process_runs_is_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_study(tmp_path / "one")
    monkeypatch.setattr("automl.storage.final_status.running_process", lambda _: 5)

    assert [row.state for row in list_studies(tmp_path)] == ["running"]


def test_the_latest_study_is_the_last_and_other_folders_are_none(tmp_path: Path) -> None:
    for age, name in enumerate(("b", "a")):
        write_study(tmp_path / name)
        os.utime(tmp_path / name / "plan.json", (1000 + age, 1000 + age))
    (tmp_path / "data").mkdir()

    assert [root.name for root in study_directories(tmp_path)] == ["b", "a"]


def test_a_plan_that_cannot_be_read_does_not_hide_the_other_studies(tmp_path: Path) -> None:
    write_study(tmp_path / "good")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn/plan.json").write_text('{"name"', encoding="utf-8")

    assert {row.name: row.state for row in list_studies(tmp_path)} == {"good": "interrupted", "torn": "unreadable"}


def test_a_lock_that_cannot_be_read_does_not_hide_the_other_studies(tmp_path: Path) -> None:
    write_study(tmp_path / "good")
    write_study(tmp_path / "locked")
    lock = StudyPaths(tmp_path / "locked").owner_file
    lock.symlink_to(lock)

    assert {row.name: row.state for row in list_studies(tmp_path)} == {"good": "interrupted", "locked": "unreadable"}


def test_a_log_that_is_a_folder_does_not_hide_the_other_studies(tmp_path: Path) -> None:
    write_study(tmp_path / "good")
    log = StudyPaths(write_study(tmp_path / "bad")).events_file
    log.unlink(missing_ok=True)
    log.mkdir()

    rows = {row.name: row for row in list_studies(tmp_path)}

    assert {name: row.state for name, row in rows.items()} == {"good": "interrupted", "bad": "unreadable"}
    assert "it is a folder" in rows["bad"].reason


def test_a_folder_without_permission_does_not_hide_the_other_studies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_study(tmp_path / "good")
    closed = StudyPaths(write_study(tmp_path / "closed")).plan_file
    really_stat = Path.stat

    def stat(file: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if file == closed:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
        return really_stat(file, follow_symlinks=follow_symlinks)

    # Not with chmod: root may look into every folder.
    monkeypatch.setattr(Path, "stat", stat)

    rows = {row.name: row for row in list_studies(tmp_path)}

    assert {name: row.state for name, row in rows.items()} == {"good": "interrupted", "closed": "unreadable"}
    assert rows["closed"].reason == f"{closed}: {os.strerror(errno.EACCES)}"
    assert [root.name for root in study_directories(tmp_path)] == ["good"]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="absent"):
        list_studies(tmp_path / "absent")
