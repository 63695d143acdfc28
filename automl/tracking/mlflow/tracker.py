"""Record a study in MLflow without ever making it wait: events go to the spool, a writer process sends them.

Nothing here imports MLflow. A full disk or a server that is down never raises into the study; what could not be sent
stays in the spool, and `sync` sends it later without duplicates.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from automl.errors import LaunchError, Problem
from automl.storage.event_log import Entry, read_log
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_plan
from automl.study.evaluation import Evaluation, RecordLocation
from automl.study.events import (
    ActionEnded,
    Evaluated,
    FileAttached,
    Measured,
    ModelRegistered,
    StudyStarted,
    StudySuspended,
)
from automl.tracking.base import Tracker
from automl.tracking.mlflow.files import expanded
from automl.tracking.mlflow.model_version import ModelVersionRequest
from automl.tracking.mlflow.outbox import Outbox
from automl.tracking.mlflow.projection import STUDY_RUN, Projection
from automl.tracking.mlflow.uri import without_password
from automl.tracking.mlflow.writer import QUIET_ENVIRONMENT, URI_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automl.study.events import Event

logger = logging.getLogger(__name__)

_PATIENCE_S = 15.0
_GIVE_UP_GRACE_S = 30.0
"""A writer that is given up may be in the middle of a request or of making a store."""


class MlflowTracker(Tracker):
    """Records a study in MLflow.

    Args:
        tracking_uri: sqlite file or server.
        experiment: Name of the experiment; made if missing.
        spool: Folder of the spool, inside the study directory.
    """

    def __init__(self, tracking_uri: str, experiment: str, spool: Path) -> None:
        self._uri = tracking_uri
        self._experiment = experiment
        self._spool = Outbox(spool)
        self._root = spool.parent
        self._writer: subprocess.Popen[bytes] | None = None
        self._projection: Projection | None = None
        self._has_warned = False
        self._is_given_up = False
        self._is_suspended = False
        self._has_begun = False

    def record(self, entry: Entry) -> None:
        """Queue what an entry adds; the start of the study starts the writer."""
        match entry.event:
            case StudyStarted():
                self._projection = Projection(read_plan(StudyPaths(self._root)))
                for earlier in read_log(StudyPaths(self._root).events_file):
                    if earlier.end < entry.end:
                        self._projection.uploads(earlier)
                self._queue(entry)
                self._start_writer(patience_s=_PATIENCE_S)
                return
            case StudySuspended():
                self._is_suspended = True
            case Measured():
                self._let_begin()
            case _:
                pass
        self._queue(entry)

    def register_model(self, request: ModelVersionRequest) -> None:
        """Register the study's best checkpoint as a new version of its model, with the alias ``champion``."""
        fields = {name: getattr(request, name) for name in ModelVersionRequest.__dataclass_fields__}
        self._tell(ModelRegistered(request={k: dict(v) if isinstance(v, Mapping) else v for k, v in fields.items()}))

    def action_ended(self, key: str, result: Mapping[str, Any]) -> None:
        """Record an action on a checkpoint, with its log and the small files that it has made; once.

        Args:
            key: The action's key: ``evaluate-1``.
            result: Its ``result.json``.
        """
        if not self._spool.has_run(key):
            self._tell(ActionEnded(key=key, result=result))

    def evaluated(self, evaluations: Mapping[str, Evaluation]) -> None:
        """Record what baseline and champion scored, as metrics and tags of the study.

        Args:
            evaluations: `evaluations.json`: role -> evaluation.
        """
        self._tell(Evaluated(evaluations=evaluations))

    def attach(self, run: str, path: str, *, folder: str = "") -> None:
        """Keep a file as an artifact of a run.

        Args:
            run: ``study``, a trial's ``0007`` or an action's key.
            path: Relative to the study directory, or absolute.
            folder: Folder inside the run's artifacts.
        """
        self._tell(FileAttached(run=run, path=path, folder=folder))

    def describe(self, *, timeout_s: float = 0.0) -> RecordLocation:
        """Return where MLflow has the study.

        Args:
            timeout_s: How long to wait for the writer to have made the run; ``run_id`` is None if it has not by then.
        """
        deadline = time.monotonic() + timeout_s
        while (run_id := self._spool.load_state(self._uri).run_ids.get(STUDY_RUN)) is None:
            if time.monotonic() >= deadline or self._writer is None or self._writer.poll() is not None:
                break
            time.sleep(0.05)
        return RecordLocation(tracking_uri=without_password(self._uri), experiment=self._experiment, run_id=run_id)

    @property
    def unsent_bytes(self) -> int:
        """How much of the spool the server does not have."""
        return self._spool.pending_bytes(self._uri)

    @contextlib.contextmanager
    def given_up_if_interrupted(self) -> Iterator[None]:
        """On Ctrl-C end the writer without sending what is left; a resume or `automl sync` does.

        While trials run a signal is no KeyboardInterrupt. At any other time nobody wants to wait for MLflow's start.
        """
        try:
            yield
        except KeyboardInterrupt:
            if self._writer is not None:
                _finish(self._writer, 0.0, grace_s=_GIVE_UP_GRACE_S)
                self._writer = None
            self._is_given_up = True
            raise

    def close(self, timeout_s: float = 30.0) -> None:
        """Let the writer send what is left and end it. A server that is down is given up after two attempts."""
        if self._is_given_up:
            self._spool.close()
            return
        if self._writer is None and self.unsent_bytes:
            self._start_writer()
        if self._is_suspended and self.unsent_bytes:
            logger.warning("sending the record to MLflow; Ctrl-C leaves the rest to `automl sync`, or to a resume")
        if self._writer is not None:
            _finish(self._writer, timeout_s)
            self._writer = None
        self._spool.close()
        if self.unsent_bytes:
            problem = self._spool.load_state(self._uri).problem or f"see {self._spool.log_file}"
            logger.warning("MLflow does not have all of the record yet (%s); `automl sync` sends the rest", problem)

    def _tell(self, event: Event) -> None:
        self._queue(Entry(event, datetime.now(UTC), 0))

    def _queue(self, entry: Entry) -> None:
        if self._projection is None:
            self._projection = Projection(read_plan(StudyPaths(self._root)))
        uploads = [found for upload in self._projection.uploads(entry) for found in expanded(upload, self._root)]
        try:
            self._spool.append(uploads, is_durable=not isinstance(entry.event, Measured))
        except OSError as error:
            if not self._has_warned:
                logger.warning("the record for MLflow cannot be written to %s: %s", self._spool.root, error)
            self._has_warned = True

    def _start_writer(self, *, patience_s: float = 0.0) -> None:
        if self._writer is not None and self._writer.poll() is None:
            return
        try:
            self._writer = start_writer(self._spool, self._uri, self._experiment, patience_s=patience_s)
        except OSError as error:
            logger.warning("the MLflow writer could not be started: %s", error)

    def _let_begin(self) -> None:
        """Let the writer begin: a trial runs, so that nothing waits for the processor any more."""
        if self._has_begun or self._writer is None or self._writer.stdin is None:
            return
        self._has_begun = True
        with contextlib.suppress(OSError):  # it has died, and `close` starts another one
            self._writer.stdin.write(b"begin\n")
            self._writer.stdin.flush()


def start_writer(
    spool: Outbox, tracking_uri: str, experiment: str, *, patience_s: float = 0.0
) -> subprocess.Popen[bytes]:
    """Start the writer process of a spool.

    Args:
        spool: What it sends.
        tracking_uri: Where to.
        experiment: Name of the experiment.
        patience_s: How long it waits for the line ``begin`` before it does anything that takes time.

    Raises:
        OSError: the process could not be started or its log not be opened.
    """
    spool.root.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "automl.tracking.mlflow.writer", str(spool.root), experiment, str(patience_s)]
    environment = {**os.environ, **QUIET_ENVIRONMENT, URI_VARIABLE: tracking_uri}
    with spool.log_file.open("ab") as log:
        return subprocess.Popen(  # noqa: S603 # our own module, no shell
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, start_new_session=True
        )


def sync(spool: Path, tracking_uri: str, *, experiment: str | None = None, timeout_s: float = 600.0) -> None:
    """Send everything that a study's spool holds and a server does not have yet. Sending twice changes nothing.

    Args:
        spool: The spool folder of the study.
        tracking_uri: The server; a different one than before gets the whole record.
        experiment: Name of the experiment; the study's name by default.
        timeout_s: Give up after this long.

    Raises:
        LaunchError: there is no spool, or the server did not take everything.
    """
    queue = Outbox(spool)
    if not queue.queue_file.is_file():
        raise LaunchError(
            "there is nothing to send",
            [Problem(where=str(spool), found="no queue.jsonl", expected="the spool of a study", fix="name a study")],
        )
    _finish(start_writer(queue, tracking_uri, experiment or _study_name(spool.parent)), timeout_s)
    if queue.pending_bytes(tracking_uri):
        state = queue.load_state(tracking_uri)
        raise LaunchError(
            "the record could not be sent",
            [
                Problem(
                    where=without_password(tracking_uri),
                    found=state.problem or f"no answer; see {queue.log_file}",
                    expected="an MLflow tracking server or a sqlite file that answers",
                    fix="start the server or give another --tracking-uri, then sync again; nothing is lost",
                )
            ],
        )


def _study_name(root: Path) -> str:
    try:
        return str(json.loads(StudyPaths(root).plan_file.read_text(encoding="utf-8"))["name"])
    except (OSError, ValueError, KeyError):
        return root.name


def _finish(writer: subprocess.Popen[bytes], timeout_s: float, *, grace_s: float = 1.0) -> None:
    try:
        writer.communicate(f"finish {timeout_s}\n".encode(), timeout=timeout_s + grace_s)
    except subprocess.TimeoutExpired:
        writer.kill()
        writer.communicate()
