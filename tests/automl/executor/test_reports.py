from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.executor.reports import ReportJournal, StopDecision
from automl.schedulers.base import GO_ON, Decision, Report, Verdict
from tests.automl.executor.toy_study import ThresholdRule

if TYPE_CHECKING:
    from pathlib import Path

REPORTS = [
    Report(trial=1, epoch=0, value=0.25),
    Report(trial=0, epoch=0, value=0.5),
    Report(trial=1, epoch=1, value=-1),
]


def test_reports_are_replayed_in_the_order_of_their_arrival(tmp_path: Path) -> None:
    journal, rule = ReportJournal(tmp_path / "reports.jsonl"), ThresholdRule()
    for report in REPORTS:
        journal.append(report, GO_ON)

    assert ReportJournal(tmp_path / "reports.jsonl").replay(rule) == {}

    assert rule.judged == REPORTS


def test_a_line_cut_off_by_a_crash_is_removed_and_the_next_one_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "reports.jsonl"
    journal = ReportJournal(file)
    journal.append(REPORTS[0], GO_ON)
    journal.append(REPORTS[1], GO_ON)
    file.write_bytes(file.read_bytes()[:-9])

    assert journal.replay(ThresholdRule()) == {}
    journal.append(REPORTS[2], GO_ON)
    rule = ThresholdRule()
    journal.replay(rule)

    assert rule.judged == [REPORTS[0], REPORTS[2]]


def test_a_study_without_reports_replays_nothing(tmp_path: Path) -> None:
    assert ReportJournal(tmp_path / "reports.jsonl").replay(ThresholdRule()) == {}


def test_the_last_decision_of_a_trial_tells_how_it_was_to_end(tmp_path: Path) -> None:
    journal = ReportJournal(tmp_path / "reports.jsonl")
    stop, pause = (Verdict(decision=d, reason="late") for d in (Decision.STOP, Decision.PAUSE))
    journal.append(REPORTS[0], pause)
    journal.append(REPORTS[1], pause)
    journal.append_promotion(1)
    journal.append(REPORTS[2], stop)

    endings = journal.replay(ThresholdRule())

    assert endings == {
        0: StopDecision(decision=Decision.PAUSE, reason="late", epoch=0),
        1: StopDecision(decision=Decision.STOP, reason="late", epoch=1),
    }


def test_a_line_that_is_no_report_is_an_error_that_names_it_and_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "reports.jsonl"
    journal = ReportJournal(file)
    for report in REPORTS:
        journal.append(report, GO_ON)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + lines[1][:7] + b"\n" + lines[2] + b'{"tri')
    before = file.read_bytes()

    with pytest.raises(ConfigurationError, match="line 2"):
        journal.replay(ThresholdRule())

    assert file.read_bytes() == before
