"""What follows from where a study stands: pure functions from states to the next event or step.

The driver appends the event, applies it and acts on it, until nothing follows any more. A resume does the same from
the recorded log, so what a dead driver left undone is simply what follows next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from automl.study.ends import EndKind, EndReason, StopCause, StopKind
from automl.study.events import EndDecided, Event, StopDecided, TrialPromoted
from automl.study.replicates import replicate_seeds
from automl.study.result import StudyResult
from automl.study.state import Phase

if TYPE_CHECKING:
    from automl.executor.search_state import SearchState
    from automl.schedulers.base import CloneRequest
    from automl.study.model import StudyPlan
    from automl.study.state import StudyState, TrialRecord


@dataclass(frozen=True, slots=True)
class Conclude:
    """End a trial of which nothing runs, with what it has measured.

    Attributes:
        trial: Its number.
        cause: Why it ends.
    """

    trial: int
    cause: StopCause


@dataclass(frozen=True, slots=True)
class Begin:
    """Start the next attempt of a trial that waits."""

    trial: int


@dataclass(frozen=True, slots=True)
class Clone:
    """Propose a trial that starts from another trial's checkpoint."""

    copy: CloneRequest


@dataclass(frozen=True, slots=True)
class Ask:
    """Let the sampler propose a trial."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """Propose a replicate."""

    trial: int
    seed: int


Step: TypeAlias = Event | Conclude
Start: TypeAlias = Begin | TrialPromoted | Conclude | Clone | Ask | Repeat


def next_step(plan: StudyPlan, state: StudyState, search: SearchState) -> Step | None:
    """Return what has to be done now, whatever slots are free; None when nothing has."""
    return (
        _end(plan, state, search)
        or _stop_by_scheduler(state, search)
        or _stop_by_end(state)
        or _conclude_lost(state)
        or _conclude_waiting(state)
    )


def next_start(plan: StudyPlan, state: StudyState, search: SearchState) -> Start | None:
    """Return what fills a free slot; None when there is nothing to start now.

    Retries and interrupted trials come first, then promotions, clones, proposals and, once the search is over,
    replicates; before those, paused trials are given up.
    """
    if state.end is not None:
        return None
    if state.waiting:
        return Begin(state.waiting[0])
    if (promoted := _promotion(plan, state, search)) is not None:
        return TrialPromoted(trial=promoted)
    if may_propose(plan, state):
        copy = search.scheduler.next_clone()
        return Ask() if copy is None else Clone(copy)
    if plan.replicates and not is_searching(plan, state):
        missing = missing_replicates(plan, state)
        return give_up_paused(state) or (Repeat(*missing[0]) if missing else None)
    return None


def is_exhausted(plan: StudyPlan, state: StudyState, search: SearchState) -> bool:
    """Tell whether nothing is left to start."""
    if state.waiting or may_propose(plan, state) or _promotion(plan, state, search) is not None:
        return False
    return not missing_replicates(plan, state)


def is_searching(plan: StudyPlan, state: StudyState) -> bool:
    """Tell whether trials of the search run, or will be started."""
    runs = any(not trial.is_replicate for trial in state.in_phase(Phase.RUNNING))
    return runs or may_propose(plan, state)


def may_propose(plan: StudyPlan, state: StudyState) -> bool:
    """Tell whether the budget has room for another trial of the search."""
    if state.end is not None or state.search_end is not None:
        return False
    return sum(not trial.is_replicate for trial in state.trials) < plan.budget.trials


def give_up_paused(state: StudyState) -> Conclude | None:
    """Return the end of a trial that will not be promoted any more; its best value counts. None without one."""
    for trial in state.in_phase(Phase.PAUSED):
        paused = trial.cause
        detail = paused.detail if paused is not None else ""
        return Conclude(trial.number, StopCause(kind=StopKind.SCHEDULER, detail=detail, last_epoch=trial.paused_at))
    return None


def missing_replicates(plan: StudyPlan, state: StudyState) -> list[tuple[int, int]]:
    """Return (trial, seed) of the replicates to run, the best trial first, every trial with the first seed first."""
    if not plan.replicates:
        return []
    known = {(trial.proposal.replicate_of, trial.proposal.seed) for trial in state.trials if trial.is_replicate}
    result = StudyResult(objective=plan.objective, trials=tuple(state.finished), constraints=plan.constraints)
    top = [trial.number for trial in result.ranked()[: plan.replicates]]
    wanted = [(number, seed) for seed in replicate_seeds(plan) for number in top]
    return [pair for pair in wanted if pair not in known]


def _promotion(plan: StudyPlan, state: StudyState, search: SearchState) -> int | None:
    if state.search_end is not None:
        return None
    paused = [trial.number for trial in state.in_phase(Phase.PAUSED)]
    is_last = not (is_searching(plan, state) or state.waiting)
    return search.scheduler.next_promotion(paused, is_last=is_last)


def _end(plan: StudyPlan, state: StudyState, search: SearchState) -> Event | None:
    if state.end is not None:
        return None
    if search.errors is not None:
        return EndDecided(end=search.errors)
    if search.reached is None or state.search_end is not None:
        return None
    return EndDecided(end=search.reached, is_search=bool(plan.replicates))


def _stop_by_scheduler(state: StudyState, search: SearchState) -> Event | None:
    for number, cause in search.stops.items():
        trial = state.trials[number]
        if trial.phase in {Phase.RUNNING, Phase.WAITING} and trial.cause is None:
            return StopDecided(trial=number, cause=cause)
    return None


def _stop_by_end(state: StudyState) -> Event | None:
    """Return the stop of a trial that runs although the study, or the search, is over."""
    for trial in state.in_phase(Phase.RUNNING):
        if trial.cause is None and (end := _end_for(state, trial)) is not None:
            return StopDecided(trial=trial.number, cause=StopCause(kind=StopKind.STUDY, end=end))
    return None


def _conclude_lost(state: StudyState) -> Conclude | None:
    """Return the end of a trial whose stop was decided before its driver died."""
    for trial in state.in_phase(Phase.LOST, Phase.WAITING):
        if trial.cause is not None:
            return Conclude(trial.number, trial.cause)
    return None


def _conclude_waiting(state: StudyState) -> Conclude | None:
    """Return the end of a trial that waits for another attempt and gets none; what it measured counts."""
    for number in state.waiting:
        if (end := _end_for(state, state.trials[number])) is not None:
            return Conclude(number, StopCause(kind=StopKind.STUDY, end=end))
    return None


def _end_for(state: StudyState, trial: TrialRecord) -> EndReason | None:
    """Return the reason that ends a trial, or None; replicates outlive the search, and all a study that is cut off."""
    if state.end is not None and not state.end.is_cut_off and state.end.kind is not EndKind.ALL_ENDED:
        return state.end
    return None if trial.is_replicate else state.search_end
