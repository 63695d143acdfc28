"""Reading and writing the documents of a study directory without ever leaving half a file."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError, Problem
from automl.study.trial import FailureKind, TrialResult, TrialState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from automl.storage.paths import StudyPaths


def write_result(paths: StudyPaths, result: TrialResult) -> None:
    """Write a trial's result, replacing an earlier one at once or not at all."""
    write_json(paths.result_file(result.number), result_document(result))


def read_results(paths: StudyPaths) -> tuple[TrialResult, ...]:
    """Read the results of all trials, in order of their numbers; unfinished directories are left out."""
    return tuple(sorted(map(read_result, paths.result_files()), key=lambda result: result.number))


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
