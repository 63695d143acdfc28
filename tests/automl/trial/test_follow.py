"""Following a job: every measurement as it appears, and what is left once it has ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from automl.launch.base import Job
from automl.study.trial import Measurement
from automl.trial.follow import follow


@dataclass
class CountedJob(Job):
    """Ends after a number of polls."""

    polls_left: int

    def poll(self) -> int | None:
        self.polls_left -= 1
        return 0 if self.polls_left <= 0 else None

    def wait(self, limit_s: float) -> int | None:
        del limit_s
        return None

    def kill(self, *, grace_s: float) -> None:
        del grace_s


@dataclass
class Counter:
    """Counts how often it was read."""

    reads: int = 0
    finishes: int = field(default=0)

    def read(self) -> list[Measurement]:
        self.reads += 1
        return [Measurement(epoch=self.reads)]

    def finish(self) -> list[Measurement]:
        self.finishes += 1
        return [Measurement(epoch=-1)]


def test_measurements_come_until_the_job_ends_and_then_the_rest_once() -> None:
    source = Counter()

    epochs = [m.epoch for m in follow(CountedJob(3), source, poll_s=0.0)]

    assert epochs == [1, 2, -1]


def test_all_sources_are_read_in_their_order() -> None:
    first, second = Counter(), Counter(reads=10)

    assert [m.epoch for m in follow(CountedJob(2), first, second, poll_s=0.0)] == [1, 11, -1, -1]


def test_following_ends_when_it_is_asked_to_and_leaves_the_rest_unread() -> None:
    source = Counter()

    list(follow(CountedJob(100), source, poll_s=0.0, until=lambda: source.reads >= 3))

    assert (source.reads, source.finishes) == (3, 0)
