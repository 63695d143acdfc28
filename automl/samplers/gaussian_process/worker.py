"""The thread in which samplers compute ahead while trials run."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Worker:
    """One thread for all samplers that runs calls in their order; it does not outlive the process.

    Starting a thread waits until it runs, which takes milliseconds on a busy machine; handing it a call does not.
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def run(self, call: Callable[[], object]) -> None:
        """Run a call in the background; what it raises is lost, and shows when its result is asked for."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="automl-ahead", daemon=True)
                self._thread.start()
        self._calls.put(call)

    def _work(self) -> None:
        while True:
            self._calls.get()()


WORKER = Worker()
