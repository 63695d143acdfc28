"""How far each MLflow server has the study: positions in the event log, and what belongs to them.

```
<study>/tracking/mlflow/
  study_id           32 hex digits, made once; part of every run's own key
  sent-<hash>.json   per tracking URI: the position in the log, the ids of its runs, the files still to send
  rejected.jsonl     uploads that a server refused for good, with its reason
  writer.log         what the writer process and MLflow printed
  writer.lock        locked by the process that sends
```
The log is never shortened: a second server gets it from its beginning. The version before kept a queue of uploads
beside the log (`StudyPaths.outbox`). For its studies the queue is sent to its end, then the log from where that
version stopped writing it.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError
from automl.storage.documents import from_json, read_document, to_json, write_document, write_text
from automl.storage.event_log import read_log
from automl.study.events import ActionEnded, Evaluated, FileAttached, ModelRegistered, StudyStarted
from automl.tracking.mlflow.projection import Upload
from automl.tracking.mlflow.uri import without_password

if TYPE_CHECKING:
    from pathlib import Path

    from automl.storage.paths import StudyPaths


@dataclass(slots=True, kw_only=True)
class UploadState:
    """What one server has.

    Attributes:
        position: Bytes of the event log of which it has everything but files.
        files: Uploads of files up to there that it does not have yet.
        queue_position: Bytes that it has of the queue of the version before.
        run_ids: Key of a run -> its id there.
        experiment_id: The experiment's id there; None before the first contact.
        problem: Why the last attempt failed; empty if it did not.
    """

    position: int = 0
    files: list[Upload] = field(default_factory=list)
    queue_position: int = 0
    run_ids: dict[str, str] = field(default_factory=dict)
    experiment_id: str | None = None
    problem: str = ""


class MlflowFolder:
    """The folder of one study; it is made when something is written."""

    def __init__(self, study: StudyPaths) -> None:
        self.study = study
        self.root = study.mlflow
        self.log_file = self.root / "writer.log"
        self.lock_file = self.root / "writer.lock"

    @property
    def study_id(self) -> str:
        """The study's own id, made on first use.

        Raises:
            OSError: the folder cannot be written.
        """
        file, before = self.root / "study_id", self.study.outbox / "study_id"
        if not file.is_file():
            write_text(file, before.read_text(encoding="utf-8") if before.is_file() else uuid.uuid4().hex)
        return file.read_text(encoding="utf-8").strip()

    def load_state(self, tracking_uri: str) -> UploadState:
        """Read what a server has; nothing if it never got anything, or if the file cannot be read.

        A position behind the end of the log means that an older log was put back: it is sent from its beginning.
        """
        file, log = self._state_file(tracking_uri), self.study.events_file
        try:
            state = read_document(file, UploadState)
            return state if log.is_file() and state.position <= log.stat().st_size else replace(state, position=0)
        except (FileNotFoundError, ConfigurationError):  # it gets everything again, which changes nothing
            if not self.study.outbox.is_dir():
                return UploadState()
        file = self.study.outbox / file.name
        before: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        return UploadState(
            position=_end_of_version_before(log),
            queue_position=before.get("offset", 0),
            run_ids=before.get("run_ids", {}),
            experiment_id=before.get("experiment_id"),
        )

    def save_state(self, tracking_uri: str, state: UploadState) -> None:
        """Write what a server has, at once or not at all.

        Raises:
            OSError: the folder cannot be written.
        """
        write_document(self._state_file(tracking_uri), state)

    def is_complete(self, tracking_uri: str) -> bool:
        """Tell whether a server has the whole study."""
        state = self.load_state(tracking_uri)
        is_sent = not state.files and not self.read_queue(state.queue_position, limit=1)[0]
        return is_sent and next(read_log(self.study.events_file, state.position), None) is None

    def read_queue(self, position: int, *, limit: int) -> tuple[list[Upload], int]:
        """Return at most ``limit`` uploads of the queue of the version before, and the position behind the last one."""
        uploads: list[Upload] = []
        with suppress(FileNotFoundError), (self.study.outbox / "queue.jsonl").open("rb") as stream:
            stream.seek(position)
            for line in stream:
                if len(uploads) == limit or not line.endswith(b"\n"):
                    break
                uploads.append(from_json(json.loads(line), Upload))
                position += len(line)
        return uploads, position

    def reject(self, upload: Upload, reason: str) -> None:
        """Note an upload that the server refused for good."""
        with (self.root / "rejected.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({**to_json(upload), "reason": reason}) + "\n")

    def _state_file(self, tracking_uri: str) -> Path:
        # Without a password it is the same server: a resume and `sync` know the address without it.
        address = without_password(tracking_uri)
        return self.root / f"sent-{hashlib.sha256(address.encode()).hexdigest()[:12]}.json"


def _end_of_version_before(log: Path) -> int:
    """Return how many bytes of a log the version before has written, or `upgrade_log` from what it wrote."""
    position = 0
    for entry in read_log(log):
        is_started = isinstance(entry.event, StudyStarted) and entry.event.environment
        if is_started or isinstance(entry.event, ActionEnded | Evaluated | ModelRegistered | FileAttached):
            break
        position = entry.end
    return position
