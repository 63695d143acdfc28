"""Study directories of version 0.1: what their log lacks is taken from the files beside it."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.storage.event_log import read_log
from automl.storage.legacy import is_legacy, upgrade_log, upgraded
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_state, write_result
from automl.study.causes import Origin, OriginKind
from automl.study.ends import StopCause, StopKind
from automl.study.events import Event, StopDecided, TrialEnded, TrialPromoted, TrialProposed, TrialStarted
from automl.study.state import Phase
from automl.study.trial import TrialResult, TrialState

if TYPE_CHECKING:
    from pathlib import Path

STARTED = {
    "event": "study_started",
    "study": "demo",
    "directory": "/demo",
    "route": "tune",
    "fingerprint": "",
    "metric": "val/d1",
    "direction": "maximize",
    "trials": 4,
    "jobs": 2,
    "max_epochs": 4,
    "process": 1,
}
SUSPENDED = {"event": "study_suspended", "reason": "Ctrl-C or SIGTERM"}
ENDED = {"event": "trial_ended", "trial": 0, "state": "COMPLETED", "values": {"val/d1": 0.5}}


def trial_started(number: int, attempt: int = 1, rate: float = 0.1, origin: str = "sobol") -> dict[str, object]:
    place = {"directory": f"/demo/trials/{number:04d}", "assignment": {"lr": rate}, "origin": origin}
    return {"event": "trial_started", "trial": number, "attempt": attempt, **place}


def measured(number: int, epoch: int) -> dict[str, object]:
    values = {"values": {"val/d1": 0.5}, "nonfinite": {}, "step": None, "max_epochs": 4}
    return {"event": "measured", "trial": number, "epoch": epoch, **values}


def write_lines(file: Path, *documents: dict[str, object]) -> None:
    file.write_text("".join(json.dumps(document) + "\n" for document in documents), encoding="utf-8")


def write_old_study(root: Path) -> StudyPaths:
    """Write a study of two runs: trial 0 is paused, promoted and ends; 1 is stopped; 2 and 3 are not in the log."""
    paths, time = StudyPaths(root), {"time": "2026-01-02T03:04:05+00:00"}
    first_run = (STARTED, trial_started(0), measured(0, 0), trial_started(1, rate=0.2), measured(1, 0), SUSPENDED)
    second_run = (STARTED, trial_started(0, attempt=2), measured(0, 1), {**ENDED, "attempt": 2, "directory": ""})
    write_lines(paths.events_file, *({**event, **time} for event in (*first_run, *second_run)))
    created = [{"automl:assignment": {"lr": rate}, "automl:origin": {"kind": "sobol"}} for rate in (0.1, 0.2, 0.3, 0.4)]
    created[3]["automl:replicate"] = (0, 7)
    study = {"op_code": 0, "study_name": "demo"}
    write_lines(paths.journal_file, study, *({"op_code": 4, "user_attrs": facts} for facts in created))
    write_lines(
        paths.reports_file,
        {"trial": 0, "epoch": 0, "decision": "pause", "reason": "rung 1"},
        {"trial": 1, "epoch": 0, "decision": "stop", "reason": "below the median"},
        {"trial": 0, "decision": "promote"},
        {"trial": 0, "epoch": 1, "decision": "continue"},
    )
    start = paths.attempt(0, 2).start_file
    start.parent.mkdir(parents=True)
    start.write_text('{"attempt": 2, "first_epoch": 1, "earlier_s": 3.0}', encoding="utf-8")
    late = TrialResult(number=2, state=TrialState.STOPPED, assignment={"lr": 0.3}, directory="", values={"val/d1": 0.5})
    known = replace(late, number=0, state=TrialState.COMPLETED, assignment={"lr": 0.1}, attempt=2, curve=((0, 0.5),))
    for result in (known, late):
        write_result(paths, result)
    return paths


def events_of(paths: StudyPaths, *kinds: type) -> list[Event]:
    return [entry.event for entry in upgraded(paths) if isinstance(entry.event, kinds)]


def test_proposals_come_from_the_journal_in_their_order_also_those_that_never_started(tmp_path: Path) -> None:
    proposals = events_of(write_old_study(tmp_path), TrialProposed)

    sobol = Origin(OriginKind.SOBOL)
    assert proposals == [
        TrialProposed(trial=0, assignment={"lr": 0.1}, origin=sobol),
        TrialProposed(trial=1, assignment={"lr": 0.2}, origin=sobol),
        TrialProposed(trial=2, assignment={"lr": 0.3}, origin=sobol),
        TrialProposed(trial=3, assignment={"lr": 0.4}, origin=sobol, replicate_of=0, seed=7),
    ]


def test_a_proposal_that_the_journal_lacks_is_what_was_started(tmp_path: Path) -> None:
    paths = write_old_study(tmp_path)
    paths.journal_file.unlink()

    assert events_of(paths, TrialProposed) == [
        TrialProposed(trial=0, assignment={"lr": 0.1}, origin=Origin(OriginKind.SOBOL)),
        TrialProposed(trial=1, assignment={"lr": 0.2}, origin=Origin(OriginKind.SOBOL)),
    ]


def test_what_the_scheduler_decided_comes_from_its_reports(tmp_path: Path) -> None:
    paused = StopCause(kind=StopKind.PAUSE, detail="rung 1", last_epoch=0)
    stopped = StopCause(kind=StopKind.SCHEDULER, detail="below the median", last_epoch=0)

    assert events_of(write_old_study(tmp_path), StopDecided, TrialPromoted) == [
        StopDecided(trial=0, cause=paused),
        StopDecided(trial=1, cause=stopped),
        TrialPromoted(trial=0),
    ]


def test_starts_and_results_are_those_of_the_files_of_the_trials(tmp_path: Path) -> None:
    paths = write_old_study(tmp_path)

    starts = [event.start for event in events_of(paths, TrialStarted) if isinstance(event, TrialStarted)]
    results = [event.result for event in events_of(paths, TrialEnded) if isinstance(event, TrialEnded)]

    assert starts == [{"attempt": 1}, {"attempt": 1}, {"attempt": 2, "first_epoch": 1, "earlier_s": 3.0}]
    assert [(result.number, result.state, result.curve) for result in results] == [
        (0, TrialState.COMPLETED, ((0, 0.5),)),
        (2, TrialState.STOPPED, ()),
    ]


def test_an_upgraded_log_says_the_same_and_the_old_one_is_kept(tmp_path: Path) -> None:
    paths = write_old_study(tmp_path)
    stop = paths.attempt(0).stop_file
    stop.parent.mkdir(parents=True, exist_ok=True)
    stop.touch()
    old, state = paths.events_file.read_bytes(), read_state(paths)
    events = [entry.event for entry in upgraded(paths)]

    upgrade_log(paths)
    upgrade_log(paths)

    assert [entry.event for entry in read_log(paths.events_file, is_strict=True)] == events
    assert (is_legacy(paths), read_state(paths) == state, stop.exists()) == (False, True, False)
    assert paths.old_events_file.read_bytes() == old
    assert [trial.phase for trial in state.trials] == [Phase.ENDED, Phase.LOST, Phase.ENDED, Phase.WAITING]


def test_a_torn_line_before_the_last_one_is_named(tmp_path: Path) -> None:
    paths = write_old_study(tmp_path)
    paths.journal_file.write_text('{"op_code": 0}\n{"op_\n{"op_code": 0}\n{"op_c', encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"journal\.log\n.*line 2: "):
        read_state(paths)


@pytest.mark.parametrize("name", ["events.jsonl", "trials/0000.2/attempt.json", "trials/0000/result.json"])
@pytest.mark.parametrize("at", [2, 60])
def test_a_torn_file_is_named_and_not_passed_over(tmp_path: Path, name: str, at: int) -> None:
    paths = write_old_study(tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[:at].rstrip(b"}") + b"\n" + content[at + 9 :])
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}

    with pytest.raises(ConfigurationError, match=re.escape(str(tmp_path / name))):
        read_state(paths)
    with suppress(ConfigurationError):
        upgrade_log(paths)

    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
