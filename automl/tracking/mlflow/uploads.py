"""What MLflow is to have, one thing at a time: `automl.tracking.mlflow.projection` makes it, the uploader sends it.

Names and values are cut and encoded here to what MLflow takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from automl.skill.model import ConfigFormat
from automl.storage.paths import PANELS
from automl.storage.trainer_files import MOST_BYTES
from automl.tracking.mlflow.names import stored_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automl.storage.paths import StudyPaths
    from automl.study.trial import TrialResult

STUDY_RUN = "study"
"""Key of the parent run."""

MAX_PARAMETER_LENGTH, MAX_TAG_LENGTH = 6000, 8000
"""Longest value of a parameter and of a tag."""
_MAX_PANELS = 32


class UploadKind(StrEnum):
    """What an upload does."""

    RUN = "run"
    """Make or re-open a run: ``name``, ``parent`` (key or None), ``start_ms``, ``tags``."""
    PARAMETERS = "parameters"
    """``values``: name -> text."""
    TAGS = "tags"
    """``values``: name -> text."""
    INPUTS = "inputs"
    """``datasets`` that a run reads, each with ``name``, ``digest``, ``path`` and ``context``."""
    METRICS = "metrics"
    """``values``: name -> number, ``step``, ``time_ms``; finite, or NaN where a trial has no value after all."""
    END = "end"
    """``status`` (FINISHED, KILLED, FAILED), ``end_ms``."""
    ARTIFACT = "artifact"
    """``path`` (relative to the study directory, or absolute), ``folder`` inside the run's artifacts."""
    TRIAL_FILES = "trial_files"
    """The small files of an attempt: ``trial``, ``attempt``."""
    ACTION_FILES = "action_files"
    """The log of an action and the small files that it has made: ``files``, relative to the study directory."""
    MODEL = "model"
    """A model version; see `ModelRegistered`."""


OF_FILES = frozenset({UploadKind.ARTIFACT, UploadKind.TRIAL_FILES, UploadKind.ACTION_FILES, UploadKind.MODEL})
"""What copies files, which may fail where the store of artifacts does and the server does not."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One thing that MLflow is to have.

    Attributes:
        kind: What it is.
        run: Key of the run inside the study: ``study``, ``0007``, ``evaluate-1``.
        data: See `UploadKind`; JSON values, finite numbers.
    """

    kind: UploadKind
    run: str
    data: dict[str, Any]

    @property
    def title(self) -> str:
        """What it is, for people: ``train.log of 0007``."""
        return f"{self.data.get('path', self.kind)} of {self.run}"


def trial_files(result: TrialResult) -> Upload:
    """Return the upload of a trial's files, with the hash of its spec."""
    data = {"trial": result.number, "attempt": result.attempt, "spec": result.spec_sha256}
    return Upload(UploadKind.TRIAL_FILES, trial_run(result.number), data)


def trial_run(number: int) -> str:
    """Return the key of a trial's run."""
    return f"{number:04d}"


def begin(key: str, name: str, parent: str | None, start_ms: int, facts: Mapping[str, object]) -> Upload:
    """Return a run that begins or goes on, with tags."""
    data = {"name": name, "parent": parent, "start_ms": start_ms, "tags": tags(key, facts).data["values"]}
    return Upload(UploadKind.RUN, key, data)


def parameters(key: str, values: Mapping[str, object]) -> Upload:
    """Return parameters as text."""
    named = {stored_name(path): str(value)[:MAX_PARAMETER_LENGTH] for path, value in values.items()}
    return Upload(UploadKind.PARAMETERS, key, {"values": named})


def tags(key: str, facts: Mapping[str, object]) -> Upload:
    """Return tags that MLflow accepts: encoded names, values cut to the longest that it takes."""
    values = {stored_name(name): str(value)[:MAX_TAG_LENGTH] for name, value in facts.items()}
    return Upload(UploadKind.TAGS, key, {"values": values})


def metrics(key: str, values: Mapping[str, float], step: int, time_ms: int) -> Upload:
    """Return the values of metrics at one step."""
    named = {stored_name(name): value for name, value in values.items()}
    return Upload(UploadKind.METRICS, key, {"values": named, "step": step, "time_ms": time_ms})


def end(key: str, status: str, end_ms: int) -> Upload:
    """Return the end of a run."""
    return Upload(UploadKind.END, key, {"status": status, "end_ms": end_ms})


def files_of(upload: Upload, study: StudyPaths) -> list[Upload]:
    """Return one artifact for each of the small files of an attempt or an action; any other upload as it is."""
    specs: list[Path] = []
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
    digests = {study.relative(file): upload.data.get("spec", "") for file in specs}
    return [
        Upload(UploadKind.ARTIFACT, upload.run, {"path": path, "folder": folder, "sha256": digests.get(path, "")})
        for path, folder in kept
    ]
