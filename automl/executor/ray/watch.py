"""Looks after a study while Ray Tune has the main thread: clock, stop requests, signals, Ray's servers, this folder."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
from typing import TYPE_CHECKING

from automl.errors import AutomlError, LaunchError
from automl.executor.ray.private_names import ray_is_alive
from automl.executor.recording import recorded
from automl.launch.processes import end_leftovers
from automl.storage.working_folder import leave_deleted_folder
from automl.study.ends import EndKind, EndReason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

    from automl.executor.loop import StudyLoop

_INTERVAL_S = 0.5
_RAY_LOST_LIMIT_S = 10.0
_RECORD_S = 1.0
_LOST = EndReason(kind=EndKind.RAY_LOST)


class Watch:
    """Looks at the clock and at Ray while Tune is busy, and ends the study by signals.

    A first SIGINT ends it politely, a second one or SIGTERM at once. The handler only notes a signal, and the thread
    acts on it: the main thread may be within an event that it writes, and would wait for itself. Where Ray's servers
    have died, it ends the trials of this machine, which Ray's workers would hold for a minute, and where the main
    thread stays inside Ray, the process: Ray would do so after a minute, with a message and a status of its own.

    Args:
        loop: Decides what follows.
        root: The study's directory.
        tag: Of the processes of its trials.
    """

    def __init__(self, loop: StudyLoop, root: Path, tag: str) -> None:
        self._loop = loop
        self._root = root
        self._tag = tag
        self._signals = queue.SimpleQueue[int | None]()  # its `put` may interrupt itself
        self._error: LaunchError | None = None
        self._is_over = threading.Event()  # Tune has ended: nothing is raised any more
        self._limits: list[threading.Timer] = []

    def close(self) -> None:
        """Let the process go on: it is out of Ray."""
        for limit in self._limits:
            limit.cancel()

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """Watch Ray's servers while it starts, where Ray itself would end the process a minute after they died."""
        has_started = threading.Event()

        def look() -> None:
            while not has_started.wait(_INTERVAL_S):
                if not ray_is_alive():
                    self._leave_later()
                    return

        thread = threading.Thread(target=look, name="watch start", daemon=True)
        thread.start()
        try:
            yield
        finally:
            has_started.set()
            thread.join()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Watch while Tune runs.

        Raises:
            AutomlError: what went wrong, whatever Tune made of it: Ray's node process has died, or the study or the
                watch could not write what it had to.
        """
        import ray  # noqa: PLC0415 # after the session has set its environment

        handled = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
        before = {number: signal.signal(number, self._handle) for number in handled}
        thread = threading.Thread(target=self._watch, name="watch study", daemon=True)
        thread.start()
        try:
            yield
        except Exception as error:
            own = self._error or own_error_in(error)
            # The watch looks twice a second; what Tune says of a dead server may come before.
            of_ray = isinstance(error, (SystemError, RuntimeError, OSError, ray.exceptions.RayError))
            if own is None and of_ray and not ray_is_alive():
                own = self._lost()
            if own is None or own is error:
                raise
            raise own from error
        finally:
            self._is_over.set()
            self._signals.put(None)
            thread.join()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _watch(self) -> None:
        """Act on signals at once, and on the rest twice a second; an error is raised in the main thread."""
        try:
            while True:
                number = None
                with contextlib.suppress(queue.Empty):
                    if (number := self._signals.get(timeout=_INTERVAL_S)) is None:
                        return
                leave_deleted_folder()
                with recorded(self._root):
                    if number is not None:
                        self._loop.interrupt(at_once=number == signal.SIGTERM)
                    self._loop.check_budget()
                if not ray_is_alive():
                    self._leave_later()
                    self._error = self._lost()
                    break
        except LaunchError as error:
            self._error = error
        # Tune may wait for what never comes; the handler in the main thread raises. Without its servers Tune waits once
        # more while it ends.
        signal.raise_signal(signal.SIGTERM)
        while not ray_is_alive() and not self._is_over.wait(_INTERVAL_S):
            signal.raise_signal(signal.SIGTERM)

    def _lost(self) -> LaunchError:
        # The record comes first, or the trials would count as failed; but a busy disk may take seconds for it.
        ending = threading.Timer(_RECORD_S, end_leftovers, [self._tag])
        ending.start()
        try:
            with recorded(self._root):
                self._loop.suspend(_LOST)
        finally:
            ending.cancel()
            end_leftovers(self._tag)
        return LaunchError(f"{_LOST}; the study can be resumed")

    def _leave_later(self) -> None:
        limit = threading.Timer(_RAY_LOST_LIMIT_S, self._leave)
        limit.daemon = True
        self._limits.append(limit)
        limit.start()

    def _leave(self) -> None:
        if ray_is_alive():  # it was started anew
            return
        # A disk that answers no more keeps nobody here.
        record = threading.Thread(target=self._loop.leave, args=[_LOST], daemon=True)
        record.start()
        record.join(_RECORD_S)
        sys.stderr.write(f"error: {_LOST}; the study can be resumed\n")
        sys.stderr.flush()
        os._exit(LaunchError.exit_status)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self._error is not None and not self._is_over.is_set():
            raise self._error
        self._signals.put(number)


def own_error_in(error: BaseException) -> AutomlError | None:
    """Return our error, raised inside of Tune, that an error is or was made of; None where there is none."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, AutomlError):
        found = found.__cause__ or found.__context__
    return found
