"""The data of a study: where they are, how many samples they hold, and making them when a study knows how.

Nothing is read beyond counting the lines of annotation files.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError, LaunchError
from automl.spec.inputs import missing_inputs

if TYPE_CHECKING:
    from automl.request.study_request import StudyRequest
    from automl.skill.model import Skill
    from automl.spec.model import Spec

logger = logging.getLogger(__name__)

# A million lines are counted in about 0.1 s; larger annotation files are not worth the wait.
_COUNTED_BYTES = 256 * 1024 * 1024


def prepared_folder(request: StudyRequest, results: Path) -> Path | None:
    """Return the folder that the study's `prepare` makes, whether it exists or not; None where there is none."""
    return results / "data" / request.inputs.prepare.directory if request.inputs.prepare else None


def with_prepared_paths(request: StudyRequest, results: Path) -> StudyRequest:
    """Return the request with ``{prepared}`` replaced in its data paths."""
    folder = prepared_folder(request, results)
    if folder is None:
        return request
    data = {split: path.replace("{prepared}", str(folder)) for split, path in request.inputs.data.items()}
    return request.with_settings(data=data)


def prepare_data(request: StudyRequest, results: Path) -> None:
    """Make the study's data when their folder is missing; what the command prints goes to stderr.

    Raises:
        LaunchError: the command cannot be started, fails, or does not make the folder.
    """
    folder = prepared_folder(request, results)
    if folder is None or request.inputs.prepare is None or folder.exists():
        return
    command = [word.replace("{prepared}", str(folder)) for word in request.inputs.prepare.command]
    # Console scripts of this environment are found even when it is not activated.
    search_path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    program = shutil.which(command[0], path=search_path)
    if program is None:
        raise LaunchError(f"the study's data cannot be prepared: {command[0]} is not installed here")
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    logger.info("preparing data: %s", " ".join(command))
    done = subprocess.run(  # noqa: S603 - an argument list from the user's own study file, no shell
        [program, *command[1:]], stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False
    )
    if done.returncode != 0 or not folder.exists():
        raise LaunchError(
            f"the study's data were not prepared: `{' '.join(command)}` ended with status {done.returncode} and "
            f"{folder} {'exists' if folder.exists() else 'is not there'}"
        )


def check_inputs(skill: Skill, action: str, spec: Spec) -> None:
    """Check that every required input of an action is named and there.

    Raises:
        ConfigurationError: all that is missing.
    """
    problems = missing_inputs(skill, action, spec)
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the inputs")


def count_samples(path: Path) -> int | None:
    """Return the number of samples that an annotation file lists; None where it cannot be told."""
    try:
        if not path.is_file() or path.suffix.lower() not in {".txt", ".csv"} or path.stat().st_size > _COUNTED_BYTES:
            return None
        with path.open(encoding="utf-8", errors="replace") as lines:
            return sum(1 for line in lines if line.strip() and not line.lstrip().startswith("#"))
    except OSError:
        return None


def describe_data(request: StudyRequest, results: Path) -> list[dict[str, Any]]:
    """Return split, path and number of samples of each split, for the launch review."""
    folder = prepared_folder(request, results)
    rows = []
    for split, path in with_prepared_paths(request, results).inputs.data.items():
        count = count_samples(Path(path))
        will_be_made = folder is not None and not folder.exists() and path.startswith(str(folder))
        words = (
            "made before the first trial" if will_be_made else "not there" if not Path(path).exists() else "not counted"
        )
        rows.append({"split": split, "path": path, "samples": f"{count} samples" if count is not None else words})
    return rows
