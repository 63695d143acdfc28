"""Why a study has ended, from its files alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from automl.storage.event_log import decode, encode
from automl.storage.final_status import Outcome, outcome_of, read_settled
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_state
from tests.automl.cli.study_folder import write_study

if TYPE_CHECKING:
    from pathlib import Path


def with_events(root: Path, *events: dict[str, object]) -> StudyPaths:
    common = {"time": TIME, "trials": 4, "best_trial": None, "best_value": None}
    lines = [json.dumps({**common, **event}) + "\n" for event in events]
    if any(event.get("log_version") for event in events):
        found = [decode(line.encode()) for line in lines]
        lines = [encode(*entry).decode() for entry in found if entry is not None]  # with their checks
    (root / "events.jsonl").write_text("".join(lines), encoding="utf-8")
    return StudyPaths(root)


def outcome(paths: StudyPaths, *, has_best: bool) -> Outcome:
    return outcome_of(paths, read_state(paths), has_best=has_best)


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
    assert str(outcome(with_events(tmp_path, STARTED, last), has_best=has_best)) == expected


def test_a_study_whose_best_was_not_handed_over_is_to_be_resumed(tmp_path: Path) -> None:
    events: list[dict[str, object]] = [{**STARTED, "log_version": 3}, {"event": "study_ended", "reason": "enough"}]

    left = outcome(with_events(tmp_path, *events), has_best=True)
    whole = outcome(with_events(tmp_path, *events, {"event": "handed_over"}), has_best=True)

    assert str(left) == "interrupted: enough; its process ended before everything was handed over"
    assert str(whole) == "completed: enough"


@pytest.mark.parametrize("torn", ["", '{"event": "study_en', "[]", '{"event": "measured"}'])
def test_a_study_that_was_killed_is_interrupted_whatever_its_last_line(tmp_path: Path, torn: str) -> None:
    directory = with_events(tmp_path, STARTED, {"event": "study_ended", "reason": "before"}, STARTED)
    with directory.events_file.open("a", encoding="utf-8") as stream:
        stream.write(torn)

    found = outcome(directory, has_best=True)

    assert found.state == "interrupted"
    assert "killed" in found.reason
    assert found.end is None


def test_a_study_without_events_has_ended_before_its_first_trial(tmp_path: Path) -> None:
    assert str(outcome(StudyPaths(tmp_path), has_best=False)) == "interrupted: it ended before its first trial"


@pytest.mark.parametrize("processes", [(5, None), (None, 5)])
def test_a_study_that_ends_or_begins_while_it_is_read_was_not_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: tuple[int | None, ...]
) -> None:
    root = write_study(tmp_path / "demo")
    answers = iter(processes)
    monkeypatch.setattr("automl.storage.final_status.running_process", lambda _: next(answers))

    assert read_settled(root)[2].state == "running"


def test_a_best_json_that_cannot_be_read_is_a_notice(tmp_path: Path) -> None:
    root = write_study(tmp_path / "demo")
    before = read_settled(root)[2].notices
    StudyPaths(root).best_file.write_bytes(bytes(range(128, 200)))

    (said,) = read_settled(root)[2].notices

    assert before == ()
    assert said.startswith(f"{root}/best.json cannot be used: a file that cannot be read (")
    assert said.endswith(f"move it away, then automl resume {root} makes it again")
