"""The record that is always kept: `events.jsonl`, one strict JSON line per event, readable while the study runs.

Every line has ``event``, ``time`` (UTC, ISO 8601) and, for events of a trial, ``trial``. Ends of trials and of the
study are flushed to the disk; measurements are not, which a killed process survives and a power failure may not.
"""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from automl.storage.documents import to_json
from automl.storage.final_status import ENDED, SUSPENDED
from automl.tracking.base import Tracker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automl.storage.paths import StudyPaths
    from automl.study.model import StudyPlan
    from automl.study.result import StudyResult
    from automl.study.trial import Measurement, Proposal, TrialResult

logger = logging.getLogger(__name__)

_LONGEST_REASON = 2000
_IN_RESULT_FILE = ("log_tail", "curve", "assignment", "origin")


class FileTracker(Tracker):
    """Appends events to a study's `events.jsonl`.

    Args:
        directory: The study directory; made when the first event is written.
    """

    def __init__(self, directory: StudyPaths) -> None:
        self._directory = directory
        self._handle: int | None = None

    def study_started(self, plan: StudyPlan, directory: Path) -> None:
        """Write ``study_started``."""
        self._write(
            "study_started",
            study=plan.name,
            directory=str(directory),
            route=plan.route,
            fingerprint=plan.fingerprint,
            metric=plan.objective.metric,
            direction=plan.objective.direction,
            trials=plan.budget.trials,
            jobs=plan.resources.jobs,
            max_epochs=plan.max_epochs,
            process=os.getpid(),
        )

    def trial_started(self, proposal: Proposal, directory: Path, attempt: int) -> None:
        """Write ``trial_started``."""
        self._write(
            "trial_started",
            trial=proposal.number,
            attempt=attempt,
            origin=str(proposal.origin),
            **{f"origin_{name}": value for name, value in proposal.origin.document().items()},
            assignment=dict(proposal.assignment),
            directory=str(directory),
        )

    def measured(self, number: int, measurement: Measurement) -> None:
        """Write ``measured``."""
        self._write(
            "measured",
            trial=number,
            epoch=measurement.epoch,
            step=measurement.step,
            max_epochs=measurement.max_epochs,
            values=dict(measurement.values),
            nonfinite=dict(measurement.nonfinite),
        )

    def trial_ended(self, result: TrialResult) -> None:
        """Write ``trial_ended`` and flush it to the disk."""
        document = to_json(result)
        document["trial"] = document.pop("number")
        for field in _IN_RESULT_FILE:
            del document[field]
        self._write("trial_ended", **document)
        self._flush()

    def study_ended(self, result: StudyResult) -> None:
        """Write ``study_ended`` and flush it to the disk."""
        best = result.best
        self._write(
            ENDED,
            trials=len(result.trials),
            best_trial=best.number if best else None,
            best_value=best.values[result.objective.metric] if best else None,
            reason=result.end_reason[:_LONGEST_REASON],
            is_failure=result.failure is not None,
            may_go_on=result.may_go_on,
        )
        self._flush()

    def study_suspended(self, reason: str) -> None:
        """Write ``study_suspended`` and flush it to the disk."""
        self._write(SUSPENDED, reason=reason[:_LONGEST_REASON])
        self._flush()

    def close(self) -> None:
        """Close the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _write(self, event: str, **fields: Any) -> None:  # noqa: ANN401 # JSON values of any kind
        document = {"event": event, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), **fields}
        try:
            if self._handle is None:
                self._handle = _open(self._directory.events_file)
            os.write(self._handle, (json.dumps(document, allow_nan=False) + "\n").encode())
        except OSError as error:
            logger.warning("event %s could not be written to %s: %s", event, self._directory.events_file, error)

    def _flush(self) -> None:
        if self._handle is not None:
            os.fsync(self._handle)


def read_events(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of an `events.jsonl`, oldest first; none if it does not exist.

    A last line that is still being written, and lines torn by a power failure, are passed over.
    """
    if not file.is_file():
        return
    with file.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            try:
                document = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(document, dict) and "event" in document:
                yield document


def _open(file: Path) -> int:
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    size = os.fstat(handle).st_size
    if size and os.pread(handle, 1, size - 1) != b"\n":
        os.write(handle, b"\n")
    return handle
