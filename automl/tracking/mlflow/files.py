"""Which files of a study MLflow keeps: the small ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.skill.model import ConfigFormat
from automl.storage.paths import PANELS
from automl.tracking.mlflow.projection import Upload, UploadKind

if TYPE_CHECKING:
    from pathlib import Path

    from automl.storage.paths import AttemptPaths, StudyPaths

_MAX_PANELS = 32
_MAX_FILE_BYTES = 64 * 1024 * 1024


def expanded(upload: Upload, study: StudyPaths) -> list[Upload]:
    """Return an upload as it is, and one artifact for each file in place of the files of an attempt or an action.

    Args:
        upload: Any upload.
        study: The study's study.
    """
    match upload.kind:
        case UploadKind.TRIAL_FILES:
            files = _of_attempt(study.attempt(upload.data["trial"], upload.data["attempt"]))
        case UploadKind.ACTION_FILES:
            products = (study.root / name for name in upload.data["files"])
            small = [file for file in products if file.is_file() and file.stat().st_size <= _MAX_FILE_BYTES]
            files = [study.action(upload.run).log_file, *small[:_MAX_PANELS]]
        case _:
            return [upload]
    return [
        Upload(
            UploadKind.ARTIFACT,
            upload.run,
            {"path": study.relative(file), "folder": PANELS if file.parent.name == PANELS else ""},
        )
        for file in files
        if file.is_file()
    ]


def _of_attempt(attempt: AttemptPaths) -> list[Path]:
    specs = [attempt.spec_file(config_format) for config_format in ConfigFormat]
    files = [*specs, attempt.log_file, attempt.status_file, *sorted(attempt.status_files())[:1]]
    return list(dict.fromkeys([*files, *attempt.panels()[-_MAX_PANELS:]]))
