"""Progress on stderr, as a pipe sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def test_a_pipe_gets_one_line_per_trial_and_nothing_on_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_study(tmp_path / "example", ())
    files = FileTracker(StudyPaths(root), [ProgressTracker()])

    files.study_started(make_plan(), root)
    for trial in TRIALS:
        proposal = Proposal(number=trial.number, assignment=trial.assignment, origin=Origin(OriginKind.GIVEN))
        files.trial_started(proposal, root / trial.directory, 1)
        files.measured(trial.number, Measurement(epoch=0, values={"val/d1": 0.1}))
        files.trial_ended(trial)
    files.study_ended(StudyResult(objective=OBJECTIVE, trials=TRIALS))

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
