"""Follow a study's event log and send what it adds to an MLflow server, so that sending twice changes nothing.

A run is looked up by its own tag before it is made; a metric has the time at which it was measured, and MLflow
keeps one row per (run, key, step, time, value); parameters and tags are overwritten with themselves; a model version is
looked up by its tags. Files are sent after everything else: one that cannot be stored is tried again later and holds
nothing back. Importing this module imports MLflow (3 to 5 s): only the writer process does.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunStatus, RunTag, ViewType
from mlflow.exceptions import ERROR_CODE_TO_HTTP_STATUS, MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from automl.storage.event_log import read_log
from automl.storage.plan_document import read_plan
from automl.tracking.mlflow.files import expanded
from automl.tracking.mlflow.projection import Projection, Upload, UploadKind
from automl.tracking.mlflow.registry import register
from automl.tracking.mlflow.uri import ARTIFACTS, artifact_root, sqlite_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from automl.tracking.mlflow.folder import MlflowFolder

logger = logging.getLogger(__name__)

KEY_TAG = "automl.key"
"""Tag with ``<study id>/<run key>``: how a run is found again."""

# Without it the web interface opens on its pages for language models.
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
LOG_TAIL_BYTES = 64 * 1024
"""How much of the end of a log is kept as an artifact."""

_MAX_PART = 5000
_SAVE_INTERVAL_S = 1.0
_MAX_METRICS = 900
_MAX_TAGS_AND_PARAMETERS = 90
_TRANSIENT_STATUS = frozenset({401, 403, 408, 409, 429})


class UnreachableError(Exception):
    """The server did not answer, or not now; the same can be sent later."""


@dataclass(slots=True)
class _RunBatch:
    """What one request sends to a run."""

    metrics: list[Metric] = field(default_factory=list)
    parameters: list[Param] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    uploads: list[Upload] = field(default_factory=list)

    def add(self, upload: Upload) -> None:
        values = upload.data["values"]
        self.uploads.append(upload)
        match upload.kind:
            case UploadKind.METRICS:
                step, time_ms = upload.data["step"], upload.data["time_ms"]
                self.metrics += [Metric(name, float(value), time_ms, step) for name, value in values.items()]
            case UploadKind.PARAMETERS:
                self.parameters += [Param(name, value) for name, value in values.items()]
            case _:
                self.tags.update(values)

    @property
    def is_full(self) -> bool:
        return len(self.metrics) >= _MAX_METRICS or len(self.parameters) + len(self.tags) >= _MAX_TAGS_AND_PARAMETERS


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the log that is read and not sent yet, and the positions behind it."""

    uploads: list[Upload]
    queue_position: int
    position: int


class Uploader:
    """One connection to one MLflow server for one study.

    Args:
        folder: How far the server has the study.
        tracking_uri: The server.
        experiment: Name of the experiment; made if missing.

    Raises:
        ConfigurationError: the study's plan or the position cannot be read.
    """

    def __init__(self, folder: MlflowFolder, tracking_uri: str, experiment: str) -> None:
        self._folder = folder
        self._uri = tracking_uri
        self._experiment = experiment
        self._study_id = folder.study_id
        self._client: MlflowClient | None = None
        self._experiment_id = ""
        self._part: _Part | None = None
        self._saved_s = 0.0
        self.state = folder.load_state(tracking_uri)
        self._projection = Projection(read_plan(folder.study))
        for entry in read_log(folder.study.events_file):
            if entry.end > self.state.position:
                break
            self._projection.uploads(entry)  # the server has it; the projection has to know it

    def send_pending(self) -> bool:
        """Send the next part of the log, or the next file where there is none, and note how far the server has it.

        Returns:
            True if there was anything to send.

        Raises:
            UnreachableError: the server did not take it; nothing is lost, call again.
        """
        self._part = self._part or self._next_part()
        if self._part is None:
            return self._send_next_file()
        try:
            with _transient_as_unreachable():
                self._connect()
                self._send([upload for upload in self._part.uploads if not upload.kind.is_file])
        except UnreachableError as error:
            self._save(str(error))
            raise
        files = [upload for upload in self._part.uploads if upload.kind.is_file]
        self.state.files += [found for upload in files for found in expanded(upload, self._folder.study)]
        self.state.position, self.state.queue_position = self._part.position, self._part.queue_position
        self._part = None
        self._save()
        return True

    def _next_part(self) -> _Part | None:
        position = self.state.position
        uploads, queue_position = self._folder.read_queue(self.state.queue_position, limit=_MAX_PART)
        if not uploads:
            for entry in read_log(self._folder.study.events_file, position):
                uploads += self._projection.uploads(entry)
                position = entry.end
                if len(uploads) >= _MAX_PART:
                    break
        is_new = (position, queue_position) != (self.state.position, self.state.queue_position)
        return _Part(uploads, queue_position, position) if is_new else None

    def _send_next_file(self) -> bool:
        """Send a file. One that fails becomes the last of those to send."""
        files = self.state.files
        if not files:
            return False
        try:
            self._store(files[0])
        except Exception as error:  # stores of artifacts raise the errors of their own libraries
            if not isinstance(error, MlflowException) or _is_transient(error):
                files.append(files.pop(0))
                self._save(f"{type(error).__name__}: {error}")
                raise UnreachableError(self.state.problem) from error
            self._reject(files[0], error)
        del files[0]
        if not files or time.monotonic() - self._saved_s > _SAVE_INTERVAL_S:
            self._save()
        return True

    def _save(self, problem: str = "") -> None:
        self.state.problem, self._saved_s = problem, time.monotonic()
        self._folder.save_state(self._uri, self.state)

    def _connect(self) -> MlflowClient:
        if self._client is None:
            with _first_touch_lock(self._uri):
                client = MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)
                self._experiment_id = _experiment_id(client, self._experiment, self._uri)
                self.state.experiment_id = self._experiment_id
            self._client = client
        return self._client

    def _send(self, uploads: Sequence[Upload]) -> None:
        batches: dict[str, _RunBatch] = {}
        for upload in uploads:
            if upload.kind in {UploadKind.METRICS, UploadKind.PARAMETERS, UploadKind.TAGS}:
                batch = batches.setdefault(upload.run, _RunBatch())
                batch.add(upload)
                if batch.is_full:
                    self._log(upload.run, batches.pop(upload.run))
                continue
            if upload.run in batches:
                self._log(upload.run, batches.pop(upload.run))
            try:
                self._open_run(upload) if upload.kind is UploadKind.RUN else self._end_run(upload)
            except MlflowException as error:
                if _is_transient(error):
                    raise
                self._reject(upload, error)
        for run, batch in batches.items():
            self._log(run, batch)

    def _log(self, run: str, batch: _RunBatch) -> None:
        client = self._connect()
        tags = [RunTag(name, value) for name, value in batch.tags.items()]
        try:
            client.log_batch(
                self._run_id(run), metrics=batch.metrics, params=batch.parameters, tags=tags, synchronous=True
            )
        except MlflowException as error:
            if _is_transient(error):
                raise
            if len(batch.uploads) == 1:
                self._reject(batch.uploads[0], error)
                return
            for upload in batch.uploads:
                alone = _RunBatch()
                alone.add(upload)
                self._log(run, alone)

    def _end_run(self, upload: Upload) -> None:
        self._connect().set_terminated(self._run_id(upload.run), upload.data["status"], upload.data["end_ms"])

    def _open_run(self, upload: Upload) -> None:
        client = self._connect()
        run_id = self.state.run_ids.get(upload.run) or self._find_run(upload.run)
        tags = {**upload.data["tags"], KEY_TAG: f"{self._study_id}/{upload.run}", MLFLOW_RUN_NAME: upload.data["name"]}
        if upload.data["parent"] is not None:
            tags[MLFLOW_PARENT_RUN_ID] = self._run_id(upload.data["parent"])
        if run_id is None:
            run = client.create_run(
                self._experiment_id, start_time=upload.data["start_ms"], tags=tags, run_name=upload.data["name"]
            )
            run_id = run.info.run_id
        else:
            client.update_run(run_id, status=RunStatus.to_string(RunStatus.RUNNING))
            client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()], synchronous=True)
        self.state.run_ids[upload.run] = run_id
        self._save()

    def _find_run(self, run: str) -> str | None:
        found = self._connect().search_runs(
            [self._experiment_id],
            filter_string=f"tags.`{KEY_TAG}` = '{self._study_id}/{run}'",
            run_view_type=ViewType.ACTIVE_ONLY,
            max_results=1,
        )
        return found[0].info.run_id if found else None

    def _run_id(self, run: str) -> str:
        run_id = self.state.run_ids.get(run)
        if run_id is None:
            raise MlflowException.invalid_parameter_value(f"the log has no start of the run {run}")
        return run_id

    def _store(self, upload: Upload) -> None:
        client, run_id, root = self._connect(), self._run_id(upload.run), self._folder.study.root
        if upload.kind is UploadKind.MODEL:
            register(client, run_id, upload.data, root, self._study_id)
            return
        file, folder = root / upload.data["path"], upload.data["folder"] or None
        if not file.is_file():
            raise MlflowException.invalid_parameter_value("the file is gone")
        if file.suffix == ".log" and file.stat().st_size > LOG_TAIL_BYTES:
            client.log_text(run_id, _tail(file), f"{folder}/{file.name}" if folder else file.name)
        else:
            client.log_artifact(run_id, str(file), folder)

    def _reject(self, upload: Upload, error: MlflowException) -> None:
        logger.warning("refused for good: %s of run %s: %s", upload.kind, upload.run, error)
        self._folder.reject(upload, str(error))


def _experiment_id(client: MlflowClient, name: str, tracking_uri: str) -> str:
    existing = client.get_experiment_by_name(name)
    if existing is None:
        try:
            location = artifact_root(tracking_uri, name)
            return client.create_experiment(name, artifact_location=location, tags=_EXPERIMENT_TAGS)
        except MlflowException:
            existing = client.get_experiment_by_name(name)  # another study made it in between
            if existing is None:
                raise
    if existing.lifecycle_stage == "deleted":
        client.restore_experiment(existing.experiment_id)
    return existing.experiment_id


@contextmanager
def _first_touch_lock(tracking_uri: str) -> Iterator[None]:
    """Let one process at a time make the tables of a new sqlite file; two at once fail in the migration."""
    file = sqlite_file(tracking_uri)
    if file is None:
        yield
        return
    _make_private(file)
    with Path(f"{file}.lock").open("w", encoding="utf-8") as stream:
        flock(stream, LOCK_EX)
        yield


def _make_private(file: Path) -> None:
    """Make what is missing of a sqlite store, for this user alone: logs and specs are copied into it."""
    for folder in (file.parent, file.parent / ARTIFACTS):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for made in (file, Path(f"{file}.lock")):
        made.touch(mode=0o600)


@contextmanager
def _transient_as_unreachable() -> Iterator[None]:
    try:
        yield
    except MlflowException as error:
        raise UnreachableError(str(error)) from error
    except OSError as error:
        raise UnreachableError(f"{type(error).__name__}: {error}") from error


def _is_transient(error: MlflowException) -> bool:
    status = ERROR_CODE_TO_HTTP_STATUS.get(error.error_code, 500)
    return status >= 500 or status in _TRANSIENT_STATUS  # noqa: PLR2004 # the HTTP class of server errors


def _tail(file: Path) -> str:
    with file.open("rb") as stream:
        stream.seek(-LOG_TAIL_BYTES, 2)
        text = stream.read().decode("utf-8", errors="replace")
    return f"[... the last {LOG_TAIL_BYTES // 1024} KiB ...]\n{text.partition(chr(10))[2]}"
