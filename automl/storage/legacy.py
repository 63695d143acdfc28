"""Study directories of version 0.1, whose log alone did not tell the whole course of a study.

There an epoch's value lay in five files. What the log lacks is taken from `journal.log` (proposals), `reports.jsonl`
(what the scheduler decided), `attempt.json` and `result.json`, and made into the events that today's log would hold.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError
from automl.storage.documents import read_document, torn_file
from automl.storage.event_log import encode, read_log
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
    from datetime import datetime
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
    lines = b"".join(encode(event, time) for event, time in upgraded(paths))
    new = paths.events_file.with_suffix(".new")
    new.write_bytes(lines)
    paths.events_file.replace(paths.old_events_file)
    new.replace(paths.events_file)
    for file in paths.trials.glob("*/stop"):
        with suppress(OSError):  # a request that was answered, or will be asked again
            file.unlink()


def upgraded(paths: StudyPaths) -> Iterator[tuple[Event, datetime]]:
    """Yield the events of a study of version 0.1 as today's version would have written them.

    Raises:
        ConfigurationError: a file of the study cannot be read.
    """
    study = _OldStudy(paths, _proposals(paths.journal_file), _reports(paths.reports_file))
    time: datetime | None = None
    for entry in read_log(paths.events_file):
        time = entry.time
        for event in study.events(entry.event):
            yield event, time
    if time is not None:
        for event in study.rest():
            yield event, time


@dataclass(slots=True)
class _OldStudy:
    """Adds to each event of an old log what it lacks."""

    paths: StudyPaths
    proposals: list[TrialProposed]
    reports: list[dict[str, Any]]
    proposed: int = 0
    paused: set[int] = field(default_factory=set)
    ended: set[int] = field(default_factory=set)
    decisions: dict[tuple[int, int], dict[str, Any]] = field(init=False)
    promotions: Counter[int] = field(init=False)

    def __post_init__(self) -> None:
        self.decisions = {
            (report["trial"], report["epoch"]): report for report in self.reports if report["decision"] != "promote"
        }
        self.promotions = Counter(report["trial"] for report in self.reports if report["decision"] == "promote")

    def events(self, event: Event) -> Iterator[Event]:
        match event:
            case StudyStarted():
                yield replace(event, log_version=2)
            case TrialStarted():
                yield from self._propose_to(event.trial, event)
                yield from self._promote(event.trial)
                yield replace(event, start=self._start(event))
            case Measured():
                yield event
                report = self.decisions.pop((event.trial, -1 if event.epoch is None else event.epoch), None)
                if report is not None and report["decision"] != "continue":
                    yield StopDecided(trial=event.trial, cause=_cause(report))
                    if report["decision"] == "pause":
                        self.paused.add(event.trial)
            case TrialEnded():
                yield TrialEnded(self._result(event.result))
            case _:
                yield event

    def rest(self) -> Iterator[Event]:
        """Yield what happened after the last event that the old log holds."""
        for number in range(self.proposed, len(self.proposals)):
            yield from self._propose_to(number, None)
        for number in sorted(self.paused):
            yield from self._promote(number)
        for file in self.paths.result_files():
            result = read_document(file, TrialResult)
            if result.state.is_final and result.number not in self.ended and result.number < self.proposed:
                yield TrialEnded(result)

    def _propose_to(self, number: int, event: TrialStarted | None) -> Iterator[Event]:
        while self.proposed <= number:
            if self.proposed < len(self.proposals):
                yield self.proposals[self.proposed]
            elif event is not None:
                origin = origin_from(event.origin)
                yield TrialProposed(trial=self.proposed, assignment=event.assignment, origin=origin)
            self.proposed += 1

    def _promote(self, number: int) -> Iterator[Event]:
        if number in self.paused and self.promotions[number]:
            self.promotions[number] -= 1
            self.paused.discard(number)
            yield TrialPromoted(trial=number)

    def _start(self, event: TrialStarted) -> dict[str, Any]:
        file = self.paths.attempt(event.trial, event.attempt).start_file
        with suppress(OSError, ValueError):
            document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            return document
        return {"attempt": event.attempt}

    def _result(self, result: TrialResult) -> TrialResult:
        """Return a result with what the old log left out: curve, assignment and log."""
        if result.state.is_final:
            self.ended.add(result.number)
        with suppress(ConfigurationError, FileNotFoundError):
            known = read_document(self.paths.result_file(result.number), TrialResult)
            if known.attempt == result.attempt and known.state is result.state:
                return known
        number = result.number
        assignment = self.proposals[number].assignment if number < len(self.proposals) else result.assignment
        return replace(result, assignment=assignment)


def _cause(report: dict[str, Any]) -> StopCause:
    kind = StopKind.PAUSE if report["decision"] == "pause" else StopKind.SCHEDULER
    return StopCause(kind=kind, detail=report["reason"], last_epoch=report["epoch"])


def _proposals(journal: Path) -> list[TrialProposed]:
    proposals: list[TrialProposed] = []
    for document in _lines(journal):
        if document.get("op_code") != _CREATE_TRIAL:
            continue
        facts = document["user_attrs"]
        of, seed = facts.get("automl:replicate", (None, None))
        proposals.append(
            TrialProposed(
                trial=len(proposals),
                assignment=facts["automl:assignment"],
                origin=origin_from(facts["automl:origin"]),
                replicate_of=of,
                seed=seed,
            )
        )
    return proposals


def _reports(file: Path) -> list[dict[str, Any]]:
    return [{"epoch": None, "reason": "", **document} for document in _lines(file)]


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a file, one per line; a last line that a crash tore is left out.

    Raises:
        ConfigurationError: a line before the last one cannot be read.
    """
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        return
    for number, line in enumerate(text[: text.rfind(b"\n") + 1].splitlines(), start=1):
        try:
            document = json.loads(line)
        except ValueError as error:
            raise torn_file(file, f"line {number}: {error}", "one JSON object per line") from error
        yield document
