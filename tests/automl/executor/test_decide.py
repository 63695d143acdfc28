"""What follows from where a study stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from automl.executor.decide import (
    Ask,
    Begin,
    Conclude,
    Repeat,
    is_clone_due,
    is_exhausted,
    missing_replicates,
    next_start,
    next_step,
)
from automl.executor.search_state import SearchState
from automl.schedulers.asha import PausingAshaScheduler
from automl.schedulers.base import CloneRequest
from automl.study.causes import Origin, OriginKind
from automl.study.ends import EndKind, EndReason, StopCause, StopKind
from automl.study.events import (
    EndDecided,
    Event,
    Measured,
    StopDecided,
    TrialEnded,
    TrialPromoted,
    TrialProposed,
    TrialStarted,
)
from automl.study.objectives import parse_constraints
from automl.study.state import Phase, StudyState, apply
from automl.study.trial import TrialResult, TrialState
from tests.automl.executor.toy_study import LISTED, ListSearcher, ThresholdRule, toy_plan
from tests.automl.study.examples import study_started

if TYPE_CHECKING:
    from pathlib import Path

    from automl.schedulers.base import Scheduler
    from automl.study.model import StudyPlan

STARTED = study_started(study="toy", trials=4)
PAUSE = StopCause(kind=StopKind.PAUSE, detail="rung 1", last_epoch=0)
USER = EndReason(kind=EndKind.USER, detail="enough")


class CloningRule(ThresholdRule):
    """Asks for one clone of trial 0."""

    wanted: CloneRequest | None = CloneRequest(parent=0, epoch=1)

    def next_clone(self) -> CloneRequest | None:
        return self.wanted

    def cloned(self) -> None:
        self.wanted = None


class Folded:
    """A study's events, folded."""

    def __init__(self, plan: StudyPlan, scheduler: Scheduler | None = None) -> None:
        self.plan = plan
        self.state = StudyState()
        self.search = SearchState(plan, ListSearcher([]), scheduler or ThresholdRule())
        self.time = datetime(2026, 1, 1, tzinfo=UTC)
        self.add(STARTED)

    def add(self, *events: Event) -> None:
        for event in events:
            self.time += timedelta(seconds=1)
            apply(self.state, event, self.time)
            self.search.apply(event, self.state)

    def propose(self, number: int, origin: Origin = LISTED, of: int | None = None, seed: int | None = None) -> None:
        self.add(TrialProposed(trial=number, assignment={}, origin=origin, replicate_of=of, seed=seed))

    def start(self, number: int, attempt: int = 1) -> None:
        self.add(
            TrialStarted(trial=number, attempt=attempt, origin="list", assignment={}, directory=f"trials/{number:04d}")
        )

    def run(self, number: int) -> None:
        self.propose(number)
        self.start(number)

    def end(self, number: int, state: TrialState = TrialState.COMPLETED, value: float = 0.5) -> None:
        proposal = self.state.trials[number].proposal
        result = TrialResult(
            number=number,
            state=state,
            assignment={},
            directory="",
            values={"val/d1": value} if state.has_value else {},
            replicate_of=proposal.replicate_of,
            seed=proposal.seed,
        )
        self.add(TrialEnded(result))

    def measure(self, number: int, epoch: int, value: float) -> None:
        self.add(Measured(trial=number, epoch=epoch, step=None, max_epochs=None, values={"val/d1": value}))

    def step(self) -> object:
        return next_step(self.plan, self.state, self.search)

    def next_start(self) -> object:
        return next_start(self.plan, self.state, self.search)


def folded(root: Path, trials: int = 4, scheduler: Scheduler | None = None, replicates: int = 0) -> Folded:
    plan = replace(toy_plan(root / "skill", trials=trials), replicates=replicates, seed_key="quality")
    return Folded(plan, scheduler)


def test_a_trial_that_waits_comes_before_a_new_one(tmp_path: Path) -> None:
    study = folded(tmp_path)
    assert study.next_start() == Ask()

    study.propose(0)

    assert study.next_start() == Begin(0)


def test_what_ran_when_its_driver_died_waits_for_another_attempt(tmp_path: Path) -> None:
    study = folded(tmp_path)
    study.run(0)
    study.run(1)
    study.end(0)

    study.add(STARTED)

    assert [trial.phase for trial in study.state.trials] == [Phase.ENDED, Phase.WAITING]
    assert study.next_start() == Begin(1)


def test_a_value_below_the_threshold_stops_its_trial_once(tmp_path: Path) -> None:
    study = folded(tmp_path, scheduler=ThresholdRule(0.2))
    study.run(0)

    study.measure(0, 1, 0.1)
    stop = study.step()

    assert stop == StopDecided(
        trial=0, cause=StopCause(kind=StopKind.SCHEDULER, detail="0.1 is below 0.2", last_epoch=1)
    )
    assert isinstance(stop, StopDecided)
    study.add(stop)
    assert study.step() is None


def test_a_stop_whose_driver_died_is_concluded_by_the_next_one(tmp_path: Path) -> None:
    study = folded(tmp_path)
    study.run(0)
    cause = StopCause(kind=StopKind.SCHEDULER, detail="rung 3", last_epoch=1)
    study.add(StopDecided(trial=0, cause=cause), STARTED)

    assert study.step() == Conclude(0, cause)


def test_a_decision_whose_driver_died_before_it_was_recorded_is_the_next_step(tmp_path: Path) -> None:
    study = folded(tmp_path, scheduler=ThresholdRule(0.2))
    study.run(0)
    study.measure(0, 1, 0.1)

    study.add(STARTED)

    step = study.step()
    assert isinstance(step, StopDecided)
    study.add(step)
    assert study.step() == Conclude(0, step.cause)


def test_what_is_measured_after_the_decision_to_stop_is_left_out(tmp_path: Path) -> None:
    study = folded(tmp_path)
    study.run(0)
    study.add(StopDecided(trial=0, cause=PAUSE))

    study.measure(0, 1, 0.9)

    assert isinstance(study.search.searcher, ListSearcher)
    assert study.search.searcher.observed == []
    assert study.state.trials[0].measured == []


def test_the_best_paused_trial_is_promoted_before_a_new_one_is_asked_for(tmp_path: Path) -> None:
    study = folded(tmp_path, scheduler=PausingAshaScheduler((1,), eta=3.0))
    for number in range(3):
        study.run(number)
        study.measure(number, 0, -float(number))
        if (stop := study.step()) is not None:
            assert isinstance(stop, StopDecided)
            study.add(stop)
        study.end(number, TrialState.INTERRUPTED)

    assert study.next_start() == TrialPromoted(trial=0)
    study.add(TrialPromoted(trial=0))
    assert study.next_start() == Begin(0)
    assert study.state.trials[0].paused_at == 0
    assert [trial.phase for trial in study.state.trials] == [Phase.WAITING, Phase.PAUSED, Phase.PAUSED]


def test_a_clone_comes_before_a_proposal_of_the_sampler_and_is_asked_for_once(tmp_path: Path) -> None:
    study = folded(tmp_path, scheduler=CloningRule())
    study.run(0)

    assert study.next_start() == CloneRequest(parent=0, epoch=1)
    assert is_clone_due(study.plan, study.state, study.search)
    study.propose(1, Origin(OriginKind.CLONE, parent=0, epoch=1))
    assert is_clone_due(study.plan, study.state, study.search)
    study.start(1)
    assert study.next_start() == Ask()
    assert not is_clone_due(study.plan, study.state, study.search)


def test_nothing_is_left_when_all_trials_of_the_budget_are_known(tmp_path: Path) -> None:
    study = folded(tmp_path, trials=2)
    study.run(0)
    study.end(0)
    assert not is_exhausted(study.plan, study.state, study.search)

    study.run(1)

    assert is_exhausted(study.plan, study.state, study.search)
    assert study.next_start() is None


def test_the_end_of_a_study_stops_what_runs_and_concludes_what_waits(tmp_path: Path) -> None:
    study = folded(tmp_path)
    study.run(0)
    study.propose(1)

    study.add(EndDecided(end=USER))

    stop = StopCause(kind=StopKind.STUDY, end=USER)
    assert study.step() == StopDecided(trial=0, cause=stop)
    study.add(StopDecided(trial=0, cause=stop))
    assert study.step() == Conclude(1, stop)
    assert study.next_start() is None


def test_a_study_that_is_cut_off_stops_nothing_by_itself(tmp_path: Path) -> None:
    study = folded(tmp_path)
    study.run(0)
    study.propose(1)

    study.add(EndDecided(end=EndReason(kind=EndKind.SIGNAL)))

    assert study.step() is None
    assert study.next_start() is None


def test_what_ended_or_runs_is_not_missing_and_what_misses_a_constraint_is_not_wanted(tmp_path: Path) -> None:
    study = folded(tmp_path, trials=3, replicates=2)
    for number, value in enumerate((0.9, 0.5, 0.7)):
        study.run(number)
        study.end(number, value=value)
    study.propose(3, of=0, seed=1)
    study.end(3, value=0.1)
    study.propose(4, of=2, seed=1)

    assert missing_replicates(study.plan, study.state) == [(0, 2), (2, 2)]
    study.start(4)
    assert study.next_start() == Repeat(0, 2)
    limited = replace(study.plan, constraints=parse_constraints(["val/d1 <= 0.8"]))
    assert missing_replicates(limited, study.state) == [(1, 1), (2, 2), (1, 2)]
    assert missing_replicates(replace(study.plan, replicates=0), study.state) == []


def test_paused_trials_are_given_up_before_replicates_start(tmp_path: Path) -> None:
    study = folded(tmp_path, trials=1, replicates=1)
    study.run(0)
    study.add(StopDecided(trial=0, cause=PAUSE))
    study.end(0, TrialState.INTERRUPTED)

    assert study.next_start() == Conclude(0, StopCause(kind=StopKind.SCHEDULER, detail="rung 1", last_epoch=0))


def test_a_reached_target_ends_a_search_and_replicates_follow(tmp_path: Path) -> None:
    plan = replace(toy_plan(tmp_path / "skill", trials=3), replicates=1, seed_key="quality")
    study = Folded(replace(plan, budget=replace(plan.budget, target=0.6)))
    study.run(0)
    study.measure(0, 0, 0.7)

    step = study.step()

    assert step == EndDecided(end=EndReason(kind=EndKind.TARGET, amount=0.6, metric="val/d1"), is_search=True)
    assert isinstance(step, EndDecided)
    study.add(step)
    assert isinstance(study.step(), StopDecided)


def test_a_trial_takes_as_long_as_all_its_attempts(tmp_path: Path) -> None:
    study = folded(tmp_path)
    study.propose(0)
    study.start(0)  # at 3 s
    study.measure(0, 0, 0.5)  # at 4 s: the last that was heard of it

    study.add(STARTED)

    assert study.state.trials[0].elapsed_s == 1.0
