"""The spool: what MLflow shall know, on disk first, so a dead server or a killed driver loses nothing.

```
<study>/mlflow-spool/
  study_id           32 hex digits, made once; part of every run's own key
  queue.jsonl        one entry per line, only ever appended to, with the time at which things happened
  sent-<hash>.json   per tracking URI: how far the queue was sent, and the run ids that the server gave
  rejected.jsonl     entries that the server refused for good, with its reason
  writer.log         what the writer process and MLflow printed
```
The queue is never shortened: sending it to a second server starts at its beginning. Sending is in
`automl.tracking.mlflow.writer`.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.storage.documents import write_document, write_text
from automl.tracking.mlflow.projection import Upload, UploadKind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FOLDER = "mlflow-spool"
"""Name of the spool inside a study directory."""


@dataclass(slots=True)
class UploadState:
    """How far the queue was sent to one tracking URI.

    Attributes:
        offset: Bytes of the queue that the server has.
        run_ids: Key of a run -> its id there.
        experiment_id: The experiment's id there; None before the first contact.
        is_reachable: Whether the last attempt succeeded; None before the first.
        problem: What went wrong last, in words.
    """

    offset: int = 0
    run_ids: dict[str, str] = field(default_factory=dict)
    experiment_id: str | None = None
    is_reachable: bool | None = None
    problem: str = ""


class Outbox:
    """The spool folder of one study.

    Args:
        root: The folder; made when the first entry is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._handle: int | None = None

    @property
    def queue_file(self) -> Path:
        """The queue."""
        return self.root / "queue.jsonl"

    @property
    def log_file(self) -> Path:
        """The writer's log."""
        return self.root / "writer.log"

    @property
    def study_id(self) -> str:
        """The study's own id, made on first use.

        Raises:
            OSError: the folder cannot be written.
        """
        file = self.root / "study_id"
        if not file.is_file():
            write_text(file, uuid.uuid4().hex)
        return file.read_text(encoding="utf-8").strip()

    def append(self, entries: Iterable[Upload], *, is_durable: bool = False) -> None:
        """Add entries to the queue in one write.

        Args:
            entries: In the order in which things happened.
            is_durable: Wait until the disk has them. Without it a power failure may lose them, a killed process not.

        Raises:
            OSError: the disk is full or the folder cannot be written.
            ValueError: an entry holds a number that is not finite.
        """
        text = "".join(
            json.dumps({"kind": entry.kind, "run": entry.run, "data": entry.data}, allow_nan=False) + "\n"
            for entry in entries
        )
        if self._handle is None:
            self.root.mkdir(parents=True, exist_ok=True)
            self._cut_torn_tail()
            self._handle = os.open(self.queue_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.write(self._handle, text.encode())
        if is_durable:
            os.fsync(self._handle)

    def read(self, offset: int, *, limit: int = 5000) -> tuple[list[Upload], int]:
        """Read whole entries from an offset.

        Returns:
            At most ``limit`` entries, and the offset behind the last of them.
        """
        if not self.queue_file.is_file():
            return [], offset
        entries: list[Upload] = []
        with self.queue_file.open("rb") as stream:
            stream.seek(offset)
            for line in stream:
                if len(entries) == limit or not line.endswith(b"\n"):
                    break
                document = json.loads(line)
                entries.append(Upload(UploadKind(document["kind"]), document["run"], document["data"]))
                offset += len(line)
        return entries, offset

    def has_run(self, key: str) -> bool:
        """Tell whether the queue holds the start of a run."""
        offset, entries = 0, [Upload(UploadKind.TAGS, "", {})]
        while entries:
            entries, offset = self.read(offset)
            if any(entry.kind is UploadKind.RUN and entry.run == key for entry in entries):
                return True
        return False

    def pending_bytes(self, tracking_uri: str) -> int:
        """Return how many bytes of the queue a server does not have yet."""
        size = self.queue_file.stat().st_size if self.queue_file.is_file() else 0
        return max(0, size - self.load_state(tracking_uri).offset)

    def load_state(self, tracking_uri: str) -> UploadState:
        """Read how far the queue was sent; the beginning if it never was."""
        file = self._state_file(tracking_uri)
        return UploadState(**json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else UploadState()

    def save_state(self, tracking_uri: str, state: UploadState) -> None:
        """Write how far the queue was sent, at once or not at all.

        Raises:
            OSError: the folder cannot be written.
        """
        write_document(self._state_file(tracking_uri), state)

    def reject(self, entry: Upload, reason: str) -> None:
        """Note an entry that the server refused for good."""
        line = json.dumps({"kind": entry.kind, "run": entry.run, "data": entry.data, "reason": reason})
        with (self.root / "rejected.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")

    def close(self) -> None:
        """Release the queue's file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _state_file(self, tracking_uri: str) -> Path:
        # The URI may hold a password: only its hash becomes part of the folder.
        return self.root / f"sent-{hashlib.sha256(tracking_uri.encode()).hexdigest()[:12]}.json"

    def _cut_torn_tail(self) -> None:
        if not self.queue_file.is_file():
            return
        with self.queue_file.open("rb+") as stream:
            content = stream.read()
            whole = content.rfind(b"\n") + 1
            if whole != len(content):
                stream.truncate(whole)
