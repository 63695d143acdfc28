"""`automl status --watch`: 80 columns, from files, while a study runs and after a crash."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from automl.cli.app import run_command_line
from automl.cli.watch import Watched, view, watch
from automl.storage.paths import StudyPaths
from automl.study.causes import Origin, OriginKind
from automl.study.result import StudyResult
from automl.study.trial import Measurement, Proposal
from tests.automl.cli.study_folder import write_study
from tests.automl.tracking.file_tracker import FileTracker
from tests.automl.tracking.synthetic import OBJECTIVE, make_plan

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A study whose events and results tell of ended trials, trial 5 still running."""
    root = write_study(tmp_path / "example")
    tracker = FileTracker(StudyPaths(root))
    tracker.study_started(make_plan(root, "example"), root)
    origin = Origin(OriginKind.SOBOL)
    tracker.trial_started(Proposal(number=5, assignment={"train.lr": 0.5}, origin=origin), root / "trials/0005", 1)
    tracker.measured(5, Measurement(epoch=1, max_epochs=5, values={"val/d1": 0.65}))
    tracker.close()
    return root


def shown(watched: Watched, height: int = 24) -> str:
    console = Console(width=80, file=io.StringIO(), highlight=False)
    console.print(view(watched, height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_eighty_columns_show_trials_slots_incumbent_and_estimate(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.cli.watch.running_process", lambda _: 42)

    text = shown(Watched(root))

    assert max(len(line) for line in text.splitlines()) <= 80
    assert "running (process 42)" in text
    assert "best    trial 2, val/d1 0.7000, epoch 5 of 5" in text
    assert "1 of 2 busy" in text
    assert "each so far, 2 slots)" in text
    running = next(line for line in text.splitlines() if line.lstrip().startswith("5 "))
    assert running.split()[:6] == ["5", "running", "2", "of", "5", "0.6500"]
    assert "0.7000*" in text
    assert "out of GPU memory" in text


def test_after_a_crash_it_says_that_nobody_runs_it(root: Path) -> None:
    text = shown(Watched(root))

    assert "example, interrupted: its process was killed; automl resume" in " ".join(text.split())
    assert "lost" in text


def test_a_low_terminal_shows_the_latest_trials_only(root: Path) -> None:
    rows = shown(Watched(root), height=5).splitlines()

    assert any(row.lstrip().startswith("3 ") for row in rows)
    assert len(rows) < 16


def test_watching_ends_with_the_study(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tracker = FileTracker(StudyPaths(root))
    tracker.study_ended(StudyResult(objective=OBJECTIVE, trials=()))
    tracker.close()

    assert run_command_line(["status", str(root), "--watch"]) == 0
    assert "example, completed" in capsys.readouterr().out


def test_on_a_terminal_it_is_shown_in_place(root: Path) -> None:
    console = Console(width=80, height=24, file=io.StringIO(), force_terminal=True)

    watch(root, console)

    assert isinstance(console.file, io.StringIO)
    assert "trial 2" in console.file.getvalue()


def test_for_machines_the_events_are_streamed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["status", str(root), "--watch", "--json"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["event"] for line in lines[:2]] == ["study_started", "trial_proposed"]
    assert lines == StudyPaths(root).events_file.read_text(encoding="utf-8").splitlines()


def test_a_folder_that_is_no_study_is_bad_input(tmp_path: Path) -> None:
    assert run_command_line(["status", str(tmp_path), "--watch"]) == 2
    assert run_command_line(["status", str(tmp_path), "--watch", "--json"]) == 2
