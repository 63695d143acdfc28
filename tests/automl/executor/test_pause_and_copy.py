"""Pause, promote and copy with real trainers, the real searcher and the real rules."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from automl.storage.event_log import read_log
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_results
from automl.study.causes import OriginKind
from automl.study.ends import StopKind
from automl.study.events import StopDecided, TrialEnded, TrialProposed
from automl.study.trial import TrialResult, TrialState

DRIVER = Path(__file__).parent / "plain_driver.py"


def run(root: Path, rule: str, slots: int, trials: int) -> tuple[TrialResult, ...]:
    command = [sys.executable, str(DRIVER), str(root), "qmc", rule, str(slots), str(trials)]
    subprocess.run(command, check=True, timeout=200)
    return read_results(StudyPaths(root / "study"))


def start_of(root: Path, folder: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((root / "study/trials" / folder / "attempt.json").read_text(encoding="utf-8"))
    return document


def test_asha_pauses_all_and_the_best_go_on_from_their_very_checkpoints(tmp_path: Path) -> None:
    results = run(tmp_path, "asha", slots=1, trials=9)

    best = max(results, key=lambda result: result.values["val/d1"])
    assert best.state is TrialState.COMPLETED
    assert [epoch for epoch, _ in best.curve] == [0, 1, 2, 3]
    stopped = [result for result in results if result.state is TrialState.STOPPED]
    assert {len(result.curve) for result in stopped} <= {1, 2}
    promoted = [result for result in results if result.attempt > 1]
    assert promoted
    for result in promoted:
        start = start_of(tmp_path, Path(result.directory).name)
        assert start["first_epoch"] in {1, 2}
        assert start["checkpoint"].endswith(f"model_epoch_{start['first_epoch'] - 1:03d}.pth")
    assert all("rung" in result.reason for result in stopped)
    events = [entry.event for entry in read_log(StudyPaths(tmp_path / "study").events_file)]
    pauses = [e for e in events if isinstance(e, StopDecided) and e.cause.kind is StopKind.PAUSE]
    ends = [e.result for e in events if isinstance(e, TrialEnded) and not e.result.state.is_final]
    assert [pause.trial for pause in pauses] == [result.number for result in ends]
    assert len(pauses) >= len(stopped)
    assert all(result.values for result in ends)  # each pause has a value that the sampler observes


def test_copies_of_the_best_take_the_places_of_the_worst(tmp_path: Path) -> None:
    results = run(tmp_path, "pbt", slots=3, trials=7)

    copies = [result for result in results if result.parent is not None]
    assert copies
    for copy in copies:
        start = start_of(tmp_path, f"{copy.number:04d}")
        assert start["parent"] == copy.parent
        assert copy.curve[0][0] == start["first_epoch"] >= 1
        assert 0.0 <= float(copy.assignment["quality"] or 0.0) <= 1.0
        parent = results[copy.parent or 0]
        assert parent.assignment != copy.assignment
    events = [entry.event for entry in read_log(StudyPaths(tmp_path / "study").events_file)]
    origins = {event.trial: event.origin for event in events if isinstance(event, TrialProposed)}
    assert {origins[copy.number].kind for copy in copies} == {OriginKind.CLONE}
    assert [origins[copy.number].parent for copy in copies] == [copy.parent for copy in copies]
