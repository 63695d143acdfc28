from __future__ import annotations

from typing import TYPE_CHECKING

from automl.stopping.base import GO_ON, Report
from automl.tuning.reports import ReportJournal
from tests.automl.tuning.toy_study import ThresholdRule

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

    assert ReportJournal(tmp_path / "reports.jsonl").replay(rule) == 3

    assert rule.judged == REPORTS


def test_a_line_cut_off_by_a_crash_is_removed_and_the_next_one_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "reports.jsonl"
    journal = ReportJournal(file)
    journal.append(REPORTS[0], GO_ON)
    journal.append(REPORTS[1], GO_ON)
    file.write_bytes(file.read_bytes()[:-9])

    assert journal.replay(ThresholdRule()) == 1
    journal.append(REPORTS[2], GO_ON)
    rule = ThresholdRule()
    journal.replay(rule)

    assert rule.judged == [REPORTS[0], REPORTS[2]]


def test_a_study_without_reports_replays_nothing(tmp_path: Path) -> None:
    assert ReportJournal(tmp_path / "reports.jsonl").replay(ThresholdRule()) == 0
