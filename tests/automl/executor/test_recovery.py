from __future__ import annotations

import errno
import sys
from typing import TYPE_CHECKING

import pytest

from automl.errors import LaunchError
from automl.executor.recovery import asked_to_stop, conclude, recorded
from automl.executor.reports import StopDecision
from automl.schedulers.base import Decision
from automl.storage.paths import StudyPaths
from automl.study.causes import Origin, OriginKind
from automl.study.trial import Proposal, TrialState
from automl.trial.stop_request import request_stop
from tests.automl.executor.toy_study import toy_plan

if TYPE_CHECKING:
    from pathlib import Path


def attempt(root: Path, *lines: str) -> Path:
    folder = root / "trials" / "0004"
    folder.mkdir(parents=True)
    (folder / "status.json").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return folder


def test_a_request_to_stop_that_nobody_answered_is_found_with_its_last_epoch(tmp_path: Path) -> None:
    directory = StudyPaths(tmp_path)
    assert asked_to_stop(directory, 4) is None
    folder = attempt(tmp_path)
    assert asked_to_stop(directory, 4) is None

    request_stop(folder, "rung 3", last_epoch=2)
    assert asked_to_stop(directory, 4) == StopDecision(decision=Decision.STOP, reason="rung 3", epoch=2)
    request_stop(folder, "on request")
    ending = asked_to_stop(directory, 4)
    assert ending is not None
    assert ending.epoch == sys.maxsize - 1


@pytest.mark.parametrize("reason", ["interrupted by the user", "paused: rung 3"])
def test_a_trial_that_goes_on_later_was_not_asked_to_stop(tmp_path: Path, reason: str) -> None:
    request_stop(attempt(tmp_path), reason)

    assert asked_to_stop(StudyPaths(tmp_path), 4) is None


@pytest.mark.parametrize(("decision", "state"), [(Decision.STOP, TrialState.STOPPED), (Decision.PAUSE, "INTERRUPTED")])
def test_a_concluded_trial_has_the_values_up_to_the_decision(tmp_path: Path, decision: Decision, state: str) -> None:
    lines = [f'{{"epoch": {epoch}, "kpi": {{"val/d1": {value}}}}}' for epoch, value in enumerate((0.3, 0.2, 0.9))]
    folder = attempt(tmp_path, *lines)
    (folder / "model_epoch_000.pth").write_bytes(b"weights")
    proposal = Proposal(number=4, assignment={"quality": 0.5}, origin=Origin(OriginKind.GIVEN))
    plan = toy_plan(tmp_path / "skill", trials=9)

    result = conclude(
        plan, StudyPaths(tmp_path), proposal, StopDecision(decision=decision, reason="rung 2: too low", epoch=1)
    )

    assert (result.state, result.curve) == (TrialState(state), ((0, 0.3), (1, 0.2)))
    best = None if decision is Decision.PAUSE else "trials/0004/model_epoch_000.pth"
    assert result.checkpoint == best
    assert result.reason.endswith("rung 2: too low")


def test_a_write_that_fails_is_an_error_that_names_the_folder_and_the_way_on(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match=r"Read-only file system.*automl resume"), recorded(tmp_path):
        raise OSError(errno.EROFS, "read-only")
