"""The files of a study directory: round trips, and never half a file."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.storage import study_directory
from automl.storage.event_log import EventLog
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_results
from automl.storage.study_directory import write_result as stored
from automl.study.ends import EndKind, EndReason
from automl.study.events import StudyEnded
from automl.study.trial import FailureKind, TrialResult, TrialState
from tests.automl.storage.recorded import write_result

if TYPE_CHECKING:
    from collections.abc import Callable
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


def test_a_log_that_is_gone_is_refused_where_trials_have_ended(tmp_path: Path) -> None:
    paths = StudyPaths(tmp_path)
    write_result(paths, TrialResult(number=0, state=TrialState.COMPLETED, assignment={}, directory="trials/0000"))
    stored(paths, TrialResult(number=0, state=TrialState.COMPLETED, assignment={}, directory="trials/0000"))
    paths.events_file.unlink()

    with pytest.raises(ConfigurationError, match="no line, and trials have ended"):
        read_results(paths)


def test_a_log_that_lacks_the_end_of_a_trial_with_a_result_is_refused(tmp_path: Path) -> None:
    paths = StudyPaths(tmp_path)
    write_result(paths, RESULT)
    lines = paths.events_file.read_bytes().splitlines(keepends=True)
    paths.events_file.write_bytes(b"".join(lines[:-1]))

    with pytest.raises(ConfigurationError, match="no line for the end of trial 7"):
        read_results(paths)


def test_a_trial_that_ends_while_its_study_is_read_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = StudyPaths(tmp_path)
    write_result(paths, RESULT)
    whole = paths.events_file.read_bytes()
    paths.events_file.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    is_final = study_directory._is_final  # noqa: SLF001 # looked at once the log has been read

    def is_final_later(file: Path) -> bool:
        paths.events_file.write_bytes(whole)
        return is_final(file)

    monkeypatch.setattr(study_directory, "_is_final", is_final_later)

    read_results(paths)
    assert read_results(paths) == (RESULT,)


def make_pipe(file: Path) -> None:
    os.mkfifo(file)


@pytest.mark.parametrize(
    "make",
    [make_pipe, lambda file: file.write_text('{"state": "COMPLETED"}'), lambda file: file.symlink_to("/dev/zero")],
)
def test_a_file_of_the_trainer_that_is_called_like_a_result_is_none(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    paths = StudyPaths(tmp_path)
    write_result(paths, replace(RESULT, state=TrialState.RUNNING, number=0))
    paths.attempt(0).root.mkdir(parents=True, exist_ok=True)
    make(paths.result_file(0))

    assert [result.state for result in read_results(paths)] == [TrialState.RUNNING]


def test_a_missing_result_is_noticed_at_the_end_of_the_study(tmp_path: Path) -> None:
    paths = StudyPaths(tmp_path)
    write_result(paths, TrialResult(number=0, state=TrialState.COMPLETED, assignment={}, directory="trials/0000"))
    end = EndReason(kind=EndKind.ALL_ENDED, amount=2)
    EventLog(paths.events_file).append(StudyEnded(trials=2, best_trial=None, best_value=None, reason=str(end), end=end))

    with pytest.raises(ConfigurationError, match=r"2 trials had a result .* the lines before say 1"):
        read_results(paths)
