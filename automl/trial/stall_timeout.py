"""Tell a trainer that hangs from one that works: how long it has written nothing, against what it usually needs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LEARNT_FROM = 3
_FACTOR = 10.0
_SHORTEST_LIMIT_S = 30.0
# Ten looks at a file every second are not free on a network file system.
_LOOK_EVERY_S = 1.0


@dataclass(slots=True)
class StallTimeout:
    """How long a trial may be silent.

    A sign of life is a measurement or a growing log. Once three gaps between measurements are known, the limit shrinks
    to ten times the longest of them, but never below 30 s nor above the limit given.

    Attributes:
        limit_s: The longest silence before anything is learnt; None for no limit at all.
        log: The trainer's log.
    """

    limit_s: float | None
    log: Path
    _heard_s: float = field(default_factory=time.monotonic)
    _measured_s: float = field(default_factory=time.monotonic)
    _gaps_s: list[float] = field(default_factory=list)
    _log_bytes: int = 0
    _next_look_s: float = 0.0

    def heard(self) -> None:
        """Note a measurement."""
        now_s = time.monotonic()
        self._gaps_s.append(now_s - self._measured_s)
        self._heard_s = self._measured_s = now_s

    def exceeded(self) -> float | None:
        """Return the seconds of silence if they are too many, else None."""
        if self.limit_s is None:
            return None
        now_s = time.monotonic()
        if now_s >= self._next_look_s:
            self._next_look_s = now_s + _LOOK_EVERY_S
            log_bytes = self.log.stat().st_size if self.log.exists() else 0
            if log_bytes != self._log_bytes:
                self._log_bytes, self._heard_s = log_bytes, now_s
        silent_s = now_s - self._heard_s
        return silent_s if silent_s > self._current_limit_s(self.limit_s) else None

    def _current_limit_s(self, limit_s: float) -> float:
        if len(self._gaps_s) < _LEARNT_FROM:
            return limit_s
        return min(limit_s, max(_SHORTEST_LIMIT_S, _FACTOR * max(self._gaps_s)))
