"""Study directories of version 0.1, whose log alone did not tell the whole course of a study.

There an epoch's value lay in five files. What the log lacks is taken from `journal.log` (proposals), `reports.jsonl`
(what the scheduler decided), `attempt.json` and `result.json`, and made into the events that today's log would hold.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from automl.regular_file import followed, read_regular_file
from automl.spec.write import replace_file
from automl.storage.deletion import delete
from automl.storage.documents import read_document, torn_file
from automl.storage.event_log import Entry, encode, read_log
from automl.study.causes import origin_from
from automl.study.ends import StopCause, StopKind
from automl.study.events import (
    Event,
    Measured,
    StopDecided,
    StudyStarted,
    TrialEnded,
    TrialPromoted,
    TrialProposed,
    TrialStarted,
)
from automl.study.trial import TrialResult

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automl.storage.paths import StudyPaths

_CREATE_TRIAL = 4
"""Operation of an Optuna journal that holds a whole new trial."""


def is_legacy(paths: StudyPaths) -> bool:
    """Tell whether a study was made by version 0.1."""
    first = next(read_log(paths.events_file), None)
    return first is not None and isinstance(first.event, StudyStarted) and first.event.log_version == 1


def upgrade_log(paths: StudyPaths) -> None:
    """Write the log of a study of version 0.1 anew, whole; the old one is kept beside it.

    Raises:
        ConfigurationError: a file of the study cannot be read; nothing is changed then.
        OSError: the new log cannot be written.
    """
    if not is_legacy(paths):
        return
    lines = b"".join(encode(entry.event, entry.time) for entry in upgraded(paths))
    # The log is never gone meanwhile: without it, the study would look as if it had never been started.
    shutil.copy2(paths.events_file, paths.old_events_file)
    replace_file(paths.events_file, lines)
    for file in paths.trials.glob("*/stop"):
        with suppress(OSError):  # a request that was answered, or will be asked again
            delete(file, inside=followed(paths.root))


def upgraded(paths: StudyPaths) -> Iterator[Entry]:
    """Yield the events of a study of version 0.1 as today's version would have written them.

    Raises:
        ConfigurationError: a file of the study cannot be read.
    """
    for _ in _lines(paths.events_file):
        pass  # a torn line is refused: without checks that is all that can be noticed
    study = _OldStudy(paths)
    entry: Entry | None = None
    for entry in read_log(paths.events_file):
        for event in study.events(entry.event):
            yield replace(entry, event=event)
    if entry is not None:
        for event in study.rest():
            yield replace(entry, event=event)


class _OldStudy:
    """Adds to each event of an old log what it lacks."""

    def __init__(self, paths: StudyPaths) -> None:
        self._paths = paths
        created = (line["user_attrs"] for line in _lines(paths.journal_file) if line.get("op_code") == _CREATE_TRIAL)
        self._proposals = [_proposal(trial, facts) for trial, facts in enumerate(created)]
        self._proposed = 0
        reports = [{"epoch": None, "reason": "", **report} for report in _lines(paths.reports_file)]
        self._promotions = Counter(report["trial"] for report in reports if report["decision"] == "promote")
        self._decisions = {(r["trial"], r["epoch"]): r for r in reports if r["decision"] != "promote"}
        self._paused: set[int] = set()
        self._ended: set[int] = set()

    def events(self, event: Event) -> Iterator[Event]:
        match event:
            case StudyStarted():
                yield replace(event, log_version=2)
            case TrialStarted():
                yield from self._proposed_until(event.trial, event)
                yield from self._promotion(event.trial)
                yield replace(event, start=self._start(event))
            case Measured():
                yield event
                yield from self._decision(event)
            case TrialEnded():
                yield TrialEnded(self._result(event.result))
            case _:
                yield event

    def rest(self) -> Iterator[Event]:
        """Yield what happened after the last event that the old log holds."""
        yield from self._proposed_until(len(self._proposals) - 1)
        for number in sorted(self._paused):
            yield from self._promotion(number)
        for file in self._paths.result_files():
            result = read_document(file, TrialResult)
            if result.state.is_final and result.number not in self._ended and result.number < self._proposed:
                yield TrialEnded(result)

    def _proposed_until(self, last: int, started: TrialStarted | None = None) -> Iterator[Event]:
        """Yield the proposals up to a number; one that the journal lacks is what was started."""
        for number in range(self._proposed, last + 1):
            if number < len(self._proposals):
                yield self._proposals[number]
            elif started is not None:
                origin = origin_from(started.origin)
                yield TrialProposed(trial=number, assignment=started.assignment, origin=origin)
        self._proposed = max(self._proposed, last + 1)

    def _promotion(self, number: int) -> Iterator[Event]:
        if number in self._paused and self._promotions[number]:
            self._promotions[number] -= 1
            self._paused.discard(number)
            yield TrialPromoted(trial=number)

    def _decision(self, event: Measured) -> Iterator[Event]:
        report = self._decisions.pop((event.trial, -1 if event.epoch is None else event.epoch), None)
        if report is None or report["decision"] == "continue":
            return
        is_pause = report["decision"] == "pause"
        kind = StopKind.PAUSE if is_pause else StopKind.SCHEDULER
        cause = StopCause(kind=kind, detail=report["reason"], last_epoch=report["epoch"])
        yield StopDecided(trial=event.trial, cause=cause)
        if is_pause:
            self._paused.add(event.trial)

    def _start(self, event: TrialStarted) -> dict[str, Any]:
        file = self._paths.attempt(event.trial, event.attempt).start_file
        with suppress(FileNotFoundError):
            return read_document(file, dict[str, Any])
        return {"attempt": event.attempt}

    def _result(self, result: TrialResult) -> TrialResult:
        """Return a result with what the old log left out: curve, assignment and log."""
        number = result.number
        if result.state.is_final:
            self._ended.add(number)
        with suppress(FileNotFoundError):
            known = read_document(self._paths.result_file(number), TrialResult)
            if known.attempt == result.attempt and known.state is result.state:
                return known
        is_known = number < len(self._proposals)
        return replace(result, assignment=self._proposals[number].assignment) if is_known else result


def _proposal(trial: int, facts: dict[str, Any]) -> TrialProposed:
    replicate_of, seed = facts.get("automl:replicate", (None, None))
    return TrialProposed(
        trial=trial,
        assignment=facts["automl:assignment"],
        origin=origin_from(facts["automl:origin"]),
        replicate_of=replicate_of,
        seed=seed,
    )


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a file, one per line; a last line that a crash tore is left out.

    Raises:
        ConfigurationError: a line before the last one cannot be read.
    """
    try:
        text = read_regular_file(file)
    except FileNotFoundError:
        return
    for number, line in enumerate(text[: text.rfind(b"\n") + 1].splitlines(), start=1):
        try:
            document = json.loads(line)
        except ValueError as error:
            raise torn_file(file, f"line {number}: {error}", "one JSON object per line") from error
        yield document
