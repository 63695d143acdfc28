"""The time of day, as events and measurements have it: it does not step while a process lives.

It is read once, and then goes on with the clock that no correction sets back or forward and that counts the time in
which the machine sleeps. So the time between two events of a process is a duration, whatever sets the machine's clock.
Across processes it is not: `seconds_since` is never negative. Limits and durations that decide something are measured
with ``time.monotonic()``.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

_START_S = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def unix_time_s() -> float:
    """Return the time as seconds since 1970."""
    return _START_S + time.clock_gettime(time.CLOCK_BOOTTIME)


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.fromtimestamp(unix_time_s(), UTC)


def seconds_since(moment: datetime, until: datetime | None = None) -> float:
    """Return the seconds from a time, noted by any process, until another one or now; never less than 0."""
    return max(0.0, ((until or now()) - moment).total_seconds())
