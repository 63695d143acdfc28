"""The journal of reports: every value a stopping rule has judged, in the order in which it judged them.

A rule is a function of its history, and arrival order is part of the history when several trials run at once. Replayed
on a resume, the rule is where it was; a trial that runs again and repeats an epoch gets the verdict it got before.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automl.schedulers.base import Decision, Report
from automl.storage.documents import torn_file

if TYPE_CHECKING:
    from pathlib import Path

    from automl.schedulers.base import Scheduler, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class StopDecision:
    """A decision to stop or to pause a trial.

    Attributes:
        decision: STOP or PAUSE.
        reason: The rule's words.
        epoch: Zero-based epoch of the report it was taken on: the last one that counts.
    """

    decision: Decision
    reason: str
    epoch: int


class ReportJournal:
    """Appends judged reports to a file, one JSON line each.

    Args:
        file: ``reports.jsonl`` of the study directory.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._judged: set[tuple[int, int]] = set()
        self.best: float | None = None
        """The highest value that was judged, in this run or in an earlier one; None before the first."""

    def judge(self, rule: Scheduler, report: Report) -> StopDecision | None:
        """Let the rule judge a value and write down what it says; return the end that follows, if one does.

        What was judged before, in this run or in an earlier one, is passed over: its verdict is known already.

        Raises:
            OSError: it cannot be written.
        """
        if (report.trial, report.epoch) in self._judged:
            return None
        verdict = rule.judge(report)
        self.append(report, verdict)
        if verdict.decision is Decision.CONTINUE:
            return None
        return StopDecision(decision=verdict.decision, reason=verdict.reason, epoch=report.epoch)

    def replay(self, rule: Scheduler) -> dict[int, StopDecision]:
        """Judge everything again. A line cut off by a crash is removed.

        Returns:
            The trials whose last decision was to end them, and the decision.

        Raises:
            OSError: the file exists and cannot be read.
            ConfigurationError: a line before the last one cannot be read; nothing is changed then.
        """
        try:
            text = self._file.read_bytes()
        except FileNotFoundError:
            return {}
        whole = text[: text.rfind(b"\n") + 1]
        documents = [self._read(line, number) for number, line in enumerate(whole.splitlines(), start=1)]
        if whole != text:
            os.truncate(self._file, len(whole))
        ended: dict[int, StopDecision] = {}
        for document in documents:
            trial = int(document["trial"])
            decision = Decision(document["decision"])
            if decision is Decision.PROMOTE:
                rule.promote(trial)
                ended.pop(trial, None)
                continue
            rule.judge(Report(trial=trial, epoch=document["epoch"], value=document["value"]))
            self._note(trial, document["epoch"], document["value"])
            if decision is not Decision.CONTINUE and trial not in ended:
                ended[trial] = StopDecision(decision=decision, reason=document["reason"], epoch=document["epoch"])
        return ended

    def _read(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            document: dict[str, Any] = json.loads(line)
            Decision(document["decision"])
            int(document["trial"])
        except (ValueError, TypeError, KeyError) as error:
            raise torn_file(self._file, f"line {number}: {error}", "one judged value per line") from error
        return document

    def append(self, report: Report, verdict: Verdict) -> None:
        """Write one judged report to the disk."""
        self._note(report.trial, report.epoch, report.value)
        self._append(
            {
                "trial": report.trial,
                "epoch": report.epoch,
                "value": report.value,
                "decision": verdict.decision.value,
                "reason": verdict.reason,
            }
        )

    def append_promotion(self, trial: int) -> None:
        """Write to the disk that a paused trial goes on."""
        self._append({"trial": trial, "decision": Decision.PROMOTE.value})

    def _note(self, trial: int, epoch: int, value: float) -> None:
        self._judged.add((trial, epoch))
        self.best = value if self.best is None else max(self.best, value)

    def _append(self, document: dict[str, Any]) -> None:
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, json.dumps(document, allow_nan=False).encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
