"""TensorBoard reads the trial folders with its own reader."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from automl.storage.documents import write_document
from automl.storage.event_log import Entry
from automl.storage.paths import StudyPaths
from automl.storage.tf_record import record
from automl.study.events import Measured, TrialStarted
from automl.tracking.tensorboard import TensorboardTracker, encode_event
from tests.automl.tracking.synthetic import tell

if TYPE_CHECKING:
    from pathlib import Path

accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator", reason="TensorBoard is not installed"
)
pytestmark = pytest.mark.filterwarnings("default")  # TensorBoard's own imports warn


def scalars(folder: Path, name: str) -> list[tuple[int, object]]:
    reader = accumulator.EventAccumulator(str(folder))
    reader.Reload()
    return [(event.step, pytest.approx(event.value)) for event in reader.Scalars(name)]


def started(number: int, directory: Path) -> Entry:
    event = TrialStarted(trial=number, attempt=1, origin="sobol", assignment={}, directory=str(directory))
    return Entry(event, datetime.now(UTC), 0)


def measured(number: int, epoch: int, **values: float) -> Entry:
    return Entry(
        Measured(trial=number, epoch=epoch, step=None, max_epochs=None, values=values, unix_time_s=5.0),
        datetime.now(UTC),
        0,
    )


def test_every_attempt_has_its_curve_with_the_epoch_as_step(tmp_path: Path) -> None:
    directory = StudyPaths(tmp_path / "demo")
    for number, attempt in ((0, 1), (1, 1), (2, 1), (3, 1), (4, 1), (4, 2)):
        directory.attempt(number, attempt).root.mkdir(parents=True)
    tracker = TensorboardTracker()
    tell(directory, tracker)
    tracker.close()

    assert scalars(directory.attempt(0).root, "val/d1") == [(0, 0.3), (1, 0.4), (2, 0.5)]
    assert scalars(directory.attempt(4, 2).root, "val/d1") == [(0, 0.6), (1, 0.7), (2, 0.65)]
    assert scalars(directory.attempt(0).root, "val/i2t_R@1") == [(0, 0.15), (1, 0.2), (2, 0.25)]
    assert scalars(directory.attempt(2).root, "train_loss") == [(0, 1.0)]


def test_a_running_trial_can_be_read_while_it_runs(tmp_path: Path) -> None:
    tracker = TensorboardTracker()
    tracker.record(started(3, tmp_path))
    tracker.record(measured(3, 200, loss=0.5, huge=1e300))

    assert scalars(tmp_path, "loss") == [(200, 0.5)]
    tracker.close()


def test_a_folder_that_cannot_be_written_is_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tracker = TensorboardTracker()
    for number in range(2):
        tracker.record(started(number, tmp_path / "absent"))
        tracker.record(measured(number, 0, loss=0.5))

    assert caplog.text.count("cannot be written") == 1


def test_nothing_is_written_into_the_folder_of_another_attempt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    attempt = StudyPaths(tmp_path).attempt(0)
    attempt.root.mkdir(parents=True)
    write_document(attempt.start_file, {"token": "another"}, dict[str, str])  # behind a mount, for example
    tracker = TensorboardTracker()
    tracker.open(StudyPaths(tmp_path))

    tracker.record(started(0, attempt.root))
    tracker.record(measured(0, 0, loss=1.0))

    assert list(attempt.root.iterdir()) == [attempt.start_file]
    assert "is the folder of another attempt now" in caplog.text


def test_telling_ten_thousand_metrics_takes_about_a_second_at_most() -> None:
    values = {f"val/metric_{index}": float(index) for index in range(5)}
    started_s = time.process_time()
    for step in range(2000):
        record(encode_event(1.7e9, step=step, values=values))

    assert time.process_time() - started_s < 10.0
