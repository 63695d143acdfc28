"""The journal of reports: every value a stopping rule has judged, in the order in which it judged them.

A rule is a function of its history, and arrival order is part of the history when several trials run at once. Replayed
on a resume, the rule is where it was; a trial that runs again and repeats an epoch gets the verdict it got before.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from automl.stopping.base import Report

if TYPE_CHECKING:
    from pathlib import Path

    from automl.stopping.base import StoppingRule, Verdict


class ReportJournal:
    """Appends judged reports to a file, one JSON line each.

    Args:
        file: ``reports.jsonl`` of the study directory.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def replay(self, rule: StoppingRule) -> int:
        """Judge everything again; return the number of reports. A line cut off by a crash is removed.

        Raises:
            OSError: the file exists and cannot be read.
        """
        try:
            text = self._file.read_bytes()
        except FileNotFoundError:
            return 0
        whole = text[: text.rfind(b"\n") + 1]
        if whole != text:
            os.truncate(self._file, len(whole))
        lines = whole.splitlines()
        for line in lines:
            document = json.loads(line)
            rule.judge(Report(trial=document["trial"], epoch=document["epoch"], value=document["value"]))
        return len(lines)

    def append(self, report: Report, verdict: Verdict) -> None:
        """Write one judged report to the disk."""
        document = {
            "trial": report.trial,
            "epoch": report.epoch,
            "value": report.value,
            "decision": verdict.decision.value,
            "reason": verdict.reason,
        }
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, json.dumps(document, allow_nan=False).encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
