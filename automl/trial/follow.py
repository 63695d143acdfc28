"""Follow a running job: its measurements as they appear, and when a trainer that writes nothing counts as stalled."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from automl.launch.base import Job
    from automl.study.trial import Measurement

_MIN_GAPS = 3
_FACTOR = 10.0
_SHORTEST_LIMIT_S = 30.0
# Ten queries of a file each second are not free on a network file system.
_CHECK_INTERVAL_S = 1.0


class Source(Protocol):
    """A growing file with measurements: a status file, a log, a metric file."""

    def read(self) -> list[Measurement]:
        """Return what is new, of a file that grows fast a part of it; never blocks."""
        ...

    def finish(self) -> Iterable[Measurement]:
        """Return everything that is left, once the writer has ended; what is not asked for is not read."""
        ...


def follow(
    job: Job, *sources: Source, poll_s: float = 0.1, until: Callable[[], bool] = lambda: False
) -> Iterator[Measurement]:
    """Yield the measurements of a job until it ends, then what is left in the sources.

    Args:
        job: The job; it is not killed here.
        sources: What to read, at every poll, in this order.
        poll_s: Seconds between two polls. Polling is used because file notifications do not cross network file systems.
        until: Called at every poll; true ends the iteration at once, with the rest unread.
    """
    while not until():
        # Polled before reading, so that everything written before the end is read by this pass.
        has_ended, is_silent = job.poll() is not None, True
        for source in sources:
            for measurement in source.finish() if has_ended else source.read():
                is_silent = False
                yield measurement
        if has_ended:
            return
        if is_silent:  # else more may be there to read
            # Not a sleep, so that the end of a job frees its slot at once.
            job.wait(poll_s)


@dataclass(slots=True)
class StallTimeout:
    """How long a trial may write nothing.

    A measurement or a growing log resets it. Once three gaps between measurements are known, the limit shrinks
    to ten times the longest of them, but never below 30 s nor above the limit given.

    Attributes:
        limit_s: The limit until gaps are known; None for no limit at all.
        log_bytes: Returns the size of the trainer's log.
    """

    limit_s: float | None
    log_bytes: Callable[[], int]
    _active_s: float = field(default_factory=time.monotonic)
    _measured_s: float = field(default_factory=time.monotonic)
    _gaps: int = 0
    _longest_gap_s: float = 0.0
    _known_bytes: int = 0
    _next_check_s: float = 0.0

    def reset(self) -> None:
        """Take a measurement into account."""
        now_s = time.monotonic()
        self._gaps += 1
        self._longest_gap_s = max(self._longest_gap_s, now_s - self._measured_s)
        self._active_s = self._measured_s = now_s

    def exceeded(self) -> float | None:
        """Return for how many seconds nothing was written if they are too many, else None."""
        if self.limit_s is None:
            return None
        now_s, limit_s = time.monotonic(), self.limit_s
        if now_s >= self._next_check_s:
            self._next_check_s = now_s + _CHECK_INTERVAL_S
            log_bytes = self.log_bytes()
            if log_bytes != self._known_bytes:
                self._known_bytes, self._active_s = log_bytes, now_s
        if self._gaps >= _MIN_GAPS:
            limit_s = min(limit_s, max(_SHORTEST_LIMIT_S, _FACTOR * self._longest_gap_s))
        stalled_s = now_s - self._active_s
        return stalled_s if stalled_s > limit_s else None
