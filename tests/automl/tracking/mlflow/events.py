"""Events of a small study, one at a time, for tests of what follows the log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from automl.storage.documents import write_document
from automl.storage.event_log import EventLog
from automl.study.events import Measured, TrialStarted
from tests.automl.tracking.synthetic import plan_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.storage.paths import StudyPaths
    from automl.study.events import Event

ROOT = Path("/results/demo")


def trial_started(number: int, attempt: int = 1, **assignment: float) -> TrialStarted:
    directory = f"trials/{number:04d}"
    return TrialStarted(trial=number, attempt=attempt, origin="sobol", assignment=assignment, directory=directory)


def measured(number: int, epoch: int | None, values: Mapping[str, float], **nonfinite: str) -> Measured:
    return Measured(
        trial=number,
        epoch=epoch,
        step=None,
        max_epochs=3,
        values=values,
        nonfinite=nonfinite,
        unix_time_s=1_700_000_000.0 + (epoch or 0),
    )


def append(study: StudyPaths, *events: Event) -> StudyPaths:
    """Append events to the log of a study, which is made if it is not there."""
    study.root.mkdir(parents=True, exist_ok=True)
    if not study.plan_file.is_file():
        write_document(study.plan_file, plan_of(study.root))
    log = EventLog(study.events_file)
    for event in events:
        log.append(event)
    log.close()
    return study
