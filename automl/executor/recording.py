"""What the driver of a study writes into its log of values that others have, and the error where it cannot."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from automl.errors import LaunchError
from automl.regular_file import NotAFileError
from automl.shown_command import shown_command
from automl.storage.deletion import links_out_of
from automl.storage.held_study import ReplacedFolderError, moved_to
from automl.storage.own_documents import token_of
from automl.storage.paths import StudyPaths
from automl.study.events import Measured, StudyStarted
from automl.tracking.versions import collect_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automl.study.model import StudyPlan
    from automl.study.trial import Measurement

LOG_VERSION = 3


def started_event(plan: StudyPlan, paths: StudyPaths) -> StudyStarted:
    """Return the first event of a run of this process."""
    return StudyStarted(
        study=paths.root.name,
        route=plan.route,
        fingerprint=plan.fingerprint,
        metric=plan.objective.metric,
        direction=plan.objective.direction,
        trials=plan.budget.trials,
        jobs=plan.resources.jobs,
        max_epochs=plan.max_epochs,
        process=os.getpid(),
        log_version=LOG_VERSION,
        environment=collect_environment(plan),
        links=links_out_of(paths.root),
        token=token_of(paths),
    )


def measured_event(number: int, measurement: Measurement) -> Measured:
    """Return the event of a measurement of a trial."""
    return Measured(
        trial=number,
        epoch=measurement.epoch,
        step=measurement.step,
        max_epochs=measurement.max_epochs,
        values=dict(measurement.values),
        nonfinite=dict(measurement.nonfinite),
        unix_time_s=measurement.unix_time_s,
    )


@contextlib.contextmanager
def recorded(root: Path) -> Iterator[None]:
    """Turn a failing write into an error that says where and what to do.

    Raises:
        LaunchError: something in the study directory cannot be written.
    """
    try:
        yield
    except OSError as error:
        # A trainer may have made the folder of its trial again, at a path that the study has left.
        there = moved_to(root)
        is_moved = isinstance(error, ReplacedFolderError) and (there is not None or not root.is_dir())
        if isinstance(error, ReplacedFolderError) and not is_moved:
            raise LaunchError(f"{error}, then continue with: {shown_command('resume', root)}") from error
        is_log = isinstance(error, FileNotFoundError) and error.filename == str(StudyPaths(root).events_file)
        if is_moved or is_log or (isinstance(error, FileNotFoundError) and not root.is_dir()):
            what = f"moved to {there}" if there else "moved or deleted"
            fix = shown_command("resume", there) if there else "automl resume THERE"
            text = f"the study directory {root} was {what} while the study ran; continue with: {fix}"
            raise LaunchError(text) from error
        cause = os.strerror(error.errno) if error.errno else str(error)
        if isinstance(error, FileExistsError | NotADirectoryError | NotAFileError):
            cause = f"{error.filename}: {error.strerror}"
        raise LaunchError(
            f"the study directory {root} cannot be written ({cause}); what it holds is kept: make room or make it"
            f" writable, then continue with: {shown_command('resume', root)}"
        ) from error
