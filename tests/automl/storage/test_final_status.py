"""Why a study has ended, from its files alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from automl.storage.final_status import read_end, read_outcome
from automl.storage.paths import StudyPaths

if TYPE_CHECKING:
    from pathlib import Path


def with_events(root: Path, *events: dict[str, object]) -> StudyPaths:
    common = {"time": TIME, "trials": 4, "best_trial": None, "best_value": None}
    lines = "".join(json.dumps({**common, **event}) + "\n" for event in events)
    (root / "events.jsonl").write_text(lines, encoding="utf-8")
    return StudyPaths(root)


TIME = "2026-01-02T03:04:05+00:00"
STARTED: dict[str, object] = {
    "event": "study_started",
    "study": "demo",
    "directory": "/demo",
    "route": "tune",
    "fingerprint": "",
    "metric": "val/d1",
    "direction": "maximize",
    "trials": 4,
    "jobs": 1,
    "max_epochs": None,
    "process": 1,
}


@pytest.mark.parametrize(
    ("last", "has_best", "expected"),
    [
        ({"event": "study_ended", "reason": "enough"}, True, "completed: enough"),
        ({"event": "study_ended", "reason": "enough"}, False, "failed: enough"),
        ({"event": "study_ended", "reason": "3 in a row", "is_failure": True}, True, "failed: 3 in a row"),
        ({"event": "study_suspended", "reason": "the disk is full"}, True, "interrupted: the disk is full"),
        ({"event": "study_ended"}, True, "completed"),  # of a version that gave no reasons
    ],
)
def test_the_last_event_says_what_became_of_a_study(
    tmp_path: Path, last: dict[str, object], *, has_best: bool, expected: str
) -> None:
    assert str(read_outcome(with_events(tmp_path, STARTED, last), has_best=has_best)) == expected


@pytest.mark.parametrize("torn", ["", '{"event": "study_en', "[]", '{"event": "measured"}'])
def test_a_study_that_was_killed_is_interrupted_whatever_its_last_line(tmp_path: Path, torn: str) -> None:
    directory = with_events(tmp_path, {"event": "study_ended", "reason": "before"}, STARTED)
    with directory.events_file.open("a", encoding="utf-8") as stream:
        stream.write(torn)

    outcome = read_outcome(directory, has_best=True)

    assert outcome.state == "interrupted"
    assert "killed" in outcome.reason
    assert read_end(directory) is None


def test_a_study_without_events_has_ended_before_its_first_trial(tmp_path: Path) -> None:
    assert str(read_outcome(StudyPaths(tmp_path), has_best=False)) == "interrupted: it ended before its first trial"
