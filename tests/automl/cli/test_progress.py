"""Progress on stderr, as a pipe sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import IPython.display

from automl.cli.progress import ProgressTracker
from automl.storage.paths import StudyPaths
from automl.study.causes import Origin, OriginKind
from automl.study.result import StudyResult
from automl.study.trial import Measurement, Proposal
from tests.automl.cli.study_folder import TRIALS, write_study
from tests.automl.study.examples import OBJECTIVE, make_plan
from tests.automl.tracking.file_tracker import FileTracker

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def track_study(files: FileTracker, root: Path) -> None:
    """Let a study run its trials, one after the other and each with one measurement, and end."""
    files.study_started(make_plan(), root)
    for trial in TRIALS:
        proposal = Proposal(number=trial.number, assignment=trial.assignment, origin=Origin(OriginKind.GIVEN))
        files.trial_started(proposal, root / trial.directory, 1)
        files.measured(trial.number, Measurement(epoch=0, values={"val/d1": 0.1}))
        files.trial_ended(trial)
    files.study_ended(StudyResult(objective=OBJECTIVE, trials=TRIALS))


def test_a_pipe_gets_one_line_per_trial_and_nothing_on_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_study(tmp_path / "example", ())
    files = FileTracker(StudyPaths(root), [ProgressTracker()])

    track_study(files, root)

    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("trial ")]
    assert captured.out == ""
    assert [line.split()[2] for line in lines] == ["completed", "diverged", "completed", "failed"]
    assert ["(best)" in line for line in lines] == [True, False, True, False]


def test_after_a_resume_the_best_of_before_still_leads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_study(tmp_path / "example", TRIALS[:3])
    files = FileTracker(StudyPaths(root), [ProgressTracker()])

    files.study_started(make_plan(), root)
    files.trial_ended(TRIALS[0])
    files.trial_ended(TRIALS[2])

    assert "(best)" not in capsys.readouterr().err


class Shown:
    """The outputs of a cell, as a front end keeps them."""

    def __init__(self) -> None:
        self.pages: list[dict[str, str]] = []
        self.displays = 0

    def display(self, page: dict[str, str], **options: Any) -> Shown:  # noqa: ANN401 # those of IPython
        assert options == {"raw": True, "display_id": True}
        self.displays += 1
        self.pages.append(page)
        return self

    def update(self, page: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.pages.append(page)


def test_a_notebook_keeps_one_output_with_the_last_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = Shown()
    monkeypatch.setattr(IPython.display, "display", shown.display)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    root = write_study(tmp_path / "example", ())
    files = FileTracker(StudyPaths(root), [ProgressTracker()])

    track_study(files, root)

    last = shown.pages[-1]
    assert (shown.displays, capsys.readouterr().err) == (1, "")
    assert [line.split()[:3] for line in last["text/plain"].splitlines() if line.startswith("trial ")] == [
        ["trial", str(trial.number), trial.state.value.lower()] for trial in TRIALS
    ]
    assert "best 0.7000" in last["text/plain"]
    assert last["text/html"].startswith("<pre ")
    assert "train_loss is nan" in last["text/html"]
