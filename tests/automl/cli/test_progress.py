"""Progress on stderr, as a pipe sees it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from automl.cli.progress import ProgressTracker
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import write_result
from automl.study.causes import Origin, OriginKind
from automl.study.result import StudyResult
from automl.study.trial import Measurement, Proposal
from tests.automl.cli.study_folder import TRIALS
from tests.automl.study.examples import OBJECTIVE, make_plan

if TYPE_CHECKING:
    import pytest


def test_a_pipe_gets_one_line_per_trial_and_nothing_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    tracker = ProgressTracker()

    tracker.study_started(make_plan(), Path("results/example"))
    for trial in TRIALS:
        proposal = Proposal(number=trial.number, assignment=trial.assignment, origin=Origin(OriginKind.GIVEN))
        tracker.trial_started(proposal, Path(trial.directory), 1)
        tracker.measured(trial.number, Measurement(epoch=0, values={"val/d1": 0.1}))
        tracker.trial_ended(trial)
    tracker.study_ended(StudyResult(objective=OBJECTIVE, trials=TRIALS))

    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("trial ")]
    assert captured.out == ""
    assert [line.split()[2] for line in lines] == ["completed", "diverged", "completed", "failed"]
    assert ["(best)" in line for line in lines] == [True, False, True, False]


def test_after_a_resume_the_best_of_before_still_leads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for trial in TRIALS[:3]:
        write_result(StudyPaths(tmp_path), trial)
    tracker = ProgressTracker()

    tracker.study_started(make_plan(), tmp_path)
    tracker.trial_ended(TRIALS[0])
    tracker.trial_ended(TRIALS[2])

    assert "(best)" not in capsys.readouterr().err
