"""Send the files of a study and its model version to an MLflow server, beside the log and never before it.

A file that cannot be stored is set aside with its cause and tried again, later each time; it holds no other one back.
Importing this module imports MLflow.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from mlflow.exceptions import MlflowException

from automl.storage.trainer_files import MOST_BYTES, open_made
from automl.tracking.mlflow.failures import explain, is_refusal
from automl.tracking.mlflow.folder import FailedUpload
from automl.tracking.mlflow.registry import register
from automl.tracking.mlflow.uploads import Upload, UploadKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.storage.paths import StudyPaths
    from automl.tracking.mlflow.uploader import Uploader

logger = logging.getLogger(__name__)

_LOG_TAIL_BYTES = 64 * 1024
"""How much of the end of a log is kept as an artifact."""

_SAVE_INTERVAL_S = 1.0
_RETRY_S = (5.0, 15.0, 60.0, 300.0)
_MAX_ALIKE = 3
"""So many files that fail for one reason, and the others are not tried any more at the end."""

_TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"
_SLOWEST_BYTES_PER_S = 2 * 1024 * 1024
"""A server answers after it has stored a file, which takes longer than any other request."""


class FileUploader:
    """Sends the files that an uploader has listed, from a thread of its own.

    Args:
        uploader: Its client, its state and its lock are used.
        study: Whose files are sent.
    """

    def __init__(self, uploader: Uploader, study: StudyPaths) -> None:
        self._uploader = uploader
        self._study = study
        self._saved_s = 0.0
        self._retry_at_s: dict[int, float] = {}

    def send_next(self) -> bool:
        """Send a file that was not tried, else one whose next try is due; return whether there was one."""
        with self._uploader.lock:
            state, now_s = self._uploader.state, time.monotonic()
            due = [failed for failed in state.failed if self._retry_at_s.get(id(failed), 0.0) <= now_s]
            failed = (
                FailedUpload(upload=state.files[0], problem="", attempts=0) if state.files else next(iter(due), None)
            )
        if failed is None:
            return False
        self._try(failed)
        return True

    def retry_failed(self) -> None:
        """Try each file once more that could not be stored, until some fail for the same reason."""
        causes = Counter[str]()
        for failed in list(self._uploader.state.failed):
            again = self._try(failed)
            causes.update([again.cause] if again else [])
            if _MAX_ALIKE in causes.values():
                return

    def _try(self, failed: FailedUpload) -> FailedUpload | None:
        """Send a file and note what became of it; return it as it failed, None if it did not."""
        upload, problem = failed.upload, ""
        try:
            self._store(upload)
        except Exception as error:  # noqa: BLE001 # stores of artifacts raise the errors of their own libraries
            if is_refusal(error):
                self._uploader.refuse(upload, error)
            else:
                problem = explain(error)
                logger.warning("not stored: %s: %s", upload.title, problem)
        with self._uploader.lock:
            state = self._uploader.state
            state.files = [one for one in state.files if one is not upload]
            state.failed = [one for one in state.failed if one is not failed]
            again = None
            if problem:
                again = replace(failed, problem=problem, attempts=failed.attempts + 1)
                self._retry_at_s = {id(one): self._retry_at_s.get(id(one), 0.0) for one in state.failed}
                self._retry_at_s[id(again)] = time.monotonic() + _RETRY_S[min(failed.attempts, len(_RETRY_S) - 1)]
                state.failed.append(again)
            if problem or not state.files or time.monotonic() - self._saved_s > _SAVE_INTERVAL_S:
                self._saved_s = time.monotonic()
                self._uploader.save(state.problem)
        return again

    def _store(self, upload: Upload) -> None:
        client, run_id, root = self._uploader.connect(), self._uploader.run_id(upload.run), self._study.root
        if upload.kind is UploadKind.MODEL:
            files = [root / name for name in upload.data["files"].values()]
            with _time_for(*files):
                self._uploader.state.model = register(client, run_id, upload.data, root, self._uploader.study_id)
            return
        content = content_of(upload, self._study)
        with tempfile.TemporaryDirectory() as temporary:
            # A copy: by its path MLflow would follow what the file may be replaced by meanwhile.
            copy = Path(temporary) / Path(upload.data["path"]).name
            copy.write_bytes(content)
            with _time_for(copy):
                client.log_artifact(run_id, str(copy), upload.data["folder"] or None)


def content_of(upload: Upload, study: StudyPaths) -> bytes:
    """Return what is stored of a file.

    Raises:
        MlflowException: it is gone or refused, or no longer what it was.
    """
    file = study.root / upload.data["path"]
    limit = None if file.suffix == ".log" else MOST_BYTES
    try:
        with open_made(study.maker_of(file), file, most_bytes=limit) as stream:
            content = _shortened(file, stream)
    except OSError as error:
        raise MlflowException.invalid_parameter_value(f"the file is gone or refused: {error}") from error
    if (digest := upload.data.get("sha256")) and hashlib.sha256(content).hexdigest() != digest:
        raise MlflowException.invalid_parameter_value(f"{file} was changed after it was written")
    return content


def _shortened(file: Path, stream: BinaryIO) -> bytes:
    """Return the content of a file; of a log that is longer, its end."""
    size = os.fstat(stream.fileno()).st_size
    if file.suffix != ".log" or size <= _LOG_TAIL_BYTES:
        return stream.read(MOST_BYTES)
    stream.seek(-_LOG_TAIL_BYTES, os.SEEK_END)
    _, _, tail = stream.read(_LOG_TAIL_BYTES).partition(b"\n")
    return b"[... the last %d KiB ...]\n" % (_LOG_TAIL_BYTES // 1024) + tail


@contextmanager
def _time_for(*files: Path) -> Iterator[None]:
    """Let requests take as long as these files may take to be stored."""
    sizes = (one.stat().st_size for file in files for one in (file, *file.rglob("*")) if one.is_file())
    before = os.environ.get(_TIMEOUT, "10")
    os.environ[_TIMEOUT] = str(int(before) + sum(sizes) // _SLOWEST_BYTES_PER_S)
    try:
        yield
    finally:
        os.environ[_TIMEOUT] = before
