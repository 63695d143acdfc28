"""Send entries of the spool to an MLflow server so that sending twice changes nothing.

A run is looked up by its own tag before it is made; metrics carry the time at which they were measured, and MLflow
keeps one row per (run, key, step, time, value); parameters and tags are overwritten with themselves; a model version is
looked up by its tags. Importing this module imports MLflow (3 to 5 s): only the writer process does.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, field
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunStatus, RunTag, ViewType
from mlflow.exceptions import ERROR_CODE_TO_HTTP_STATUS, MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from automl.tracking.mlflow.projection import Upload, UploadKind
from automl.tracking.mlflow.registry import register
from automl.tracking.mlflow.uri import ARTIFACTS, artifact_root, sqlite_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from automl.tracking.mlflow.outbox import Outbox

logger = logging.getLogger(__name__)

KEY_TAG = "automl.key"
"""Tag with ``<study id>/<run key>``: how a run is found again."""

# Without it the web interface opens on its pages for language models.
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
LOG_TAIL_BYTES = 64 * 1024
"""How much of the end of a log is kept as an artifact."""

_MAX_METRICS = 900
_MAX_TAGS_AND_PARAMETERS = 90
_TRANSIENT_STATUS = frozenset({401, 403, 408, 409, 429})


class UnreachableError(Exception):
    """The server did not answer, or not now; the same entries can be sent later."""


@dataclass(slots=True)
class _Batch:
    metrics: list[Metric] = field(default_factory=list)
    parameters: list[Param] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    entries: list[Upload] = field(default_factory=list)

    def add(self, entry: Upload) -> None:
        values = entry.data["values"]
        self.entries.append(entry)
        match entry.kind:
            case UploadKind.METRICS:
                step, time_ms = entry.data["step"], entry.data["time_ms"]
                self.metrics += [Metric(name, float(value), time_ms, step) for name, value in values.items()]
            case UploadKind.PARAMETERS:
                self.parameters += [Param(name, value) for name, value in values.items()]
            case _:
                self.tags.update(values)

    @property
    def is_full(self) -> bool:
        return len(self.metrics) >= _MAX_METRICS or len(self.parameters) + len(self.tags) >= _MAX_TAGS_AND_PARAMETERS


class Uploader:
    """One connection to one MLflow server for one study.

    Args:
        spool: Where entries come from and where run ids are kept.
        tracking_uri: The server.
        experiment: Name of the experiment; made if missing.
    """

    def __init__(self, spool: Outbox, tracking_uri: str, experiment: str) -> None:
        self._spool = spool
        self._uri = tracking_uri
        self._experiment = experiment
        self._study_id = spool.study_id
        self._client: MlflowClient | None = None
        self._experiment_id = ""
        self.state = spool.load_state(tracking_uri)

    def send_pending(self) -> bool:
        """Send what the queue holds, at most 5000 entries, and note how far it got.

        Returns:
            True if anything was sent.

        Raises:
            UnreachableError: the server did not answer; nothing is lost, call again.
        """
        entries, offset = self._spool.read(self.state.offset)
        if not entries:
            return False
        try:
            with _transient_as_unreachable():
                self._connect()
                self._send(entries)
        except UnreachableError as error:
            self._note(is_reachable=False, problem=str(error))
            raise
        self.state.offset = offset
        self._note(is_reachable=True, problem="")
        return True

    def _note(self, *, is_reachable: bool, problem: str) -> None:
        self.state.is_reachable, self.state.problem = is_reachable, problem
        self._spool.save_state(self._uri, self.state)

    def _connect(self) -> MlflowClient:
        if self._client is None:
            with _first_touch_lock(self._uri):
                client = MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)
                self._experiment_id = _experiment_id(client, self._experiment, self._uri)
                self.state.experiment_id = self._experiment_id
            self._client = client
        return self._client

    def _send(self, entries: Sequence[Upload]) -> None:
        batches: dict[str, _Batch] = {}
        for entry in entries:
            if entry.kind in {UploadKind.METRICS, UploadKind.PARAMETERS, UploadKind.TAGS}:
                batch = batches.setdefault(entry.run, _Batch())
                batch.add(entry)
                if batch.is_full:
                    self._log(entry.run, batches.pop(entry.run))
            else:
                if entry.run in batches:
                    self._log(entry.run, batches.pop(entry.run))
                self._guarded(entry)
        for run, batch in batches.items():
            self._log(run, batch)

    def _log(self, run: str, batch: _Batch) -> None:
        client = self._connect()
        tags = [RunTag(name, value) for name, value in batch.tags.items()]
        try:
            client.log_batch(
                self._run_id(run), metrics=batch.metrics, params=batch.parameters, tags=tags, synchronous=True
            )
        except MlflowException as error:
            if _is_transient(error):
                raise
            if len(batch.entries) == 1:
                self._reject(batch.entries[0], error)
                return
            for entry in batch.entries:
                alone = _Batch()
                alone.add(entry)
                self._log(run, alone)

    def _guarded(self, entry: Upload) -> None:
        try:
            self._apply(entry)
        except MlflowException as error:
            if _is_transient(error):
                raise
            self._reject(entry, error)

    def _apply(self, entry: Upload) -> None:
        client = self._connect()
        match entry.kind:
            case UploadKind.RUN:
                self._open_run(entry)
            case UploadKind.ARTIFACT:
                self._log_artifact(entry)
            case UploadKind.MODEL:
                register(client, self._run_id(entry.run), entry.data, self._spool.root.parent, self._study_id)
            case UploadKind.END:
                client.set_terminated(self._run_id(entry.run), entry.data["status"], entry.data["end_ms"])
            case _:
                raise AssertionError(entry.kind)

    def _open_run(self, entry: Upload) -> None:
        client = self._connect()
        run_id = self.state.run_ids.get(entry.run) or self._find_run(entry.run)
        tags = {**entry.data["tags"], KEY_TAG: f"{self._study_id}/{entry.run}", MLFLOW_RUN_NAME: entry.data["name"]}
        if entry.data["parent"] is not None:
            tags[MLFLOW_PARENT_RUN_ID] = self._run_id(entry.data["parent"])
        if run_id is None:
            run = client.create_run(
                self._experiment_id, start_time=entry.data["start_ms"], tags=tags, run_name=entry.data["name"]
            )
            run_id = run.info.run_id
        else:
            client.update_run(run_id, status=RunStatus.to_string(RunStatus.RUNNING))
            client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()], synchronous=True)
        self.state.run_ids[entry.run] = run_id
        self._spool.save_state(self._uri, self.state)

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
            raise MlflowException.invalid_parameter_value(f"the spool has no start of the run {run}")
        return run_id

    def _log_artifact(self, entry: Upload) -> None:
        file = self._spool.root.parent / entry.data["path"]
        if not file.is_file():
            self._spool.reject(entry, "the file is gone")
            return
        client, run_id, folder = self._connect(), self._run_id(entry.run), entry.data["folder"] or None
        if file.suffix == ".log" and file.stat().st_size > LOG_TAIL_BYTES:
            client.log_text(run_id, _tail(file), f"{folder}/{file.name}" if folder else file.name)
        else:
            client.log_artifact(run_id, str(file), folder)

    def _reject(self, entry: Upload, error: MlflowException) -> None:
        logger.warning("refused for good: %s of run %s: %s", entry.kind, entry.run, error)
        self._spool.reject(entry, str(error))


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
