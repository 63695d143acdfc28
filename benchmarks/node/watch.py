"""Look at something again and again in the background."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Self


class Watch(ABC):
    """Looks while the block of its `with` runs.

    Args:
        every_s: Seconds between two looks.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    @abstractmethod
    def look(self) -> None:
        """Look once."""

    def _watch(self) -> None:
        while not self._ends.wait(self._every_s):
            self.look()
