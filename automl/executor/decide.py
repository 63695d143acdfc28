"""What follows from where a study stands: pure functions from states to the next event or step.

The driver appends the event, applies it and acts on it, until nothing follows any more. A resume does the same from
the recorded log, so what a dead driver left undone is simply what follows next.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from automl.schedulers.base import CloneRequest
from automl.study.causes import OriginKind
from automl.study.ends import EndKind, EndReason, StopCause, StopKind
from automl.study.events import EndDecided, Event, RangeGrown, StopDecided, TrialPromoted
from automl.study.race import next_round
from automl.study.replication import replicate_seeds
from automl.study.result import StudyResult
from automl.study.state import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from automl.executor.search_state import SearchState
    from automl.study.model import StudyPlan
    from automl.study.state import StudyState, TrialRecord
    from automl.study.trial import TrialResult


@dataclass(frozen=True, slots=True)
class Conclude:
    """End a trial of which nothing runs, with what it has measured."""

    trial: int
    cause: StopCause


@dataclass(frozen=True, slots=True)
class Begin:
    """Start the next attempt of a trial that waits."""

    trial: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Let the sampler propose a trial."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """Propose a replicate."""

    trial: int
    seed: int


Start: TypeAlias = Begin | TrialPromoted | Conclude | CloneRequest | Ask | Repeat


def next_step(plan: StudyPlan, state: StudyState, search: SearchState) -> Event | Conclude | None:
    """Return what has to be done now, whatever slots are free; None when nothing has."""
    return next(
        chain(_ends(plan, state, search), _stops(state, search), _conclusions(state), _growths(state, search)), None
    )


def _ends(plan: StudyPlan, state: StudyState, search: SearchState) -> Iterator[Event]:
    if state.end is not None:
        return
    if search.errors is not None:
        yield EndDecided(end=search.errors)
    if search.reached is not None and state.search_end is None:
        yield EndDecided(end=search.reached, is_search=bool(plan.replicates))


def _stops(state: StudyState, search: SearchState) -> Iterator[Event]:
    """Yield the stops that the scheduler decided, and those of trials that run although study or search is over."""
    for number, cause in search.stops.items():
        trial = state.trials[number]
        if trial.phase in {Phase.RUNNING, Phase.WAITING} and trial.cause is None:
            yield StopDecided(trial=number, cause=cause)
    for trial in state.in_phase(Phase.RUNNING):
        if trial.cause is None and (end := _end_for(state, trial)) is not None:
            yield StopDecided(trial=trial.number, cause=StopCause(kind=StopKind.STUDY, end=end))


def _conclusions(state: StudyState) -> Iterator[Conclude]:
    """Yield the ends of trials whose driver died while they were stopped, and of those that get no further attempt."""
    for trial in state.in_phase(Phase.LOST, Phase.WAITING):
        if trial.cause is not None:
            yield Conclude(trial.number, trial.cause)
    for number in state.waiting:
        if (end := _end_for(state, state.trials[number])) is not None:
            yield Conclude(number, StopCause(kind=StopKind.STUDY, end=end))


def _growths(state: StudyState, search: SearchState) -> Iterator[Event]:
    """Yield the range that grows; a search that is over has no use for it."""
    if state.end is None and state.search_end is None and (growth := search.searcher.growth()) is not None:
        yield RangeGrown(path=growth.path, low=growth.low, high=growth.high, reason=growth.reason)


def _end_for(state: StudyState, trial: TrialRecord) -> EndReason | None:
    """Return the reason that ends a trial, or None; replicates outlive the search, and all a study that is cut off."""
    if state.end is not None and not state.end.is_cut_off and state.end.kind is not EndKind.ALL_ENDED:
        return state.end
    return None if trial.is_replicate else state.search_end


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
        return search.scheduler.next_clone() or Ask()
    if is_searching(plan, state) or not plan.replicates:
        return None
    return give_up_paused(state) or next((Repeat(*pair) for pair in missing_replicates(plan, state)), None)


def is_exhausted(plan: StudyPlan, state: StudyState, search: SearchState) -> bool:
    """Tell whether nothing is left to start."""
    if state.waiting or may_propose(plan, state) or _promotion(plan, state, search) is not None:
        return False
    return not missing_replicates(plan, state)


def is_clone_due(plan: StudyPlan, state: StudyState, search: SearchState) -> bool:
    """Tell whether a clone will start that has not yet got its parent's checkpoint."""
    waiting = (state.trials[number] for number in state.waiting)
    if any(trial.proposal.origin.kind is OriginKind.CLONE and not trial.starts for trial in waiting):
        return True
    return may_propose(plan, state) and search.scheduler.next_clone() is not None


def is_searching(plan: StudyPlan, state: StudyState) -> bool:
    """Tell whether trials of the search run, or will be started."""
    runs = any(not trial.is_replicate for trial in state.in_phase(Phase.RUNNING))
    return runs or may_propose(plan, state)


def may_propose(plan: StudyPlan, state: StudyState) -> bool:
    """Tell whether the budget has room for another trial of the search."""
    if state.end is not None or state.search_end is not None:
        return False
    return state.searched < plan.budget.trials


def give_up_paused(state: StudyState) -> Conclude | None:
    """Return the end of a trial that will not be promoted any more; its best value counts. None without one."""
    if not state.in_phases[Phase.PAUSED]:
        return None
    trial = state.trials[min(state.in_phases[Phase.PAUSED])]
    detail = trial.cause.detail if trial.cause is not None else ""
    return Conclude(trial.number, StopCause(kind=StopKind.SCHEDULER, detail=detail, last_epoch=trial.paused_at))


def missing_replicates(plan: StudyPlan, state: StudyState) -> list[tuple[int, int]]:
    """Return (trial, seed) of the replicates to run now, the best trial first, every trial with the first seed first.

    In a race those of a round follow when all of the round before have ended.
    """
    if not plan.replicates:
        return []
    known = {(trial.proposal.replicate_of, trial.proposal.seed) for trial in state.trials if trial.is_replicate}
    result, seeds = result_of(plan, state.finished), replicate_seeds(plan)
    top = [trial.number for trial in result.ranked()[: plan.replicates]]
    each = [(number, seed) for seed in seeds for number in top]
    wanted = next_round(result, plan.replicates, seeds) if plan.race else each
    return [pair for pair in wanted if pair not in known]


def result_of(plan: StudyPlan, trials: Iterable[TrialResult]) -> StudyResult:
    """Return trials as the result of a study: how they compare."""
    return StudyResult(
        objective=plan.objective, trials=tuple(trials), further=plan.objectives[1:], constraints=plan.constraints
    )


def _promotion(plan: StudyPlan, state: StudyState, search: SearchState) -> int | None:
    if state.search_end is not None:
        return None
    is_last = not (is_searching(plan, state) or state.waiting)
    return search.scheduler.next_promotion(state.in_phases[Phase.PAUSED], is_last=is_last)
