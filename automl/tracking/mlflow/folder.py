"""How far each MLflow server has the study: positions in the event log, and what belongs to them.

```
<study>/tracking/mlflow/
  study_id           part of every run's own key, see `automl.tracking.mlflow.study_id`
  study_id.lock      locked while one is made
  sent-<hash>.json   per tracking URI: the position in the log, the ids of its runs, the files still to send, the files
                     that could not be stored, each with its cause
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
import logging
import stat
import uuid
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fcntl import LOCK_EX, flock
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError, counted
from automl.regular_file import open_to_append
from automl.storage.documents import (
    first_line,
    from_json,
    read_lines,
    to_json,
    to_line,
    torn_file,
    write_text,
)
from automl.storage.event_log import read_log
from automl.storage.own_documents import read_own, token_of, write_own
from automl.storage.paths import StudyPaths, make_folder
from automl.storage.plan_document import read_plan
from automl.storage.portable import made_portable
from automl.storage.study_directory import read_record, write_record
from automl.storage.study_document import study_document
from automl.study.events import ActionEnded, Evaluated, FileAttached, ModelRegistered, StudyStarted
from automl.tracking.mlflow.study_id import NAME, is_noted, original_of, read_study_id, write_study_id
from automl.tracking.mlflow.uploads import STUDY_RUN, Upload
from automl.tracking.mlflow.uri import sqlite_file, without_password

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SHOWN = 3


@dataclass(slots=True, kw_only=True)
class FailedUpload:
    """An upload of a file that could not be stored; it is tried again.

    Attributes:
        upload: What it is.
        problem: Why it failed last.
        attempts: How often it failed.
    """

    upload: Upload
    problem: str
    attempts: int = 1

    @property
    def cause(self) -> str:
        """The problem without its details, which differ from file to file."""
        return self.problem.partition(" (")[0]


logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class UploadState:
    """What one server has.

    Attributes:
        position: Bytes of the event log of which it has everything but files.
        files: Uploads of files up to there that it does not have yet and that were not tried.
        failed: Those that were tried and could not be stored.
        queue_position: Bytes that it has of the queue of the version before.
        run_ids: Key of a run -> its id there.
        experiment_id: The experiment's id there; None before the first contact.
        problem: Why the server did not take the last part of the log; empty if it did.
        model: The last version that was registered, and whether it became the champion.
        has_view: Whether the experiment has the tag that the study's view in the web interface is read from.
    """

    position: int = 0
    files: list[Upload] = field(default_factory=list)
    failed: list[FailedUpload] = field(default_factory=list)
    queue_position: int = 0
    run_ids: dict[str, str] = field(default_factory=dict)
    experiment_id: str | None = None
    problem: str = ""
    model: str = ""
    has_view: bool = False


class MlflowFolder:
    """The folder of one study; it is made when something is written."""

    def __init__(self, study: StudyPaths) -> None:
        self.study = study
        self.root = study.mlflow
        self.log_file = self.root / "writer.log"
        self.lock_file = self.root / "writer.lock"
        self._rejected_file = self.root / "rejected.jsonl"

    def own_id(self, tracking_uri: str) -> str:
        """Return the study's own id for what is sent to a server: made on first use, and another one for a copy.

        Raises:
            OSError: the folder cannot be written.
            ConfigurationError: the id cannot be read, or was changed.
        """
        known = read_study_id(self.study)
        if known is not None and is_noted(self.study, known) and original_of(self.study, tracking_uri) is None:
            return known.digits
        make_folder(self.root, below=self.study.root)
        # Of two commands that begin at once, such as two actions on a copy, the second one takes what the first made.
        with open_to_append(self.root / f"{NAME}.lock") as stream:
            flock(stream, LOCK_EX)
            return self._claimed_id(tracking_uri)

    def _claimed_id(self, tracking_uri: str) -> str:
        """Return the id that is to be noted for this study here."""
        known, original = read_study_id(self.study), original_of(self.study, tracking_uri)
        if known is not None and original is None:
            if not is_noted(self.study, known):
                write_study_id(self.study, known.digits)  # it was moved, or made by a version before
            return known.digits
        if original is not None:
            self._forget_servers()
            text = "%s is a copy of %s: MLflow gets all of it under a new id, and what it has of %s stays as it is"
            logger.warning(text, self.study.root, original, original.name)
        digits = uuid.uuid4().hex
        write_study_id(self.study, digits)
        return digits

    def _forget_servers(self) -> None:
        """Note that no server has anything of this study. That comes first: with a new id alone its runs are others."""
        for folder in (self.root, self.study.outbox):
            for file in folder.glob("sent-*.json"):
                make_folder(self.root, below=self.study.root)
                write_own(self.study, self.root / file.name, self.first_state())
        if self._rejected_file.is_file():
            write_text(self._rejected_file, "")
        if (record := read_record(self.study.root)) is not None:
            write_record(self.study, replace(record, run_id=None), self.study.root.parent)

    def known_id(self) -> str | None:
        """Return the study's id; None before its first use.

        Raises:
            ConfigurationError: it cannot be read, or was changed.
        """
        known = read_study_id(self.study)
        return None if known is None else known.digits

    def is_copy(self, tracking_uri: str) -> bool:
        """Tell whether what servers have is of the study of which this one is a copy."""
        try:
            return original_of(self.study, tracking_uri) is not None
        except ConfigurationError:
            return False  # `check` names it before anything is sent

    def check(self) -> None:
        """Read what a start of the study and `sync` will read.

        Raises:
            ConfigurationError: a file cannot be read, or was changed.
        """
        for file in (self.log_file, self.lock_file):
            found = "it is no file"  # which a writer could wait for, for ever
            try:
                is_file = stat.S_ISREG(file.stat().st_mode)
            except FileNotFoundError:
                continue
            except OSError as error:
                is_file, found = False, str(error.strerror)
            if not is_file:
                raise torn_file(file, found, "a file of ours, or none", "remove what is in its place")
        self.known_id()
        self.read_queue(0, limit=None)
        self.refused("")

    def load_state(self, tracking_uri: str) -> UploadState:
        """Read what a server has; nothing if it never got anything, or if the file cannot be read.

        A position behind the end of the log means that an older log was put back: it is sent from its beginning. A
        sqlite store that is not there has nothing; why it could not be made is known all the same. Of a copy of a
        study it has nothing.
        """
        if self.is_copy(tracking_uri):
            return self.first_state()
        file, log, store = self._state_file(tracking_uri), self.study.events_file, sqlite_file(tracking_uri)
        if store is not None and not store.is_file():
            state = self.first_state()
            with suppress(FileNotFoundError, ConfigurationError):
                state.problem = read_own(self.study, file, UploadState).problem
            return state
        try:
            state = read_own(self.study, file, UploadState)
            return state if log.is_file() and state.position <= log.stat().st_size else replace(state, position=0)
        except (FileNotFoundError, ConfigurationError) as error:
            if isinstance(error, ConfigurationError):
                _say_unused(file, error.problems[0].found)
            if not self.study.outbox.is_dir():
                return UploadState()
        file = self.study.outbox / file.name
        before = read_own(self.study, file, dict[str, Any]) if file.is_file() else {}
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
        make_folder(self.root, below=self.study.root)
        write_own(self.study, self._state_file(tracking_uri), state)

    def first_state(self) -> UploadState:
        """Return the state of a server that has nothing of the study."""
        is_of_before = self.study.outbox.is_dir()
        return UploadState(position=_end_of_version_before(self.study.events_file) if is_of_before else 0)

    def is_complete(self, tracking_uri: str) -> bool:
        """Tell whether a server has the whole study."""
        return not self.missing(tracking_uri)

    def missing(self, tracking_uri: str) -> tuple[str, ...]:
        """Say what a server does not have, each with the cause where one is known; nothing if it has everything."""
        state, found = self.load_state(tracking_uri), []
        try:
            is_read = next(read_log(self.study.events_file, state.position, is_strict=True), None) is None
        except ConfigurationError:
            is_read = False  # what a damaged line held was not sent
        if not is_read or self.read_queue(state.queue_position, limit=1)[0]:
            what = "the newest metrics, parameters and tags" if state.position else "everything"
            found.append(f"{what}: {state.problem or 'not sent yet'}")
        untried = [FailedUpload(upload=upload, problem="not sent yet", attempts=0) for upload in state.files]
        by_cause: dict[str, list[FailedUpload]] = {}
        for failed in [*state.failed, *untried]:
            by_cause.setdefault(failed.cause, []).append(failed)
        for alike in by_cause.values():
            more = f" and {len(alike) - _SHOWN} more" if len(alike) > _SHOWN else ""
            titles = ", ".join(sorted(failed.upload.title for failed in alike)[:_SHOWN])
            found.append(f"{counted(len(alike), 'file')} ({titles}{more}): {alike[0].problem}")
        return tuple(found)

    def read_queue(self, position: int, *, limit: int | None) -> tuple[list[Upload], int]:
        """Return at most ``limit`` uploads of the queue of the version before, and the position behind the last one.

        Raises:
            ConfigurationError: a line cannot be read.
        """
        uploads: list[Upload] = []
        file = self.study.outbox / "queue.jsonl"
        for upload, _, end in islice(_read_uploads(file, token_of(self.study), position), limit):
            uploads.append(upload)
            position = end
        return uploads, position

    def reject(self, tracking_uri: str, upload: Upload, reason: str) -> None:
        """Note an upload that a server refused for good."""
        line = {**to_json(upload), "server": without_password(tracking_uri), "reason": reason}
        with open_to_append(self._rejected_file) as stream:
            stream.write(to_line(line, token=token_of(self.study)).encode())

    def refused(self, tracking_uri: str) -> tuple[str, ...]:
        """Say what a server refused for good, each with its reason.

        Raises:
            ConfigurationError: a line cannot be read, or was changed.
        """
        server = without_password(tracking_uri)
        found = [(upload, line) for upload, line, _ in _read_uploads(self._rejected_file, token_of(self.study))]
        kept = [f"{up.title}: {line.get('reason')}" for up, line in found if line.get("server", server) == server]
        return tuple(dict.fromkeys(kept))

    def _state_file(self, tracking_uri: str) -> Path:
        # Without a password it is the same server: a resume and `sync` know the address without it. A sqlite store
        # moves with the study.
        address = made_portable(without_password(tracking_uri), self.study.root, self.study.root.parent)
        return self.root / f"sent-{hashlib.sha256(address.encode()).hexdigest()[:12]}.json"


def recorded_document(root: Path) -> dict[str, Any]:
    """Return the JSON form of a study, with its model, what its server does not have and what it has refused.

    Raises:
        ConfigurationError: the folder is no study directory.
    """
    return {**study_document(root), "mlflow": record_document(root)}


def record_document(root: Path) -> dict[str, Any]:
    """Return the part of `recorded_document` about the record, which needs no trial; raises as it does."""
    folder = MlflowFolder(StudyPaths(root))
    document: dict[str, Any] = to_json(read_record(root) or read_plan(folder.study).mlflow)
    uri = document["tracking_uri"]
    document |= {"missing": list(folder.missing(uri)), "refused": list(folder.refused(uri))}
    state = folder.load_state(uri)
    # `record.json` was written at the end of the run, before `sync` made the study's run or made it anew.
    known = None if folder.is_copy(uri) else document["run_id"]
    return {**document, "run_id": state.run_ids.get(STUDY_RUN, known), "model": state.model}


def _read_uploads(file: Path, token: str, position: int = 0) -> Iterator[tuple[Upload, dict[str, Any], int]]:
    """Yield the upload of each line from an offset on, the line, and the offset behind it."""
    for line, end in read_lines(file, position, token=token):
        try:
            upload = from_json(line, Upload)
        except ValueError as error:
            fix = "restore it from a copy, or delete the line: what it holds is not sent then"
            raise torn_file(file, f"before byte {end}: {first_line(error)}", "one upload per line", fix) from error
        yield upload, line, end


@cache
def _say_unused(file: Path, found: str) -> None:
    logger.warning("%s is %s: everything is sent again, which changes nothing", file, found)


def _end_of_version_before(log: Path) -> int:
    """Return how many bytes of a log the version before has written, or `upgrade_log` from what it wrote."""
    position = 0
    for entry in read_log(log):
        is_started = isinstance(entry.event, StudyStarted) and entry.event.environment
        if is_started or isinstance(entry.event, ActionEnded | Evaluated | ModelRegistered | FileAttached):
            break
        position = entry.end
    return position
