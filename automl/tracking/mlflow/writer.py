"""The writer process: sends a study's spool to MLflow while the study runs, and a function that does so once.

A process of its own, because importing MLflow holds the interpreter for seconds and its first touch of a store prints
and migrates. It has a low priority, so it never takes a core from a trial. The parent talks to it through its standard
input: a line ``finish SECONDS`` means "send what is left, then end"; end of file without it means that the parent died,
and the writer ends at once (the spool is on disk, and the next start sends it). A writer that was told to wait touches
nothing heavy before a line ``begin`` or until its patience is over: the first trial shall start before it.

Run as ``python -m automl.tracking.mlflow.writer SPOOL EXPERIMENT [PATIENCE_S]``; the tracking URI comes in the
environment, because it may hold a password and command lines are public.
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

from automl.tracking.mlflow.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.tracking.mlflow.uploader import Uploader

logger = logging.getLogger(__name__)

URI_VARIABLE = "AUTOML_WRITER_TRACKING_URI"
"""Environment variable with the tracking URI."""

UNSENT_STATUS = 3
"""Exit status when entries are left in the spool."""

QUIET_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""What MLflow reads so that it neither phones home nor waits for minutes; retrying is done here."""

_POLL_S = 0.1
_RETRY_S = (0.5, 1.0, 2.0, 5.0)
_NICENESS = 5
_COLLECT_AFTER = 100_000


class _Orders:
    """What the parent wants, read from standard input by a thread."""

    def __init__(self) -> None:
        self._begin, self._finish = threading.Event(), threading.Event()
        self._deadline = float("inf")
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def is_finishing(self) -> bool:
        return self._finish.is_set()

    def is_late(self) -> bool:
        return self.is_finishing and time.monotonic() > self._deadline

    def await_begin(self, patience_s: float) -> None:
        """Sleep until the parent says begin or finish, at most so long."""
        self._begin.wait(patience_s)

    def wait(self, seconds: float) -> None:
        """Sleep, or less when the parent says finish."""
        if not self._finish.wait(seconds):
            return
        time.sleep(min(seconds, _POLL_S))

    def _listen(self) -> None:
        for line in sys.stdin:
            word, _, seconds = line.strip().partition(" ")
            if word == "finish":
                self._deadline = time.monotonic() + float(seconds)
                self._finish.set()
                self._begin.set()
                return
            if word == "begin":
                self._begin.set()
        os._exit(UNSENT_STATUS)  # the parent died: no orphan may stay, not even inside a slow request


@contextmanager
def only_writer(spool: Outbox, *, wait_s: float) -> Iterator[None]:
    """Hold the spool's lock, so that two processes never send the same entries at once.

    Raises:
        TimeoutError: another process held it for ``wait_s`` seconds.
    """
    spool.root.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_s
    with (spool.root / "writer.lock").open("w", encoding="utf-8") as stream:
        while True:
            try:
                flock(stream, LOCK_EX | LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"another process is sending {spool.root}") from error
                time.sleep(_POLL_S)
        yield


def send_all(sender: Uploader) -> None:
    """Send everything that the spool holds now.

    Raises:
        UnreachableError: the server did not answer.
    """
    while sender.send_pending():
        pass


def collect_rarely() -> None:
    """Let the garbage collector look rarely: what is imported stays, and a batch's thousand objects die with it.

    At the usual pace looking for cycles costs 12 % of the time of sending.
    """
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 50, 50)


def main(arguments: list[str]) -> int:
    """Follow the spool until the parent says finish."""
    spool, experiment = Outbox(Path(arguments[0])), arguments[1]
    tracking_uri = os.environ.pop(URI_VARIABLE)
    os.nice(_NICENESS)
    orders = _Orders()
    orders.await_begin(float(arguments[2]) if len(arguments) > 2 else 0.0)  # noqa: PLR2004 # the third, if it is there
    if orders.is_late():
        return UNSENT_STATUS  # given up before it began
    from automl.tracking.mlflow.uploader import UnreachableError, Uploader  # noqa: PLC0415 # 3 s, after stdin is watched

    collect_rarely()
    failures = 0
    with only_writer(spool, wait_s=60):
        sender = Uploader(spool, tracking_uri, experiment)
        while not orders.is_late():
            try:
                if sender.send_pending():
                    failures = 0
                elif orders.is_finishing:
                    return 0
                else:
                    orders.wait(_POLL_S)
            except UnreachableError as error:
                logger.warning("not reachable: %s", error)
                if orders.is_finishing and failures:
                    return UNSENT_STATUS
                orders.wait(_RETRY_S[min(failures, len(_RETRY_S) - 1)])
                failures += 1
    return UNSENT_STATUS


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    sys.exit(main(sys.argv[1:]))
