"""What every tracker must do. Subclass `TrackerContract`; see `automl.tracking.base`."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from automl.request.study_request import StudyRequest
from automl.storage.event_log import Entry
from automl.storage.paths import StudyPaths, make_folder
from automl.storage.plan_document import write_plan
from automl.study.causes import Origin, OriginKind
from automl.study.evaluation import RecordLocation
from automl.study.events import Measured, TrialEnded, TrialProposed, TrialStarted
from automl.study.trial import TrialState
from automl.testing.studies import ended, plan_of

if TYPE_CHECKING:
    from pathlib import Path

    from automl.study.events import Event
    from automl.tracking.base import Tracker

LONGEST_S = 0.5
"""An entry is taken over within this time, else every trial would wait."""


def events_of(number: int) -> list[Event]:
    """Return what the log has of one trial."""
    directory = f"trials/{number:04d}"
    values, odd = {"accuracy": 0.5, "a/b c": 1e300}, {"accuracy": "nan"}
    return [
        TrialProposed(trial=number, assignment={"lr": 0.1}, origin=Origin(OriginKind.TEMPLATE)),
        TrialStarted(
            trial=number, attempt=1, origin="template", assignment={"lr": 0.1}, directory=directory, start={}, gpus=()
        ),
        Measured(trial=number, epoch=0, step=10, max_epochs=2, values=values),
        Measured(trial=number, epoch=None, step=None, max_epochs=None, values={}, nonfinite=odd),
        TrialEnded(result=ended(number, TrialState.COMPLETED if number else TrialState.FAILED)),
    ]


class TrackerContract(ABC):
    """The abstract suite."""

    @abstractmethod
    def make(self) -> Tracker:
        """Return a new tracker; what it sends elsewhere may go nowhere."""

    def opened(self, root: Path) -> Tracker:
        """Return a tracker of a study directory with a plan and the folders of two trials."""
        for number in range(2):
            make_folder(StudyPaths(root).attempt(number).root, below=root)
        request = StudyRequest(skill="toy", name="toy")
        record = RecordLocation(tracking_uri="unused", experiment="toy")
        write_plan(StudyPaths(root), plan_of("random"), request, record, root)
        tracker = self.make()
        tracker.open(StudyPaths(root))
        return tracker

    def entries(self) -> list[Entry]:
        """Return the entries of a study of two trials."""
        events = [event for number in range(2) for event in events_of(number)]
        return [Entry(event=event, time=datetime.now(UTC), end=100 * n) for n, event in enumerate(events, start=1)]

    def test_a_whole_study_is_taken_over_and_no_trial_waits_for_it(self, tmp_path: Path) -> None:
        tracker = self.opened(tmp_path)

        for entry in self.entries():
            started_s = time.monotonic()
            tracker.record(entry)
            assert time.monotonic() - started_s < LONGEST_S
        tracker.close()

    def test_a_resumed_study_gives_every_entry_again(self, tmp_path: Path) -> None:
        for _ in range(2):
            tracker = self.opened(tmp_path)
            for entry in self.entries():
                tracker.record(entry)
            tracker.close()

    @pytest.mark.parametrize("last", range(6))
    def test_it_is_closed_after_any_entry_and_twice(self, tmp_path: Path, last: int) -> None:
        tracker = self.opened(tmp_path)
        for entry in self.entries()[:last]:
            tracker.record(entry)

        tracker.close()
        tracker.close()

    def test_the_study_directory_keeps_what_it_has(self, tmp_path: Path) -> None:
        tracker = self.opened(tmp_path)
        files = [StudyPaths(tmp_path).plan_file, StudyPaths(tmp_path).attempt(0).log_file]
        files[1].write_text("as it was", encoding="utf-8")
        before = [file.read_bytes() for file in files]

        for entry in self.entries():
            tracker.record(entry)
        tracker.close()

        assert [file.read_bytes() for file in files] == before
