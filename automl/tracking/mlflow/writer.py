"""The writer process: follows a study's event log and sends it to MLflow while the study runs.

A process of its own, because importing MLflow holds the interpreter for seconds and its first contact with a store
prints and migrates. It has a low priority, so it does not take a core from a trial. The parent controls it through its
standard input: ``finish SECONDS`` means to send what is left, then end; end of file, before or after it, means that the
parent died, and the writer ends at once (the next start continues at the saved position). With DELAY_S it imports
MLflow only after a line ``begin`` or after so many seconds: the first trial starts before it.

Run as ``python -m automl.tracking.mlflow.writer STUDY EXPERIMENT DELAY_S``; the tracking URI comes in the environment,
because it may hold a password and command lines are public.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
import time
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import TYPE_CHECKING

from automl.regular_file import open_regular, open_to_append
from automl.storage.held_study import ReplacedFolderError, held_study, require_held
from automl.storage.paths import StudyPaths, make_folder
from automl.storage.working_folder import leave_deleted_folder
from automl.tracking.mlflow.folder import MlflowFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import IOBase

    from automl.tracking.mlflow.files import FileUploader
    from automl.tracking.mlflow.uploader import Uploader

logger = logging.getLogger(__name__)

URI_VARIABLE = "AUTOML_WRITER_TRACKING_URI"
_UNSENT_STATUS = 3
"""Exit status when something is left to send."""

BUSY_LIMIT_S = 10.0
"""So long is waited for another process that sends the same study."""
_POLL_S = 0.1
_RETRY_S = (0.5, 1.0, 2.0, 5.0, 15.0)


class _Orders:
    """The orders of the parent, read from standard input by a thread."""

    def __init__(self) -> None:
        self.begin, self.finish = threading.Event(), threading.Event()
        self._deadline_s, self._busy_until_s = float("inf"), 0.0
        threading.Thread(target=self._listen, daemon=True).start()

    def is_late(self) -> bool:
        return time.monotonic() > self._deadline_s

    @property
    def left_s(self) -> float | None:
        """Seconds until it is late; None for no limit."""
        return None if self._deadline_s == float("inf") else max(0.0, self._deadline_s - time.monotonic())

    def is_over(self) -> bool:
        """Tell whether another process that sends the study was waited for long enough after the order to finish."""
        if not self.finish.is_set():
            return False
        self._busy_until_s = self._busy_until_s or time.monotonic() + BUSY_LIMIT_S
        return self.is_late() or time.monotonic() > self._busy_until_s

    def wait(self, seconds: float) -> None:
        """Sleep, or less after the order to finish."""
        if self.finish.wait(seconds):
            time.sleep(min(seconds, _POLL_S))

    def _listen(self) -> None:
        for line in sys.stdin:
            order, _, seconds = line.strip().partition(" ")
            if order == "finish":
                self._deadline_s = time.monotonic() + float(seconds)
                self.finish.set()
            self.begin.set()  # after the deadline, which may have passed already
        os._exit(_UNSENT_STATUS)  # the parent died: the process ends even inside a slow request


@contextmanager
def only_writer(folder: MlflowFolder, is_over: Callable[[], bool]) -> Iterator[bool]:
    """Hold the lock of a study, so that two processes never send it at once.

    Args:
        folder: Of the study.
        is_over: True when another process is not to be waited for any longer.

    Yields:
        Whether this process has the lock.
    """
    make_folder(folder.root, below=folder.study.root)
    with open_to_append(folder.lock_file) as stream:
        while not (has_lock := _locks(stream)) and not is_over():
            time.sleep(_POLL_S)
        if has_lock:
            stream.truncate(0)
            stream.write(f"{os.getpid()}\n".encode())
        yield has_lock


def sending_process(folder: MlflowFolder) -> str | None:
    """Return the number of the process that sends a study now; None if none does."""
    try:
        with open_regular(folder.lock_file) as stream:
            return None if _locks(stream) else stream.read().decode().strip() or "unknown"
    except FileNotFoundError:
        return None


def _locks(stream: IOBase) -> bool:
    try:
        flock(stream, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True


def collect_rarely() -> None:
    """Let the garbage collector run rarely: at its usual thresholds it takes 12 % of the time of sending."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def main(arguments: list[str]) -> int:
    """Follow the log until the order to finish."""
    study, experiment, delay_s = arguments
    tracking_uri = os.environ.pop(URI_VARIABLE)
    os.nice(5)
    folder, orders = MlflowFolder(StudyPaths(Path(study))), _Orders()
    try:
        with held_study(folder.study.root):
            orders.begin.wait(float(delay_s))
            is_sent = not orders.is_late() and _send(folder, tracking_uri, experiment, orders)
    except ReplacedFolderError as error:
        logger.warning("nothing more is sent: %s", error)
        is_sent = False
    return 0 if is_sent else _UNSENT_STATUS


def _send(folder: MlflowFolder, tracking_uri: str, experiment: str, orders: _Orders) -> bool:
    """Send log and files until the order to finish; return whether the server has all of it."""
    try:
        from automl.tracking.mlflow.files import FileUploader  # noqa: PLC0415 # 3 s, after stdin is watched
        from automl.tracking.mlflow.uploader import Uploader  # noqa: PLC0415
    except Exception as error:
        state = folder.load_state(tracking_uri)
        state.problem = f"MLflow cannot be imported: {type(error).__name__}: {error}"
        folder.save_state(tracking_uri, state)
        raise

    collect_rarely()
    with only_writer(folder, orders.is_over) as has_lock:
        if not has_lock:
            return False
        uploader = Uploader(folder, tracking_uri, experiment)
        has_log = threading.Event()
        file_uploader = FileUploader(uploader, folder.study)
        # A thread: a store that answers slowly, or a large file, is nothing that a metric waits for.
        files = threading.Thread(target=_send_files, args=(file_uploader, has_log, orders), daemon=True)
        files.start()
        if _send_log(uploader, orders, folder.study.events_file):
            has_log.set()
            files.join(orders.left_s)
    return folder.is_complete(tracking_uri)


def _send_log(uploader: Uploader, orders: _Orders, log: Path) -> bool:
    """Send the log until the order to finish; return whether the server has it to its end."""
    from automl.tracking.mlflow.uploader import UnreachableError  # noqa: PLC0415 # 3 s

    failures = 0
    while not orders.is_late() and log.is_file():  # a study that was moved or deleted is not made again
        leave_deleted_folder()
        require_held(log.parent)
        is_last = orders.finish.is_set()  # what is in the log now is all that is to be sent
        try:
            if uploader.send_pending():
                failures = 0
            elif is_last:
                return True
            else:
                orders.wait(_POLL_S)
        except UnreachableError as error:
            logger.warning("not sent: %s", error)
            if orders.finish.is_set() and failures:
                return False
            orders.wait(_RETRY_S[min(failures, len(_RETRY_S) - 1)])
            failures += 1
    return False


def _send_files(file_uploader: FileUploader, has_log: threading.Event, orders: _Orders) -> None:
    """Send files until no more can come, then try those again that could not be stored."""
    while not orders.is_late():
        is_last = has_log.is_set()
        if file_uploader.send_next():
            continue
        if is_last:
            file_uploader.retry_failed()
            return
        has_log.wait(_POLL_S)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    sys.exit(main(sys.argv[1:]))
