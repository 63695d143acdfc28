"""The contract of a tracker: a projection of a study's event log, given every entry after it was appended."""

from __future__ import annotations

import contextlib
import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from automl.storage.event_log import Entry
    from automl.storage.paths import StudyPaths

logger = logging.getLogger(__name__)


class Tracker(ABC):
    """Records or shows a study. It never makes a trial wait; errors of what is outside are logged."""

    def open(self, study: StudyPaths) -> None:
        """Take the directory of the study over: a run of it begins, and its entries follow."""

    @abstractmethod
    def record(self, entry: Entry) -> None:
        """Take one entry of the event log over; entries come in the order of the log, those of a resume included."""

    def close(self) -> None:
        """Finish what is begun, as far as possible, and release files, threads and processes."""


class TrackerGroup(Tracker):
    """Gives every entry to several trackers, in their order; one that raises loses it, and the others still get it."""

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        self._trackers = tuple(trackers)
        self._seen: set[tuple[str, type[Exception]]] = set()

    def open(self, study: StudyPaths) -> None:
        """Give it to each."""
        for tracker in self._trackers:
            with self._isolated(tracker, "the begin of the study"):
                tracker.open(study)

    def record(self, entry: Entry) -> None:
        """Give it to each."""
        for tracker in self._trackers:
            with self._isolated(tracker, f"the event {entry.event.kind}"):
                tracker.record(entry)

    def close(self) -> None:
        """Close each."""
        for tracker in self._trackers:
            with self._isolated(tracker, "its end"):
                tracker.close()

    @contextlib.contextmanager
    def _isolated(self, tracker: Tracker, what: str) -> Iterator[None]:
        """Log what a tracker raises: the first of its kind with its traceback, the others in one line."""
        name = type(tracker).__name__
        try:
            yield
        except Exception as error:  # a tracker calls libraries that raise errors of their own
            is_new = (name, type(error)) not in self._seen
            self._seen.add((name, type(error)))
            text = f"{name} lost {what} ({error}); the study continues"
            logger.log(logging.ERROR, text, exc_info=is_new)
