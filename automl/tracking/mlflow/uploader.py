"""Follow a study's event log and send what it adds to an MLflow server, so that sending twice changes nothing.

A run is looked up by its own tag before it is made; a metric has the time at which it was measured, and MLflow
keeps one row per (run, key, step, time, value); parameters and tags are overwritten with themselves; a model version is
looked up by its tags. Files are sent after everything else: one that cannot be stored is tried again later and holds
nothing back. Importing this module imports MLflow (3 to 5 s): only the writer process does.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunStatus, RunTag
from mlflow.exceptions import ERROR_CODE_TO_HTTP_STATUS, MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from automl.skill.model import ConfigFormat
from automl.storage.event_log import read_log
from automl.storage.paths import PANELS
from automl.storage.plan_document import read_plan
from automl.storage.trainer_files import MOST_BYTES, open_made
from automl.tracking.mlflow.projection import Projection, Upload, UploadKind
from automl.tracking.mlflow.registry import register
from automl.tracking.mlflow.uri import ARTIFACTS, artifact_root, sqlite_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from automl.storage.paths import StudyPaths
    from automl.tracking.mlflow.folder import MlflowFolder

logger = logging.getLogger(__name__)

_KEY_TAG = "automl.key"
"""Tag with ``<study id>/<run key>``: how a run is found again."""

# Without it the web interface opens on its pages for language models.
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
_LOG_TAIL_BYTES = 64 * 1024
"""How much of the end of a log is kept as an artifact."""

# These copy files, which may fail where the store of artifacts does and the server does not.
_OF_FILES = {UploadKind.ARTIFACT, UploadKind.TRIAL_FILES, UploadKind.ACTION_FILES, UploadKind.MODEL}
_MAX_PANELS = 32
_MAX_PART = 5000
_SAVE_INTERVAL_S = 1.0
_TRANSIENT_STATUS = frozenset({401, 403, 408, 409, 429})


class UnreachableError(Exception):
    """The server did not answer, or not now; the same can be sent later."""


class Uploader:
    """One connection to one MLflow server for one study; the experiment is made if it is missing.

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
        self._part: tuple[list[Upload], int, int] | None = None
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
        uploads, position, queue_position = self._part
        try:
            self._send([upload for upload in uploads if upload.kind not in _OF_FILES])
        except (MlflowException, OSError) as error:
            self._save(str(error) if isinstance(error, MlflowException) else f"{type(error).__name__}: {error}")
            raise UnreachableError(self.state.problem) from error
        for upload in uploads:
            self.state.files += _artifacts(upload, self._folder.study) if upload.kind in _OF_FILES else ()
        self.state.position, self.state.queue_position = position, queue_position
        self._part = None
        self._save()
        return True

    def _next_part(self) -> tuple[list[Upload], int, int] | None:
        """Return uploads that are not sent yet, and the positions in log and queue behind them; None if all is sent."""
        position = self.state.position
        uploads, queue_position = self._folder.read_queue(self.state.queue_position, limit=_MAX_PART)
        if not uploads:
            for entry in read_log(self._folder.study.events_file, position):
                uploads += self._projection.uploads(entry)
                position = entry.end
                if len(uploads) >= _MAX_PART:
                    break
        is_new = (position, queue_position) != (self.state.position, self.state.queue_position)
        return (uploads, position, queue_position) if is_new else None

    def _send_next_file(self) -> bool:
        """Send a file. One that fails becomes the last of those to send."""
        files = self.state.files
        if not files:
            return False
        upload = files.pop(0)
        try:
            self._store(upload)
        except Exception as error:  # stores of artifacts raise the errors of their own libraries
            if not isinstance(error, MlflowException) or _is_transient(error):
                files.append(upload)
                self._save(f"{type(error).__name__}: {error}")
                raise UnreachableError(self.state.problem) from error
            self._reject(upload, error)
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
        """Send uploads in their order for each run; what a run gets between its start and its end goes together."""
        client, waiting = self._connect(), dict[str, list[Upload]]()
        for upload in uploads:
            if upload.kind not in {UploadKind.RUN, UploadKind.END}:
                waiting.setdefault(upload.run, []).append(upload)
                continue
            if upload.run in waiting:
                self._log(upload.run, waiting.pop(upload.run))
            try:
                if upload.kind is UploadKind.RUN:
                    self._open_run(client, upload)
                else:
                    client.set_terminated(self._run_id(upload.run), upload.data["status"], upload.data["end_ms"])
            except MlflowException as error:
                self._reject(upload, error)
        for run, left in waiting.items():
            self._log(run, left)

    def _log(self, run: str, uploads: list[Upload]) -> None:
        """Log metrics, parameters and tags; where the server refuses them, each half, down to what it refuses."""
        metrics, parameters, tags = list[Metric](), list[Param](), dict[str, str]()
        for upload in uploads:
            values, data = upload.data["values"], upload.data
            match upload.kind:
                case UploadKind.METRICS:
                    metrics += [Metric(name, float(v), data["time_ms"], data["step"]) for name, v in values.items()]
                case UploadKind.PARAMETERS:
                    parameters += [Param(name, value) for name, value in values.items()]
                case _:
                    tags.update(values)
        run_tags = [RunTag(name, value) for name, value in tags.items()]
        try:
            self._connect().log_batch(self._run_id(run), metrics, parameters, run_tags, synchronous=True)
        except MlflowException as error:
            if len(uploads) == 1 or _is_transient(error):
                self._reject(uploads[0], error)
                return
            middle = len(uploads) // 2
            self._log(run, uploads[:middle])
            self._log(run, uploads[middle:])

    def _open_run(self, client: MlflowClient, upload: Upload) -> None:
        data, key = upload.data, f"{self._study_id}/{upload.run}"
        tags = {**data["tags"], _KEY_TAG: key, MLFLOW_RUN_NAME: data["name"]}
        if data["parent"] is not None:
            tags[MLFLOW_PARENT_RUN_ID] = self._run_id(data["parent"])
        run_id = self.state.run_ids.get(upload.run)
        if run_id is None:
            found = client.search_runs([self._experiment_id], f"tags.`{_KEY_TAG}` = '{key}'", max_results=1)
            run_id = found[0].info.run_id if found else None
        if run_id is None:
            run = client.create_run(self._experiment_id, data["start_ms"], tags=tags, run_name=data["name"])
            run_id = run.info.run_id
        else:
            client.update_run(run_id, status=RunStatus.to_string(RunStatus.RUNNING))
            client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()], synchronous=True)
        self.state.run_ids[upload.run] = run_id
        self._save()

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
        try:
            limit = None if file.suffix == ".log" else MOST_BYTES
            stream = open_made(self._folder.study.maker_of(file), file, most_bytes=limit)
        except OSError as error:
            raise MlflowException.invalid_parameter_value(f"the file is gone or refused: {error}") from error
        with stream, tempfile.TemporaryDirectory() as temporary:
            # A copy: by its path MLflow would follow what the file may be replaced by meanwhile.
            copy = Path(temporary) / file.name
            copy.write_bytes(_shortened(file, stream))
            client.log_artifact(run_id, str(copy), folder)

    def _reject(self, upload: Upload, error: MlflowException) -> None:
        """Set an upload aside that the server refuses for good; raise the error where it may take it later."""
        if _is_transient(error):
            raise error
        logger.warning("refused for good: %s of run %s: %s", upload.kind, upload.run, error)
        self._folder.reject(upload, str(error))


def _shortened(file: Path, stream: BinaryIO) -> bytes:
    """Return the content of a file; of a log that is longer, its end."""
    size = os.fstat(stream.fileno()).st_size
    if file.suffix != ".log" or size <= _LOG_TAIL_BYTES:
        return stream.read(MOST_BYTES)
    stream.seek(-_LOG_TAIL_BYTES, os.SEEK_END)
    _, _, tail = stream.read(_LOG_TAIL_BYTES).partition(b"\n")
    return b"[... the last %d KiB ...]\n" % (_LOG_TAIL_BYTES // 1024) + tail


def _artifacts(upload: Upload, study: StudyPaths) -> list[Upload]:
    """Return one artifact for each of the small files of an attempt or an action; any other upload as it is."""
    match upload.kind:
        case UploadKind.TRIAL_FILES:
            attempt = study.attempt(upload.data["trial"], upload.data["attempt"])
            specs = [attempt.spec_file(config_format) for config_format in ConfigFormat]
            files = [*specs, attempt.log_file, attempt.status_file, *sorted(attempt.status_files())[:1]]
            files = list(dict.fromkeys([*files, *attempt.panels()[-_MAX_PANELS:]]))
        case UploadKind.ACTION_FILES:
            products = (study.root / name for name in upload.data["files"])
            small = [file for file in products if file.is_file() and file.stat().st_size <= MOST_BYTES]
            files = [study.action(upload.run).log_file, *small[:_MAX_PANELS]]
        case _:
            return [upload]
    kept = [(study.relative(file), PANELS if file.parent.name == PANELS else "") for file in files if file.is_file()]
    return [Upload(UploadKind.ARTIFACT, upload.run, {"path": path, "folder": folder}) for path, folder in kept]


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
    """Let one process at a time make the tables of a new sqlite file; two at once fail in the migration.

    The store is made for this user alone: logs and specs are copied into it.
    """
    file = sqlite_file(tracking_uri)
    if file is None:
        yield
        return
    for folder in (file.parent, file.parent / ARTIFACTS):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = Path(f"{file}.lock")
    for made in (file, lock):
        made.touch(mode=0o600)
    with lock.open("w", encoding="utf-8") as stream:
        flock(stream, LOCK_EX)
        yield


def _is_transient(error: MlflowException) -> bool:
    status = ERROR_CODE_TO_HTTP_STATUS.get(error.error_code, 500)
    return status >= 500 or status in _TRANSIENT_STATUS  # noqa: PLR2004 # the HTTP class of server errors
