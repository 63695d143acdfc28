"""The best checkpoint: waited for only where it will come, found by its epoch, hashed unless it is large."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from automl.architectures.load import load_architecture
from automl.launch.base import Job
from automl.study.trial import Measurement
from automl.trial import best_checkpoint
from automl.trial.attempts import Start
from automl.trial.best_checkpoint import await_checkpoint, find_best
from tests.automl.trial.flat_task import empty_history, flat_task

if TYPE_CHECKING:
    from pathlib import Path

    from automl.trial.history import TrialHistory
    from automl.trial.task import TrialTask

NAMING = load_architecture("depth_net_mono").checkpoints


def course(*values: float) -> TrialHistory:
    trial = empty_history(max_epochs=9)
    for epoch, value in enumerate(values):
        trial.observe(Measurement(epoch=epoch, values={"val/d1": value}))
    return trial


def file_of(folder: Path, epoch: int) -> Path:
    return folder / f"model_epoch_{epoch:03d}_step_{epoch:05d}.pth"


def task(study: Path) -> TrialTask:
    return flat_task(
        number=0,
        assignment={},
        study_directory=study,
        directory=study / "trials/0000",
        template="trainer -e {config_path}",
        spec={},
        tag="t/0000/1",
        naming=NAMING,
    )


@dataclass
class SavingJob(Job):
    """Writes a file at its third poll."""

    file: Path | None
    polls: int = 0
    ends: bool = False

    def poll(self) -> int | None:
        self.polls += 1
        if self.polls == 3 and self.file is not None:
            self.file.write_text("weights", encoding="utf-8")
        return 0 if self.ends else None

    def kill(self, *, grace_s: float) -> None:
        del grace_s


def test_the_checkpoint_of_the_latest_epoch_is_waited_for(tmp_path: Path) -> None:
    job = SavingJob(file_of(tmp_path, 0))

    await_checkpoint(job, tmp_path, NAMING, course(0.5))

    assert file_of(tmp_path, 0).exists()


@pytest.mark.parametrize("values", [(), (0.9, 0.5)], ids=["no value", "an earlier epoch is better"])
def test_nothing_is_waited_for_where_no_file_can_come(tmp_path: Path, values: tuple[float, ...]) -> None:
    job = SavingJob(None)

    await_checkpoint(job, tmp_path, NAMING, course(*values))

    assert job.polls == 0


def test_a_trainer_that_saves_no_epoch_is_not_waited_for(tmp_path: Path) -> None:
    job = SavingJob(None)

    await_checkpoint(job, tmp_path, NAMING, course(0.1, 0.2))

    assert job.polls == 0


def test_the_wait_ends_with_the_job_or_at_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await_checkpoint(SavingJob(None, ends=True), tmp_path, NAMING, course(0.1))
    monkeypatch.setattr(best_checkpoint, "WAIT_LIMIT_S", 0.1)
    started_s = time.monotonic()

    await_checkpoint(SavingJob(None), tmp_path, NAMING, course(0.1))

    assert time.monotonic() - started_s < 2.5  # 3 s without that limit


def test_the_file_of_the_best_epoch_is_found_relative_to_the_study(tmp_path: Path) -> None:
    trial = task(tmp_path)
    trial.directory.mkdir(parents=True)
    for epoch in range(3):
        file_of(trial.directory, epoch).write_text("weights", encoding="utf-8")

    best = find_best(trial, course(0.1, 0.9, 0.2))

    assert best.path == "trials/0000/model_epoch_001_step_00001.pth"
    assert best.sha256 is not None


def test_a_large_checkpoint_is_not_hashed_while_the_slot_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = task(tmp_path)
    trial.directory.mkdir(parents=True)
    file_of(trial.directory, 0).write_text("weights", encoding="utf-8")
    monkeypatch.setattr(best_checkpoint, "HASHED_AT_ONCE_BYTES", 3)

    best = find_best(trial, course(0.1))

    assert best.path is not None
    assert best.sha256 is None


def test_an_epoch_that_a_later_attempt_finished_is_found_there_and_not_as_its_half(tmp_path: Path) -> None:
    first = tmp_path / "trials" / "0000"
    second = replace(
        task(tmp_path), directory=tmp_path / "trials" / "0000.2", start=Start(earlier=(first,), first_epoch=1)
    )
    for folder, step in ((first, 2), (second.directory, 4)):
        folder.mkdir(parents=True)
        (folder / f"model_epoch_000_step_{step:05d}.pth").write_text("weights", encoding="utf-8")

    assert find_best(second, course(0.9)).path == "trials/0000.2/model_epoch_000_step_00004.pth"
