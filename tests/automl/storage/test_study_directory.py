"""The files of a study directory: round trips, and never half a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_results
from automl.study.trial import FailureKind, TrialResult, TrialState
from tests.automl.storage.recorded import write_result

if TYPE_CHECKING:
    from pathlib import Path

RESULT = TrialResult(
    number=7,
    state=TrialState.FAILED,
    failure=FailureKind.OUT_OF_MEMORY,
    reason="out of GPU memory",
    assignment={"train.optim.lr": 1e-4, "train.optim.lr_scheduler": "LambdaLR", "flag": True},
    values={"val/d1": 0.5},
    best_epoch=2,
    epochs=3,
    curve=((0, 0.1), (2, 0.5)),
    elapsed_s=12.5,
    directory="trials/0007",
    checkpoint="trials/0007/train/model.pth",
    sha256="ab",
    attempt=2,
    exit_status=1,
    log_tail=("a", "b"),
    gpus=("0", "GPU-5ae3"),
)


def test_a_result_comes_back_as_it_was_written(tmp_path: Path) -> None:
    directory = StudyPaths(tmp_path)

    write_result(directory, RESULT)

    assert read_results(directory) == (RESULT,)


def test_directories_of_trials_without_a_result_are_passed_over(tmp_path: Path) -> None:
    directory = StudyPaths(tmp_path)
    directory.attempt(3).root.mkdir(parents=True)
    write_result(directory, RESULT)

    assert [result.number for result in read_results(directory)] == [7]
