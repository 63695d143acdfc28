"""The data of a study: their paths, and how they are made where the study file has a `prepare` command."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError, LaunchError
from automl.preflight.annotations import count_samples
from automl.request.location import make_private
from automl.spec.inputs import missing_inputs

if TYPE_CHECKING:
    from automl.request.study_request import StudyRequest
    from automl.skill.model import Skill
    from automl.spec.model import Spec

logger = logging.getLogger(__name__)


def prepared_folder(request: StudyRequest, results: Path) -> Path | None:
    """Return the folder that the study's `prepare` makes, whether it exists or not; None without `prepare`."""
    return results / "data" / request.prepare.directory if request.prepare else None


def pending_folder(request: StudyRequest, results: Path) -> Path | None:
    """Return the folder that the run makes before its first trial; None where there is nothing left to make."""
    folder = prepared_folder(request, results)
    return folder if folder is not None and not folder.exists() else None


def with_prepared_paths(request: StudyRequest, results: Path) -> StudyRequest:
    """Return the request with ``{prepared}`` replaced in its data paths."""
    folder = prepared_folder(request, results)
    if folder is None:
        return request
    data = {split: path.replace("{prepared}", str(folder)) for split, path in request.data.items()}
    return request.with_settings(data=data)


def prepare_data(request: StudyRequest, results: Path) -> None:
    """Make the study's data when their folder is missing; what the command prints goes to stderr.

    Raises:
        LaunchError: the command cannot be started, fails, or does not make the folder.
    """
    folder = prepared_folder(request, results)
    if folder is None or request.prepare is None or folder.exists():
        return
    command = [argument.replace("{prepared}", str(folder)) for argument in request.prepare.command]
    # Console scripts of this environment are found even when it is not activated.
    search_path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    program = shutil.which(command[0], path=search_path)
    if program is None:
        raise LaunchError(f"the study's data cannot be prepared: {command[0]} is not installed here")
    make_private(folder.parent)
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
    """Check that every required input of an action has a value and exists.

    Raises:
        ConfigurationError: an input is missing; with every problem.
    """
    problems = missing_inputs(skill, action, spec)
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the inputs")


def describe_data(request: StudyRequest, results: Path) -> list[dict[str, Any]]:
    """Return split, path and number of samples of each split, for the launch review."""
    folder = pending_folder(request, results)
    rows = []
    for split, path in with_prepared_paths(request, results).data.items():
        count = count_samples(Path(path))
        will_be_made = folder is not None and Path(path).is_relative_to(folder)
        state = "made before the first trial" if will_be_made else "not counted" if Path(path).exists() else "not there"
        rows.append({"split": split, "path": path, "samples": state if count is None else f"{count} samples"})
    return rows
