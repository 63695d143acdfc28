"""Follow a study's event log and send what it adds to an MLflow server, so that sending twice changes nothing.

A run is looked up by its own tag before it is made; a metric has the time at which it was measured, and MLflow
keeps one row per (run, key, step, time, value); parameters and tags are overwritten with themselves. Files are only
put on a list here: `automl.tracking.mlflow.files` sends them, meanwhile and for itself. Where a run was deleted,
everything is sent again, and it is made anew. Importing this module imports MLflow (3 to 5 s): only the writer process
does.
"""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LifecycleStage, Metric, Param, RunStatus, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from automl.storage.event_log import read_log
from automl.storage.plan_document import read_plan
from automl.tracking.mlflow.failures import explain, http_status, is_refusal
from automl.tracking.mlflow.new_store import first_touch_lock
from automl.tracking.mlflow.projection import Projection
from automl.tracking.mlflow.uploads import OF_FILES, STUDY_RUN, Upload, UploadKind, files_of
from automl.tracking.mlflow.uri import artifact_root, store_address
from automl.tracking.mlflow.view import view_tag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from automl.tracking.mlflow.folder import MlflowFolder

logger = logging.getLogger(__name__)

_KEY_TAG = "automl.key"
"""Tag with ``<study id>/<run key>``: how a run is found again."""

# Without it the web interface opens on its pages for language models.
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
_MAX_PART = 5000
_TOO_LARGE = 413


class UnreachableError(Exception):
    """The server did not answer, or not now; the same can be sent later."""


class _RunDeletedError(Exception):
    """A run that was made is deleted; it is to be made anew."""


class Uploader:
    """One connection to one MLflow server for one study; the experiment is made if it is missing.

    Raises:
        ConfigurationError: the study's plan or the position cannot be read.
    """

    def __init__(self, folder: MlflowFolder, tracking_uri: str, experiment: str) -> None:
        self._folder = folder
        self._uri = tracking_uri
        self._experiment = experiment
        self._client: MlflowClient | None = None
        self._part: tuple[list[Upload], int, int] | None = None
        self._is_checked = False
        self.study_id = folder.own_id(tracking_uri)
        self.experiment_id = ""
        self.lock = threading.RLock()
        """Held where the state is changed, by the log or by the files."""
        self.state = folder.load_state(tracking_uri)
        self._begin()

    def _begin(self) -> None:
        self._plan = read_plan(self._folder.study)
        self._projection = Projection(self._plan, self._folder.study)
        for entry in read_log(self._folder.study.events_file, is_strict=True):
            if entry.end > self.state.position:
                break
            self._projection.uploads(entry)  # the server has it; the projection has to know it

    def send_pending(self) -> bool:
        """Send the next part of the log, and note how far the server has it and which files belong to it.

        Returns:
            True if there was anything to send.

        Raises:
            UnreachableError: the server did not take it; nothing is lost, call again.
        """
        self._part = self._part or self._next_part()
        uploads, position, queue_position = self._part or ([], self.state.position, self.state.queue_position)
        try:
            if not self._is_checked:
                self._check_is_there(STUDY_RUN)
                self._is_checked = True
            if self._part is None:
                return False
            self._send([upload for upload in uploads if upload.kind not in OF_FILES])
        except _RunDeletedError as error:
            logger.warning("%s; everything is sent again", error)
            self._forget()
            return True
        except Exception as error:  # MLflow, and what lies below it, raise errors of many libraries
            self.save(explain(error))
            raise UnreachableError(self.state.problem) from error
        with self.lock:
            for upload in uploads:
                self.state.files += files_of(upload, self._folder.study) if upload.kind in OF_FILES else ()
            self.state.position, self.state.queue_position = position, queue_position
            self._part = None
            self.save()
        return True

    def _forget(self) -> None:
        """Begin with the log again, as for a server that was never seen: its runs are found by their tags."""
        with self.lock:
            self.state = self._folder.first_state()
            self._part = None
            self._begin()
            self.save()

    def _next_part(self) -> tuple[list[Upload], int, int] | None:
        """Return uploads that are not sent yet, and the positions in log and queue behind them; None if all is sent."""
        position = self.state.position
        uploads, queue_position = self._folder.read_queue(self.state.queue_position, limit=_MAX_PART)
        if not uploads:
            for entry in read_log(self._folder.study.events_file, position, is_strict=True):
                uploads += self._projection.uploads(entry)
                position = entry.end
                if len(uploads) >= _MAX_PART:
                    break
        is_new = (position, queue_position) != (self.state.position, self.state.queue_position)
        return (uploads, position, queue_position) if is_new else None

    def save(self, problem: str = "") -> None:
        """Write what the server has, and why it did not take the last part of the log."""
        with self.lock:
            self.state.problem = problem
            self._folder.save_state(self._uri, self.state)

    def connect(self) -> MlflowClient:
        """Return the client; the first call makes the experiment if it is missing.

        Raises:
            OSError: the study is gone: its store, which mostly lies beside it, is not made again.
        """
        self._folder.study.root.stat()
        with self.lock:
            if self._client is None:
                address = store_address(self._uri)
                with first_touch_lock(self._uri):
                    client = MlflowClient(tracking_uri=address, registry_uri=address)
                    self.experiment_id = _experiment_id(client, self._experiment, self._uri)
                self._client = client
            self.state.experiment_id = self.experiment_id
            return self._client

    def _send(self, uploads: Sequence[Upload]) -> None:
        """Send uploads in their order for each run; what a run gets between its start and its end goes together."""
        client, waiting = self.connect(), dict[str, list[Upload]]()
        for upload in uploads:
            if upload.kind not in {UploadKind.RUN, UploadKind.INPUTS, UploadKind.END}:
                waiting.setdefault(upload.run, []).append(upload)
                continue
            if upload.run in waiting:
                self._log(upload.run, waiting.pop(upload.run))
            try:
                if upload.kind is UploadKind.RUN:
                    self._open_run(client, upload)
                elif upload.kind is UploadKind.INPUTS:
                    client.log_inputs(self.run_id(upload.run), [*map(_dataset, upload.data["datasets"])])
                else:
                    client.set_terminated(self.run_id(upload.run), upload.data["status"], upload.data["end_ms"])
            except MlflowException as error:
                self._reject([upload], error)
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
            self.connect().log_batch(self.run_id(run), metrics, parameters, run_tags, synchronous=True)
        except MlflowException as error:
            if len(uploads) == 1 or not (is_refusal(error) or http_status(error) == _TOO_LARGE):
                self._reject(uploads, error)
                return
            self._check_is_there(run)
            middle = len(uploads) // 2
            self._log(run, uploads[:middle])
            self._log(run, uploads[middle:])

    def _open_run(self, client: MlflowClient, upload: Upload) -> None:
        data, key = upload.data, f"{self.study_id}/{upload.run}"
        tags = {**data["tags"], _KEY_TAG: key, MLFLOW_RUN_NAME: data["name"]}
        if data["parent"] is not None:
            tags[MLFLOW_PARENT_RUN_ID] = self.run_id(data["parent"])
        run_id = self.state.run_ids.get(upload.run)
        if run_id is None:
            found = client.search_runs([self.experiment_id], f"tags.`{_KEY_TAG}` = '{key}'", max_results=1)
            run_id = found[0].info.run_id if found else None
        if run_id is None:
            run = client.create_run(self.experiment_id, data["start_ms"], tags=tags, run_name=data["name"])
            run_id = run.info.run_id
        else:
            client.update_run(run_id, status=RunStatus.to_string(RunStatus.RUNNING))
            client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()], synchronous=True)
        with self.lock:
            self.state.run_ids[upload.run] = run_id
            self.save()
        if upload.run == STUDY_RUN:
            self._set_view(client)

    def _set_view(self, client: MlflowClient) -> None:
        """Store how the web interface shows the study; a server that refuses it shows MLflow's own comparison."""
        try:
            client.set_experiment_tag(self.experiment_id, *view_tag(self._plan, self.study_id))
        except MlflowException as error:
            if not is_refusal(error):
                raise
            logger.warning("the view of the study was refused: %s", error)
            return
        with self.lock:
            self.state.has_view = True
            self.save()

    def run_id(self, run: str) -> str:
        """Return the id of a run that was made.

        Raises:
            MlflowException: it was not.
        """
        run_id = self.state.run_ids.get(run)
        if run_id is None:
            raise MlflowException.invalid_parameter_value(f"the log has no start of the run {run}")
        return run_id

    def _check_is_there(self, run: str) -> None:
        """Raise `_RunDeletedError` where a run that was made is deleted."""
        if (run_id := self.state.run_ids.get(run)) is None:
            return
        try:
            is_deleted = self.connect().get_run(run_id).info.lifecycle_stage == LifecycleStage.DELETED
        except MlflowException as error:
            if not is_refusal(error):
                raise
            is_deleted = True  # for good, by `mlflow gc`
        if is_deleted:
            raise _RunDeletedError(f"the run {run_id} of {run} was deleted")

    def _reject(self, uploads: Sequence[Upload], error: MlflowException) -> None:
        """Set an upload aside that MLflow refuses for good; raise the error where it may take it later."""
        if not is_refusal(error) and not (len(uploads) == 1 and http_status(error) == _TOO_LARGE):
            raise error
        (upload,) = uploads
        self._check_is_there(upload.run)
        self.refuse(upload, error)

    def refuse(self, upload: Upload, error: Exception) -> None:
        """Set an upload aside for good."""
        logger.warning("refused for good: %s: %s", upload.title, error)
        self._folder.reject(self._uri, upload, explain(error))


def _dataset(found: Mapping[str, str]) -> DatasetInput:
    source = json.dumps({"uri": found["path"]})
    dataset = Dataset(found["name"], found["digest"], source_type="local", source=source)
    return DatasetInput(dataset, [InputTag(MLFLOW_DATASET_CONTEXT, found["context"])])


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
