from __future__ import annotations

import errno
import shutil
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from automl.errors import LaunchError
from automl.executor import loop
from automl.executor.gpu_sharing import GpuSharing
from automl.machine import Gpu
from automl.study.ends import EndKind
from automl.study.model import Resources
from automl.study.trial import FailureKind, TrialState
from automl.trial import disk
from automl.trial.stop_request import read_stop_request
from tests.automl.executor.loop_study import Study
from tests.automl.executor.toy_study import toy_plan

if TYPE_CHECKING:
    from pathlib import Path


def test_a_trial_that_ran_out_of_memory_is_tried_once_more_with_nothing_beside_it(tmp_path: Path) -> None:
    study = Study(tmp_path)
    first, other = study.next(), study.next()
    study.end(first, TrialState.FAILED, failure=FailureKind.OUT_OF_MEMORY)

    assert study.loop.next_task() is None
    study.end(other)
    again = study.next()
    assert (again.number, again.start.attempt) == (0, 2)
    assert "no other trial beside it" in again.start.remark
    assert study.loop.next_task() is None
    study.end(again, TrialState.FAILED, failure=FailureKind.OUT_OF_MEMORY)
    assert [result.failure for result in study.searcher.reported] == [None, FailureKind.OUT_OF_MEMORY]


def test_a_study_directory_that_cannot_be_written_ends_the_study_with_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study(tmp_path)
    task = study.next()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(study.searcher, "observe", full)

    with pytest.raises(LaunchError, match=r"No space left on device.*automl resume"):
        study.report(task, 0, 0.5)


def test_only_the_best_checkpoint_of_ended_trials_stays(tmp_path: Path) -> None:
    study = Study(tmp_path)
    names = []
    for number, value in enumerate((0.2, 0.5, 0.4)):
        task = study.next()
        checkpoint = task.directory / "model_epoch_000.pth"
        checkpoint.write_bytes(b"weights")
        names.append(checkpoint)
        study.end(task, values={"val/d1": value}, checkpoint=f"trials/{number:04d}/model_epoch_000.pth")

    assert [name.exists() for name in names] == [False, True, False]


def test_a_disk_that_runs_short_starts_no_trial_and_lets_running_ones_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    study = Study(tmp_path)
    task = study.next()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))

    assert study.loop.next_task() is None

    assert read_stop_request(task.directory) is None
    study.end(task)
    assert study.loop.is_over
    assert "make room" in caplog.text


def test_what_fails_on_a_full_disk_is_left_for_the_resume_and_the_study_has_not_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study(tmp_path)
    task, other = study.next(), study.next()
    monkeypatch.setattr(disk, "free_bytes", lambda _: 0)

    study.end(task, TrialState.FAILED, failure=FailureKind.INFRASTRUCTURE)
    assert study.loop.next_task() is None
    study.end(other, TrialState.FAILED, failure=FailureKind.INFRASTRUCTURE)

    study.loop.close()
    assert study.loop.is_over
    assert study.loop.end is not None
    assert study.loop.end.kind is EndKind.DISK
    assert study.searcher.reported == []
    assert not any(event.startswith("study ended") for event in study.tracker.events)


def test_trials_that_share_gpus_wait_until_the_first_has_shown_its_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = Gpu(index=3, uuid="GPU-3", name="fake", memory_gib=80.0, used_gib=0.0)
    seen = [gpu, replace(gpu, used_gib=30.0)]
    sharing = GpuSharing(0.25, lambda: [seen.pop(0) if len(seen) > 1 else seen[0]])
    monkeypatch.setattr(loop, "sharing_of", lambda *_: sharing)
    plan = toy_plan(tmp_path / "skill", trials=4)
    study = Study(tmp_path, replace(plan, resources=Resources(jobs=4, gpus_per_trial=0.25)))
    first = study.next()

    assert first.command.gpus == ("3",)
    assert study.loop.next_task() is None
    study.report(first, 0, 0.5)
    assert study.next().command.gpus == ("3",)
    assert study.loop.next_task() is None
    study.end(first)
    assert study.next().number == 2
