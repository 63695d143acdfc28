"""What scheduler and sampler make of a study's events: the second fold over the log, beside `automl.study.state`.

Both are functions of the events in their order, and arrival order is part of it when several trials run at once. So the
fold of a recorded log gives the decisions that the run before took; an epoch that is measured again changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.executor.budget import IDENTICAL_ERRORS, Patience, competing_value, error_end, improvement_end, target_end
from automl.schedulers.base import Action, Report
from automl.study.causes import OriginKind
from automl.study.ends import EndReason, StopCause, StopKind
from automl.study.events import (
    ImprovementEstimated,
    Measured,
    RangeGrown,
    StudyStarted,
    TrialEnded,
    TrialPromoted,
    TrialProposed,
)
from automl.study.finite import is_finite
from automl.study.objectives import Direction
from automl.study.state import Phase

if TYPE_CHECKING:
    from automl.samplers.optuna_journal import OptunaJournal
    from automl.samplers.searcher import Searcher
    from automl.schedulers.base import Scheduler
    from automl.study.events import Event
    from automl.study.model import StudyPlan
    from automl.study.state import StudyState, TrialRecord


class SearchState:
    """Feeds scheduler, searcher and the sampler's journal, and keeps what follows from them.

    Attributes:
        stops: Trial -> the scheduler's decision to stop or pause it, while the trial has not ended.
        reached: Why the search is over by what was measured; None while it is not.
        errors: The root cause if the last trials of this run all failed for the same one.
    """

    def __init__(
        self, plan: StudyPlan, searcher: Searcher, scheduler: Scheduler, journal: OptunaJournal | None = None
    ) -> None:
        self.searcher = searcher
        self.scheduler = scheduler
        self.stops: dict[int, StopCause] = {}
        self.reached: EndReason | None = None
        self.errors: EndReason | None = None
        self._plan = plan
        self._journal = journal
        self._sign = 1.0 if plan.objective.direction is Direction.MAXIMIZE else -1.0
        self._patience = Patience(plan)
        self._reported: dict[int, set[int]] = {}

    def apply(self, event: Event, state: StudyState) -> None:  # noqa: C901 # a case per event
        """Take one event over; ``state`` is where the study stands after it."""
        match event:
            case StudyStarted():
                # Errors count anew, and what ended the search of a study that was over does not end it again.
                self.errors = None
                self.reached = None if state.was_over else self.reached
            case TrialProposed():
                trial = state.trials[event.trial]
                self.searcher.proposed(trial.proposal)
                if trial.proposal.origin.kind is OriginKind.CLONE:
                    self.scheduler.cloned()
                self._write_journal(event.trial)
            case Measured():
                self._measure(event, state)
                self._write_journal(event.trial)
            case TrialPromoted():
                self.scheduler.promote(event.trial)
            case TrialEnded():
                self._end_trial(state.trials[event.result.number], state)
                self._write_journal(event.result.number)
            case RangeGrown():
                plan = self.searcher.grow(event.path, event.low, event.high)
                if self._journal is not None:
                    self._journal.follow(plan)
            case ImprovementEstimated():
                self.reached = self.reached or improvement_end(self._plan, state.estimates)
            case _:
                pass

    def _write_journal(self, number: int) -> None:
        if self._journal is not None:
            self._journal.update(self.searcher.observation(number))

    def _measure(self, event: Measured, state: StudyState) -> None:
        value = event.values.get(self._plan.objective.metric)
        if event.epoch is None or value is None or not is_finite(value):
            return
        trial = state.trials[event.trial]
        if trial.phase is Phase.ENDED or trial.has_stopped_before(event):
            return
        self.searcher.observe(event.trial, event.epoch, value)
        # A replicate is trained to its end, and compared by its mean.
        known = self._reported.setdefault(event.trial, set())
        if trial.is_replicate or event.epoch in known:
            return
        known.add(event.epoch)
        decided = self.scheduler.decide(Report(trial=event.trial, epoch=event.epoch, value=self._sign * value))
        if decided.action is not Action.CONTINUE and trial.cause is None:
            kind = StopKind.PAUSE if decided.action is Action.PAUSE else StopKind.SCHEDULER
            cause = StopCause(kind=kind, detail=decided.reason, last_epoch=event.epoch)
            self.stops.setdefault(event.trial, cause)
        # With constraints a value counts once it is known that its trial keeps them.
        if not self._plan.constraints:
            self.reached = self.reached or target_end(self._plan.budget, self._plan.objective, value)

    def _end_trial(self, trial: TrialRecord, state: StudyState) -> None:
        self.stops.pop(trial.number, None)
        result = trial.result
        assert result is not None  # noqa: S101 - its end brought it
        if not result.state.is_final:
            if trial.paused_at is not None:
                self.searcher.pause(result)
            return
        self._reported.pop(trial.number, None)
        self.scheduler.forget(trial.number)
        self.searcher.tell(result)
        self.errors = self.errors or error_end(state.last_ended(IDENTICAL_ERRORS))
        if not trial.is_replicate:
            target = target_end(self._plan.budget, self._plan.objective, competing_value(self._plan, result))
            waited = self._patience.end_after(result)
            self.reached = self.reached or target or waited
