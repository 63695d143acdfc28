"""The files of a study directory: where each lies, and reading and writing them without ever leaving half a file.

```
<results>/<study>/
  plan.json       the StudyPlan, canonical, with fingerprint
  journal.log     every trial, assignment, intermediate value and state (written by the searcher)
  events.jsonl    what happened, one line per event
  trials/0007/    spec, train.log, the trainer's own files, result.json; a second attempt lies in trials/0007.2/
```
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError, Problem
from automl.study.trial import FailureKind, TrialResult, TrialState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class StudyDirectory:
    """Paths inside a study directory.

    Attributes:
        root: The directory, absolute.
    """

    root: Path

    @property
    def plan_file(self) -> Path:
        """The plan, as JSON."""
        return self.root / "plan.json"

    @property
    def journal_file(self) -> Path:
        """The searcher's journal."""
        return self.root / "journal.log"

    @property
    def events_file(self) -> Path:
        """One JSON line per event."""
        return self.root / "events.jsonl"

    @property
    def trials(self) -> Path:
        """The folder of the trial directories."""
        return self.root / "trials"

    def trial(self, number: int, attempt: int = 1) -> Path:
        """Return the directory of an attempt of a trial; it need not exist."""
        name = f"{number:04d}" if attempt == 1 else f"{number:04d}.{attempt}"
        return self.trials / name

    def result_file(self, number: int) -> Path:
        """Return the file of a trial's result; one for all attempts."""
        return self.trial(number) / "result.json"

    def write_result(self, result: TrialResult) -> None:
        """Write a trial's result, replacing an earlier one at once or not at all."""
        write_json(self.result_file(result.number), result_document(result))

    def read_results(self) -> tuple[TrialResult, ...]:
        """Read the results of all trials, in order of their numbers; half-made directories are passed over."""
        files = sorted(self.trials.glob("[0-9]*/result.json"))
        return tuple(sorted((read_result(file) for file in files), key=lambda result: result.number))


@contextlib.contextmanager
def only_for_user() -> Iterator[None]:
    """Let what this process and those that it starts write meanwhile be readable by their user alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def result_document(result: TrialResult) -> dict[str, Any]:
    """Return the JSON form of a result; `read_result` is its inverse."""
    document = {f.name: getattr(result, f.name) for f in dataclasses.fields(result)}
    document["assignment"] = dict(result.assignment)
    document["values"] = dict(result.values)
    document["changes"] = dict(result.changes)
    return document


def read_result(file: Path) -> TrialResult:
    """Read one `result.json`.

    Raises:
        ConfigurationError: it cannot be read, or is not the JSON form of a result: a torn file is never passed over.
    """
    try:
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        failure = document.pop("failure")
        return TrialResult(
            **{
                **document,
                "state": TrialState(document["state"]),
                "failure": FailureKind(failure) if failure is not None else None,
                "assignment": MappingProxyType(document["assignment"]),
                "values": MappingProxyType(document["values"]),
                "changes": MappingProxyType(document.get("changes", {})),
                "curve": tuple((int(epoch), float(value)) for epoch, value in document["curve"]),
                "log_tail": tuple(document["log_tail"]),
                "gpus": tuple(document.get("gpus", ())),
            }
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise torn_file(file, error, "the result of a trial") from error


def torn_file(file: Path, error: object, expected: str) -> ConfigurationError:
    """Return the error about a file of a study that is there and cannot be read."""
    problem = Problem(
        where=str(file),
        found=f"a file that cannot be read ({error})",
        expected=f"{expected}, as automl wrote it",
        fix="restore it from a copy; or delete it, and what it told is computed again by a resume",
    )
    return ConfigurationError.from_problems([problem], subject="the study directory")


def write_json(file: Path, document: Mapping[str, Any]) -> None:
    """Write strict JSON under a temporary name, flush it to disk, then rename it into place.

    Raises:
        OSError: the folder cannot be made or written.
        ValueError: the document holds a number that is not finite.
    """
    write_text(file, json.dumps(document, indent=1, allow_nan=False) + "\n")


def write_text(file: Path, text: str) -> None:
    """Write a text file under a temporary name, flush it to disk, then rename it into place."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
