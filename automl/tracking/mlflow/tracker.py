"""Record a study in MLflow without making it wait: a writer process follows the event log and sends it.

Nothing here imports MLflow. A server that is down never raises into the study; what was not sent is sent by the next
start of the study or by `sync`, without duplicates.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, LaunchError, Problem
from automl.machine import direct_loopback
from automl.regular_file import open_to_append
from automl.shown_command import shown_command
from automl.storage.legacy import upgrade_log
from automl.storage.paths import make_folder
from automl.storage.working_folder import leave_deleted_folder
from automl.study.evaluation import RecordLocation
from automl.study.events import Measured, StudyStarted, StudySuspended
from automl.tracking.base import Tracker
from automl.tracking.mlflow.environment import QUIET_ENVIRONMENT
from automl.tracking.mlflow.folder import MlflowFolder
from automl.tracking.mlflow.uploads import STUDY_RUN
from automl.tracking.mlflow.uri import without_password
from automl.tracking.mlflow.writer import BUSY_LIMIT_S, URI_VARIABLE, sending_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.storage.event_log import Entry
    from automl.storage.paths import StudyPaths

logger = logging.getLogger(__name__)

_DELAY_S = 15.0
_TURN_POLL_S = 0.2
CLOSE_LIMIT_S = 30.0
SYNC_LIMIT_S = 600.0
"""For whoever has asked for the record."""
_GIVE_UP_GRACE_S = 30.0
"""A writer that is given up may be in the middle of a request or of making a store."""


class MlflowTracker(Tracker):
    """Starts and ends the writer process of a study; `close` waits so long for it."""

    def __init__(
        self, tracking_uri: str, experiment: str, study: StudyPaths, *, limit_s: float = CLOSE_LIMIT_S
    ) -> None:
        self._limit_s = limit_s
        self._uri = tracking_uri
        self._experiment = experiment
        self._folder = MlflowFolder(study)
        self._writer: subprocess.Popen[bytes] | None = None
        self._is_given_up = False
        self._is_suspended = False
        self._has_begun = False

    def record(self, entry: Entry) -> None:
        """Start the writer with the study, and let it begin with the first measurement."""
        match entry.event:
            case StudyStarted():
                self._start_writer(delay_s=_DELAY_S)
            case Measured() if not self._has_begun and self._writer is not None and self._writer.stdin is not None:
                # A trial runs, so that nothing waits for the processor any more.
                self._has_begun = True
                with contextlib.suppress(OSError):  # it has died, and `close` starts another one
                    self._writer.stdin.write(b"begin\n")
            case StudySuspended():
                self._is_suspended = True
            case _:
                pass

    def describe(self) -> RecordLocation:
        """Return where MLflow has the study; ``run_id`` is None as long as the writer has not made the run."""
        run_id = self._folder.load_state(self._uri).run_ids.get(STUDY_RUN)
        return RecordLocation(tracking_uri=without_password(self._uri), experiment=self._experiment, run_id=run_id)

    @property
    def unsent(self) -> bool:
        """The server lacks something of the study."""
        return not self._folder.is_complete(self._uri)

    @contextlib.contextmanager
    def given_up_if_interrupted(self) -> Iterator[None]:
        """On Ctrl-C end the writer without sending what is left; a resume or `automl sync` does.

        While trials run a signal is no KeyboardInterrupt. At any other time nobody wants to wait for MLflow's start.
        """
        try:
            yield
        except KeyboardInterrupt:
            _finish(self._writer, 0.0, grace_s=_GIVE_UP_GRACE_S)
            self._writer, self._is_given_up = None, True
            raise

    def close(self, timeout_s: float | None = None) -> None:
        """Let the writer send what is left and end it. A server that is down is given up after two attempts."""
        if self._is_given_up:
            return
        if self.unsent:
            self._start_writer()  # unless one lives
        if self._is_suspended and self.unsent:
            logger.warning("sending the record to MLflow; Ctrl-C leaves the rest to `automl sync`, or to a resume")
        _finish(self._writer, self._limit_s if timeout_s is None else timeout_s)
        self._writer = None
        if self.unsent:
            missing = "; ".join(self._folder.missing(self._uri))
            text = "MLflow does not have the whole record yet: %s. `%s` sends the rest (%s)"
            logger.warning(text, missing, shown_command("sync", self._folder.study.root), self._folder.log_file)

    def _start_writer(self, *, delay_s: float = 0.0) -> None:
        if self._writer is not None and self._writer.poll() is None:
            return
        _finish(self._writer, 0.0)  # it has died: its pipe is closed
        try:
            self._writer = start_writer(self._folder, self._uri, self._experiment, delay_s=delay_s)
        except (OSError, ConfigurationError) as error:
            logger.warning("the MLflow writer could not be started: %s", error)


def start_writer(
    folder: MlflowFolder, tracking_uri: str, experiment: str, *, delay_s: float = 0.0
) -> subprocess.Popen[bytes]:
    """Start the writer process of a study.

    It waits for ``delay_s`` seconds for the line ``begin`` before it does anything that takes time.

    Raises:
        OSError: the process could not be started or its log not be opened.
        ConfigurationError: the study's id cannot be read, or is that of another study.
    """
    make_folder(folder.root, below=folder.study.root)
    folder.own_id(tracking_uri)  # here, so that the user reads what is said about a copy
    leave_deleted_folder()
    program = [sys.executable, "-P", "-m", "automl.tracking.mlflow.writer"]
    command = [*program, str(folder.study.root), experiment, str(delay_s)]
    # The second for MLflow itself: its registry looks there for the logged model of a version.
    environment = {**os.environ, **direct_loopback(os.environ), **QUIET_ENVIRONMENT}
    environment |= {URI_VARIABLE: tracking_uri, "MLFLOW_TRACKING_URI": tracking_uri}
    with open_to_append(folder.log_file) as log:
        return subprocess.Popen(  # noqa: S603 # our own module, no shell
            # Unbuffered: what a writer that has died did not read must not be written again when its pipe is closed.
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )


def sync(study: StudyPaths, tracking_uri: str, experiment: str, *, timeout_s: float = SYNC_LIMIT_S) -> tuple[str, ...]:
    """Send everything of a study that a server does not have yet. Sending twice changes nothing.

    A server that is a different one than before gets the whole record.

    Returns:
        What MLflow refused for good, each with the reason.

    Raises:
        LaunchError: the study has not begun, another process sends it for longer than a few seconds, or something was
            not sent or not stored; each with its cause.
        ConfigurationError: a file of a study of an earlier version cannot be read.
    """
    if not study.events_file.is_file():
        expected, fix = "the event log of a study", "name the folder of a study that has begun"
        problem = Problem(where=str(study.events_file), found="no such file", expected=expected, fix=fix)
        raise LaunchError("there is nothing to send", [problem])
    upgrade_log(study)  # positions are those of the log that a resume continues
    folder = MlflowFolder(study)
    _await_turn(folder)
    _finish(start_writer(folder, tracking_uri, experiment), timeout_s)
    if missing := folder.missing(tracking_uri):
        expected = "a server, and a store of artifacts, that take all of it"
        fix = f"remove the cause, or give another --tracking-uri, then sync again; nothing is lost ({folder.log_file})"
        where = without_password(tracking_uri)
        problems = [Problem(where=where, found=found, expected=expected, fix=fix) for found in missing]
        raise LaunchError("MLflow does not have the whole record", problems)
    return folder.refused(tracking_uri)


def _await_turn(folder: MlflowFolder) -> None:
    """Wait for another process that sends the study, such as the writer of its run.

    Raises:
        LaunchError: it goes on for longer than a few seconds.
    """
    if (process := sending_process(folder)) is None:
        return
    logger.warning("process %s is sending this record now; waiting for it", process)
    deadline = time.monotonic() + BUSY_LIMIT_S
    while (process := sending_process(folder)) is not None:
        if time.monotonic() > deadline:
            found, expected = f"process {process} is sending it now", "no other process that sends it"
            fix = "wait until it has ended, then sync again; while a study runs, its run sends the record"
            problem = Problem(where=str(folder.study.root), found=found, expected=expected, fix=fix)
            raise LaunchError("the record is being sent already", [problem])
        time.sleep(_TURN_POLL_S)


def _finish(writer: subprocess.Popen[bytes] | None, timeout_s: float, *, grace_s: float = 1.0) -> None:
    """Let a writer send what is left for so long, and wait for its end.

    Its standard input stays open meanwhile: once that is closed, this process is dead, and the writer ends at once.
    """
    if writer is None or writer.stdin is None:
        return
    with contextlib.suppress(OSError):  # it has ended
        writer.stdin.write(f"finish {timeout_s}\n".encode())
    try:
        writer.wait(timeout_s + grace_s)
    except subprocess.TimeoutExpired:
        writer.kill()
        writer.wait()
    writer.stdin.close()
