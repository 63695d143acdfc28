"""Where a running study stands, and when it may be over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from automl.cli.watch import Watched, estimate
from automl.errors import ConfigurationError
from automl.storage.event_log import EventLog
from automl.storage.paths import StudyPaths
from automl.study.causes import Origin, OriginKind
from automl.study.events import Event, Measured, TrialEnded, TrialPromoted, TrialProposed, TrialStarted
from automl.study.state import Phase, StudyState, apply
from automl.study.trial import TrialResult, TrialState
from tests.automl.cli.study_folder import write_study
from tests.automl.study.examples import study_started

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 1, 1, tzinfo=UTC)


def state_after(*timed: tuple[float, Event]) -> StudyState:
    state = StudyState()
    for second, event in ((0.0, study_started(trials=6, max_epochs=8)), *timed):
        apply(state, event, START + timedelta(seconds=second))
    return state


def started(number: int, second: float = 0.0) -> list[tuple[float, Event]]:
    proposed = TrialProposed(trial=number, assignment={}, origin=Origin(OriginKind.SOBOL))
    start = TrialStarted(trial=number, attempt=1, origin="sobol", assignment={}, directory=f"trials/{number:04d}")
    return [(second, proposed), (second, start)]


def ended(number: int, elapsed_s: float) -> tuple[float, Event]:
    result = TrialResult(number=number, state=TrialState.COMPLETED, assignment={}, directory="", elapsed_s=elapsed_s)
    return elapsed_s, TrialEnded(result)


def measured(epoch: int, values: dict[str, float]) -> tuple[float, Event]:
    return 1.0, Measured(trial=0, epoch=epoch, step=None, max_epochs=8, values=values)


def test_a_running_trial_has_its_epochs_and_its_last_value() -> None:
    (trial,) = state_after(*started(0), measured(0, {"val/d1": 0.4}), measured(1, {"train_loss": 2.0})).trials

    assert (trial.epochs, trial.max_epochs, trial.last_value("val/d1")) == (2, 8, 0.4)


def test_a_trial_that_ended_leaves_its_slot() -> None:
    assert state_after(*started(0), ended(0, 1.0)).in_phase(Phase.RUNNING) == []


def test_a_resume_forgets_the_slots_of_the_run_before() -> None:
    state = state_after(*started(0), (9.0, study_started(trials=6, max_epochs=8, jobs=1)))

    assert state.in_phase(Phase.RUNNING) == []
    assert state.started is not None
    assert state.started.jobs == 1


def test_the_estimate_is_the_work_left_over_the_slots() -> None:
    state = state_after(*started(0), *started(1), ended(0, 20.0), ended(1, 40.0), *started(2, 50.0))

    found = estimate(state, 6, None, START + timedelta(seconds=60))

    assert found.seconds == pytest.approx((4 * 30.0 - 10.0) / 2)
    assert found.basis == "4 to go, 30.0 s each so far, 2 slots"


def test_a_time_limit_that_comes_first_is_the_estimate() -> None:
    state = state_after(*started(0), ended(0, 20.0))

    found = estimate(state, 600, 100.0, START + timedelta(seconds=60))

    assert (found.seconds, found.basis.split()[:2]) == (40.0, ["time", "limit"])


def test_nothing_is_estimated_before_a_trial_has_ended() -> None:
    assert estimate(state_after(*started(0)), 6, None, START).seconds is None


def test_a_log_without_one_of_its_lines_is_refused_while_it_is_followed(tmp_path: Path) -> None:
    paths = StudyPaths(write_study(tmp_path / "demo"))
    watched = Watched(paths.root)
    EventLog(paths.events_file).append(TrialPromoted(trial=99))

    with pytest.raises(ConfigurationError, match="trial 99 was never proposed"):
        watched.refresh()
