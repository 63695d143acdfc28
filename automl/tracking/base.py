"""The contract of a tracker: a projection of a study's event log, given every entry after it was appended."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from automl.errors import AutomlError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl.storage.event_log import Entry

logger = logging.getLogger(__name__)


class Tracker(ABC):
    """Records or shows a study. It never makes a trial wait; errors of what is outside are logged."""

    @abstractmethod
    def record(self, entry: Entry) -> None:
        """Take one entry of the event log over; entries come in the order of the log, those of a resume included."""

    def close(self) -> None:
        """Finish what is begun, as far as possible, and release files, threads and processes."""


class TrackerGroup(Tracker):
    """Gives every entry to several trackers, in their order; one that raises loses it, and the others still get it."""

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        self._trackers = tuple(trackers)

    def record(self, entry: Entry) -> None:
        """Give it to each."""
        for tracker in self._trackers:
            try:
                tracker.record(entry)
            except (AutomlError, OSError, ValueError, TypeError, KeyError, RuntimeError):
                logger.exception("%s lost the event %s; the study continues", type(tracker).__name__, entry.event.kind)

    def close(self) -> None:
        """Close each."""
        for tracker in self._trackers:
            tracker.close()
