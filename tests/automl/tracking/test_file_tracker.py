"""`events.jsonl` tells the whole study, in strict JSON."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from automl.storage.paths import StudyPaths
from automl.tracking.file_tracker import FileTracker, read_events
from tests.automl.tracking.synthetic import RESULTS, tell

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def directory(tmp_path: Path) -> StudyPaths:
    return StudyPaths(tmp_path / "demo")


def test_every_event_of_a_study_is_one_line_with_its_time(directory: StudyPaths) -> None:
    tell(directory)

    events = list(read_events(directory.events_file))
    names = [event["event"] for event in events]
    assert names[0] == "study_started"
    assert names[-1] == "study_ended"
    assert names.count("trial_started") == len(RESULTS) + 1  # trial 4 has two attempts
    assert names.count("trial_ended") == len(RESULTS) + 1
    assert all(datetime.fromisoformat(event["time"]).tzinfo is not None for event in events)


def test_a_diverged_trial_shows_its_non_finite_value_as_text(directory: StudyPaths) -> None:
    tell(directory)

    lines = directory.events_file.read_text(encoding="utf-8").splitlines()
    found = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    assert any(event.get("nonfinite") == {"train_loss": "nan"} for event in found)


def test_the_end_of_a_study_names_its_best_trial(directory: StudyPaths) -> None:
    tell(directory)

    *_, last = read_events(directory.events_file)
    assert (last["best_trial"], last["best_value"]) == (4, 0.7)


def test_a_torn_line_neither_hides_nor_joins_its_neighbours(directory: StudyPaths) -> None:
    directory.root.mkdir()
    directory.events_file.write_text('{"event": "study_started", "ti', encoding="utf-8")
    tell(directory, results=RESULTS[:1])

    assert next(event["event"] for event in read_events(directory.events_file)) == "study_started"


def test_a_disk_that_cannot_be_written_does_not_stop_the_study(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")

    FileTracker(StudyPaths(tmp_path / "file")).trial_ended(RESULTS[0])

    assert (tmp_path / "file").read_text(encoding="utf-8") == "in the way"


def test_no_events_are_no_error(tmp_path: Path) -> None:
    assert list(read_events(tmp_path / "events.jsonl")) == []
