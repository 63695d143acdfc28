"""Follow a running job: yield every measurement as it appears, until the job has ended and everything is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from automl.study.trial import Measurement


class Followed(Protocol):
    """A job of any launcher."""

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs; never blocks."""
        ...

    def wait(self, limit_s: float) -> int | None:
        """Return the exit status as soon as it ends, or None after ``limit_s`` seconds."""
        ...


class Source(Protocol):
    """A growing file with measurements: a status file, a log, a metric file."""

    def read(self) -> list[Measurement]:
        """Return what is new; never blocks."""
        ...

    def finish(self) -> list[Measurement]:
        """Return everything that is left, once the writer has ended."""
        ...


def follow(
    job: Followed, *sources: Source, poll_s: float = 0.1, until: Callable[[], bool] = lambda: False
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
        has_ended = job.poll() is not None
        for source in sources:
            yield from source.finish() if has_ended else source.read()
        if has_ended:
            return
        # Not a sleep, so that the end of a job frees its slot at once.
        job.wait(poll_s)
