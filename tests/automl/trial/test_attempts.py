from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import write_result
from automl.study.trial import TrialResult, TrialState
from automl.trial.attempts import Change, Start, measured_by, next_start, read_start, write_start
from automl.trial.stop_request import request_stop
from tests.automl.executor.toy_study import toy_plan

if TYPE_CHECKING:
    from pathlib import Path

    from automl.study.model import StudyPlan


def begin(root: Path, plan: StudyPlan, *epochs: int, change: Change | None = None) -> Start:
    """Start the next attempt of trial 3 as the study would; it measures and saves these epochs."""
    directory = StudyPaths(root)
    start = next_start(plan, directory, 3, change or Change())
    folder = directory.attempt(3, start.attempt).root
    folder.mkdir(parents=True)
    write_start(folder, start, root)
    for epoch in epochs:
        with (folder / "status.json").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"epoch": epoch, "kpi": {"val/d1": 0.1 * epoch}}) + "\n")
        (folder / f"model_epoch_{epoch:03d}.pth").write_bytes(b"weights")
    return start


def test_an_attempt_goes_on_from_the_last_checkpoint_of_all_that_continue_each_other(tmp_path: Path) -> None:
    plan = toy_plan(tmp_path / "skill", trials=1)

    starts = [begin(tmp_path, plan, 0, 1), begin(tmp_path, plan, 2), begin(tmp_path, plan)]

    assert [start.first_epoch for start in starts] == [0, 2, 3]
    assert starts[2].checkpoint == tmp_path / "trials/0003.2/model_epoch_002.pth"
    assert starts[2].earlier == (tmp_path / "trials/0003", tmp_path / "trials/0003.2")


def test_the_seconds_of_earlier_attempts_count_whatever_ended_them(tmp_path: Path) -> None:
    plan = toy_plan(tmp_path / "skill", trials=1)
    for seconds in (30, 12):
        folder = StudyPaths(tmp_path).attempt(3, begin(tmp_path, plan, 0).attempt).root
        (folder / "result.json").write_text("{}", encoding="utf-8")  # the study's, written when it likes
        began_s = (folder / "attempt.json").stat().st_mtime
        for name in ("status.json", "model_epoch_000.pth"):
            os.utime(folder / name, (began_s, began_s + seconds))
        os.utime(folder / "result.json", (began_s, began_s + 1000))

    third = begin(tmp_path, plan)

    assert third.earlier_s == pytest.approx(42, abs=0.01)
    assert read_start(StudyPaths(tmp_path).attempt(3, 3).root, tmp_path).earlier_s == pytest.approx(42, abs=0.01)


def test_a_clock_that_is_set_changes_nothing_where_the_attempt_has_a_result(tmp_path: Path) -> None:
    plan = toy_plan(tmp_path / "skill", trials=1)
    folder = StudyPaths(tmp_path).attempt(3, begin(tmp_path, plan, 0).attempt).root
    began_s = (folder / "attempt.json").stat().st_mtime
    os.utime(folder / "status.json", (began_s, began_s + 86400))
    paused = TrialResult(number=3, state=TrialState.INTERRUPTED, assignment={}, directory="trials/0003", elapsed_s=42.0)
    write_result(StudyPaths(tmp_path), paused)

    assert begin(tmp_path, plan).earlier_s == 42.0


def test_a_trainer_that_cannot_be_told_a_checkpoint_is_started_anew(tmp_path: Path) -> None:
    plan = toy_plan(tmp_path / "skill", trials=1)
    action = replace(plan.skill.actions["train"], spec_params={})
    plan = replace(plan, skill=replace(plan.skill, actions={"train": action}))

    begin(tmp_path, plan, 0, 1)

    assert begin(tmp_path, plan) == Start(attempt=2)


def test_after_a_start_from_nothing_older_attempts_are_forgotten(tmp_path: Path) -> None:
    plan = toy_plan(tmp_path / "skill", trials=1)
    begin(tmp_path, plan, 0, 1, 2)
    begin(tmp_path, plan, 0, change=Change(is_afresh=True))

    start = begin(tmp_path, plan)

    assert start.first_epoch == 1
    assert measured_by(StudyPaths(tmp_path), 3)[0] == tmp_path / "trials/0003.2"


def test_what_was_changed_for_memory_stays_changed_in_later_attempts(tmp_path: Path) -> None:
    plan = toy_plan(tmp_path / "skill", trials=1)
    begin(tmp_path, plan, 0)
    begin(tmp_path, plan, 0, change=Change(changes={"quality": 0.5}, remark="memory ran out"))

    start = begin(tmp_path, plan)

    assert (dict(start.changes), start.remark, start.first_epoch) == ({"quality": 0.5}, "memory ran out", 1)
    assert start.earlier == (tmp_path / "trials/0003.2",)


def test_a_paused_trial_goes_on_from_the_very_epoch_that_was_judged(tmp_path: Path) -> None:
    plan = toy_plan(tmp_path / "skill", trials=1)
    begin(tmp_path, plan, 0, 1, 2)
    request_stop(tmp_path / "trials/0003", "paused: rung 2", last_epoch=1)

    start = begin(tmp_path, plan)

    assert start.first_epoch == 2
    assert start.checkpoint == tmp_path / "trials/0003/model_epoch_001.pth"


def test_a_start_is_read_as_it_was_written_and_a_torn_one_is_an_error(tmp_path: Path) -> None:
    plan = toy_plan(tmp_path / "skill", trials=1)
    begin(tmp_path, plan, 0, 1)
    start = begin(tmp_path, plan)
    folder = tmp_path / "trials/0003.2"
    assert read_start(folder, tmp_path) == start

    (folder / "attempt.json").write_bytes((folder / "attempt.json").read_bytes()[:20])

    with pytest.raises(ConfigurationError, match=r"attempt\.json"):
        next_start(plan, StudyPaths(tmp_path), 3)
