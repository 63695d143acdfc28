"""When a trainer that writes nothing counts as stalled: by how long it usually needs between two measurements."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MIN_GAPS = 3
_FACTOR = 10.0
_SHORTEST_LIMIT_S = 30.0
# Ten queries of a file each second are not free on a network file system.
_CHECK_INTERVAL_S = 1.0


@dataclass(slots=True)
class StallTimeout:
    """How long a trial may write nothing.

    A measurement or a growing log resets it. Once three gaps between measurements are known, the limit shrinks
    to ten times the longest of them, but never below 30 s nor above the limit given.

    Attributes:
        limit_s: The limit until gaps are known; None for no limit at all.
        log: The trainer's log.
    """

    limit_s: float | None
    log: Path
    _active_s: float = field(default_factory=time.monotonic)
    _measured_s: float = field(default_factory=time.monotonic)
    _gaps_s: list[float] = field(default_factory=list)
    _log_bytes: int = 0
    _next_check_s: float = 0.0

    def reset(self) -> None:
        """Take a measurement into account."""
        now_s = time.monotonic()
        self._gaps_s.append(now_s - self._measured_s)
        self._active_s = self._measured_s = now_s

    def exceeded(self) -> float | None:
        """Return for how many seconds nothing was written if they are too many, else None."""
        if self.limit_s is None:
            return None
        now_s = time.monotonic()
        if now_s >= self._next_check_s:
            self._next_check_s = now_s + _CHECK_INTERVAL_S
            log_bytes = self.log.stat().st_size if self.log.exists() else 0
            if log_bytes != self._log_bytes:
                self._log_bytes, self._active_s = log_bytes, now_s
        stalled_s = now_s - self._active_s
        return stalled_s if stalled_s > self._current_limit_s(self.limit_s) else None

    def _current_limit_s(self, limit_s: float) -> float:
        if len(self._gaps_s) < _MIN_GAPS:
            return limit_s
        return min(limit_s, max(_SHORTEST_LIMIT_S, _FACTOR * max(self._gaps_s)))
