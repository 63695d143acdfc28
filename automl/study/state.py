"""Where a study stands: a fold over its events. A live run, a resume, `status` and the hand-over read this one value.

`apply` is a pure rule: no files, no clock, no plan. It changes the state it is given, which belongs to one fold; the
same events give an equal state. What follows from a state is decided in `automl.executor.decide`.
"""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from automl.study import events
from automl.study.data_changes import changes_of_data
from automl.study.ends import EndReason, StopCause, StopKind
from automl.study.packed import packed
from automl.study.trial import FailureKind, Measurement, Proposal, TrialResult, TrialState

if TYPE_CHECKING:
    from datetime import datetime

HANDED_OVER_VERSION = 3
"""The first version of the log that says whether everything was handed over."""
MOST_VALUES = 1_000_000
"""So many values of a running trial are kept; of more, every second epoch."""
ESTIMATES = 3
"""So many estimates of the improvement are kept: one may be small by chance."""

_LATEST = 20
"""So many measurements of a running trial are looked through for the latest value of each metric."""


class Phase(StrEnum):
    """Where a trial is between its proposal and its end."""

    WAITING = "waiting"
    """An attempt is to be started."""
    RUNNING = "running"
    PAUSED = "paused"
    INTERRUPTED = "interrupted"
    """A resume continues it."""
    LOST = "lost"
    """Its driver died while it was being stopped: its end is decided and not recorded."""
    ENDED = "ended"


OPEN = tuple(phase for phase in Phase if phase is not Phase.ENDED)
"""Phases of trials that have not ended."""


@dataclass(slots=True)
class TrialRecord:
    """What the events say of one trial.

    Attributes:
        starts: The starts of its attempts, oldest first, as in ``attempt.json``.
        directory: Of the last attempt.
        since: When the last attempt started; None before.
        seen: When something of the trial was written last.
        measured: What the trial measured in each epoch that counts; emptied when it ends.
        cause: Why it is being stopped, or was paused; None while it goes on.
        change: What the next attempt does differently; empty for nothing.
        paused_at: Zero-based epoch after which it was paused, until its next attempt starts.
        spent_s: Seconds that the attempts took that ended.
        losses: Attempts that the infrastructure cost.
        gpus: Devices of the last attempt, where the driver chose them.
        notices: What was refused or left out of what its trainer wrote, in that order.
    """

    proposal: Proposal
    phase: Phase = Phase.WAITING
    starts: list[dict[str, Any]] = field(default_factory=list)
    directory: str = ""
    since: datetime | None = None
    seen: datetime | None = None
    measured: list[Measurement] = field(default_factory=list)
    max_epochs: int | None = None
    cause: StopCause | None = None
    change: dict[str, Any] = field(default_factory=dict)
    paused_at: int | None = None
    spent_s: float = 0.0
    losses: int = 0
    gpus: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    result: TrialResult | None = None

    @property
    def number(self) -> int:
        """The trial's number."""
        return self.proposal.number

    @property
    def is_replicate(self) -> bool:
        """It repeats another trial."""
        return self.proposal.replicate_of is not None

    @property
    def attempt(self) -> int:
        """Number of the last attempt; 0 before the first."""
        return self.starts[-1]["attempt"] if self.starts else 0

    @property
    def elapsed_s(self) -> float:
        """Seconds that its attempts took; of an attempt that was lost, until something of it was written last."""
        if self.phase not in {Phase.RUNNING, Phase.LOST} or self.since is None or self.seen is None:
            return self.spent_s
        return float(self.starts[-1]["earlier_s"]) + max(0.0, (self.seen - self.since).total_seconds())

    @property
    def epochs(self) -> int:
        """Epochs that the trial has finished."""
        return 1 + max((m.epoch for m in self.measured if m.epoch is not None), default=-1)

    def has_stopped_before(self, event: events.Measured) -> bool:
        """Tell whether a value was measured after the decision that ends the trial: it would be left to chance."""
        last = self.cause.last_epoch if self.cause is not None else None
        return last is not None and event.epoch is not None and event.epoch > last

    def has_measured(self, epoch: int, metric: str) -> bool:
        """Tell whether a metric of an epoch is known."""
        return any(m.epoch == epoch and metric in m.values for m in self.measured)

    def last_value(self, metric: str) -> float | None:
        """Return what was measured of a metric last."""
        return next((m.values[metric] for m in reversed(self.measured) if metric in m.values), None)


@dataclass(slots=True)
class StudyState:
    """What the events of a study say so far.

    Attributes:
        started: The event of the last start or resume; None before the first.
        started_at: When that was.
        was_over: The run before the last start had come to its end.
        trials: In order of their numbers.
        searched: How many of them are trials of the search, and no replicates.
        in_phases: Numbers of the trials in each phase.
        waiting: Trials of which an attempt is to be started, the next one first.
        ended: Trials that ended, in that order.
        ended_s: Seconds that those took.
        ended_before: How many of them ended in earlier runs.
        ended_before_s: Seconds that those took.
        estimates: Expected improvements, the last ones.
        agreement: How alike earlier studies and this one were last; None where none is used, or before a trial ended.
        grown: What ranges have grown to, and why, as sentences.
        changed_data: Input -> a sentence, of data that have changed between runs of the study.
        search_end: Why the search is over, although replicates may follow.
        end: Why no further trial is started; None while trials are started.
        last: How the last run ended; None while it runs, or if it was killed.
        is_handed_over: The study has ended, and what follows is done; a log of an earlier version does not say, and is
            taken to say so.
    """

    started: events.StudyStarted | None = None
    started_at: datetime | None = None
    was_over: bool = False
    trials: list[TrialRecord] = field(default_factory=list)
    searched: int = 0
    in_phases: dict[Phase, set[int]] = field(default_factory=lambda: {phase: set() for phase in Phase})
    waiting: deque[int] = field(default_factory=deque)
    ended: list[int] = field(default_factory=list)
    ended_s: float = 0.0
    ended_before: int = 0
    ended_before_s: float = 0.0
    estimates: deque[float | None] = field(default_factory=lambda: deque(maxlen=ESTIMATES))
    agreement: events.AgreementEstimated | None = None
    grown: tuple[str, ...] = ()
    changed_data: dict[str, str] = field(default_factory=dict)
    search_end: EndReason | None = None
    end: EndReason | None = None
    last: events.StudyEnded | events.StudySuspended | None = None
    is_handed_over: bool = False

    def in_phase(self, *phases: Phase) -> list[TrialRecord]:
        """Return the trials in one of some phases, in order of their numbers."""
        return [self.trials[number] for number in sorted(set().union(*(self.in_phases[phase] for phase in phases)))]

    def last_ended(self, most: int) -> list[TrialResult]:
        """Return the final results of this run's trials that ended last, at most so many."""
        last = self.ended[max(self.ended_before, len(self.ended) - most) :]
        return [result for number in last if (result := self.trials[number].result) is not None]

    @property
    def finished(self) -> list[TrialResult]:
        """Final results, in the order in which the trials ended."""
        return [result for number in self.ended if (result := self.trials[number].result) is not None]

    @property
    def notices(self) -> tuple[str, ...]:
        """What was refused or left out of what trainers wrote, with its trial; ranges and data that changed."""
        of_trials = (f"trial {trial.number}: {text}" for trial in self.trials for text in trial.notices)
        return (*of_trials, *self.grown, *self.changed_data.values())

    @property
    def results(self) -> tuple[TrialResult, ...]:
        """What is known of the trials that were started, in order of their numbers; of those that run, the latest."""
        found = (_running(trial) if trial.phase is Phase.RUNNING else trial.result for trial in self.trials)
        return tuple(result for result in found if result is not None)


def apply(state: StudyState, event: events.Event, time: datetime) -> None:  # noqa: C901, PLR0912, PLR0915 # a case per event
    """Take one event over, which happened at a time, and change the state in place.

    Raises:
        ValueError: the event speaks of a trial that was never proposed, or proposes one out of turn, or the end of a
            study says that more trials had results than the log holds.
    """
    match event:
        case events.StudyStarted():
            _start(state, event, time)
        case events.TrialProposed():
            _propose(state, event)
        case events.TrialStarted():
            _start_trial(state, event, time)
        case events.Measured():
            _measure(_known(state, event.trial), event, time)
        case events.Noticed():
            _known(state, event.trial).notices += (event.text,)
        case events.StopDecided():
            _known(state, event.trial).cause = event.cause
        case events.TrialRetried():
            _retry(state, event)
        case events.TrialPromoted():
            _queue_first(state, _known(state, event.trial))
        case events.TrialEnded():
            _end_trial(state, event, time)
        case events.ImprovementEstimated():
            state.estimates.append(event.value)
        case events.AgreementEstimated():
            state.agreement = event
        case events.RangeGrown():
            now = f"the range of {event.path} is {event.low:g} .. {event.high:g} from trial {len(state.trials)} on"
            state.grown += (f"{now}: {event.reason}",)
        case events.EndDecided():
            if event.is_search:
                state.search_end = state.search_end or event.end
            else:
                state.end = state.end or event.end
        case events.StudyEnded() | events.StudySuspended() | events.HandedOver():
            _finish(state, event)
        case _:
            pass


def _move(state: StudyState, trial: TrialRecord, phase: Phase) -> None:
    state.in_phases[trial.phase].discard(trial.number)
    state.in_phases[phase].add(trial.number)
    trial.phase = phase


def _known(state: StudyState, number: int) -> TrialRecord:
    if not 0 <= number < len(state.trials):
        raise ValueError(f"trial {number} was never proposed")
    return state.trials[number]


def _finish(state: StudyState, event: events.StudyEnded | events.StudySuspended | events.HandedOver) -> None:
    if isinstance(event, events.HandedOver):
        state.is_handed_over = True
        return
    # A line that is gone is noticed by the number of results that the end names.
    known = sum(trial.result is not None for trial in state.trials)
    if isinstance(event, events.StudyEnded) and event.end is not None and event.trials != known:
        raise ValueError(f"{event.trials} trials had a result when the study ended, and the lines before say {known}")
    state.last = event
    is_silent = state.started is None or state.started.log_version < HANDED_OVER_VERSION
    state.is_handed_over = isinstance(event, events.StudyEnded) and is_silent


def _start(state: StudyState, event: events.StudyStarted, time: datetime) -> None:
    """Begin a run: what ran in the run before has lost its process."""
    if state.started is not None and state.trials:
        state.changed_data |= changes_of_data(state.started.environment, event.environment, len(state.trials))
    state.started, state.started_at = event, time
    state.was_over = isinstance(state.last, events.StudyEnded)
    state.search_end = state.end = state.last = None
    state.is_handed_over = False
    state.ended_before, state.ended_before_s = len(state.ended), state.ended_s
    open_before = state.in_phase(Phase.RUNNING, Phase.INTERRUPTED)
    for trial in open_before:
        is_decided = trial.cause is not None and trial.cause.kind is not StopKind.INTERRUPTED
        if is_decided and trial.phase is Phase.RUNNING:
            _move(state, trial, Phase.LOST)
        else:
            trial.spent_s, trial.cause = trial.elapsed_s, None
            _move(state, trial, Phase.WAITING)
    waiting = {*state.waiting, *(trial.number for trial in open_before if trial.phase is Phase.WAITING)}
    state.waiting = deque(sorted(waiting))


def _propose(state: StudyState, event: events.TrialProposed) -> None:
    if event.trial != len(state.trials):
        raise ValueError(f"trial {event.trial} follows trial {len(state.trials) - 1}")
    proposal = Proposal(
        number=event.trial,
        assignment=event.assignment,
        origin=event.origin,
        replicate_of=event.replicate_of,
        seed=event.seed,
    )
    state.trials.append(TrialRecord(proposal))
    state.searched += event.replicate_of is None
    state.in_phases[Phase.WAITING].add(event.trial)
    state.waiting.append(event.trial)


def _start_trial(state: StudyState, event: events.TrialStarted, time: datetime) -> None:
    trial = _known(state, event.trial)
    start = {"attempt": event.attempt, "first_epoch": 0, "earlier_s": 0.0, **event.start}
    trial.starts.append(start)
    _move(state, trial, Phase.RUNNING)
    trial.cause, trial.change, trial.paused_at = None, {}, None
    trial.since = trial.seen = time
    trial.directory, trial.gpus = event.directory, event.gpus
    # What earlier attempts measured counts as far as this one continues them.
    trial.measured = [m for m in trial.measured if m.epoch is not None and m.epoch < start["first_epoch"]]
    if event.trial in state.waiting:
        state.waiting.remove(event.trial)


def _measure(trial: TrialRecord, event: events.Measured, time: datetime) -> None:
    if trial.phase is Phase.ENDED or trial.has_stopped_before(event):
        return
    trial.seen = time
    trial.max_epochs = event.max_epochs or trial.max_epochs
    if not event.values:
        return
    if trial.measured and trial.measured[-1].epoch == event.epoch:
        values = {**trial.measured.pop().values, **event.values}
        values = values if len(values) < MOST_VALUES // 10 else dict(event.values)  # its names have no end
    else:
        values = {sys.intern(name): value for name, value in event.values.items()}
    trial.measured.append(Measurement(epoch=event.epoch, values=packed(values)))
    if len(trial.measured) * len(values) > MOST_VALUES:
        # Of a trial whose worker is lost the result follows from these; the worker knows all.
        trial.measured = [*trial.measured[:-1:2], trial.measured[-1]]


def _retry(state: StudyState, event: events.TrialRetried) -> None:
    trial = _known(state, event.trial)
    trial.change, trial.spent_s = dict(event.change), event.elapsed_s
    trial.losses += event.failure == FailureKind.INFRASTRUCTURE
    _queue_first(state, trial)


def _queue_first(state: StudyState, trial: TrialRecord) -> None:
    _move(state, trial, Phase.WAITING)
    trial.cause = None
    if trial.number not in state.waiting:
        state.waiting.appendleft(trial.number)


def _end_trial(state: StudyState, event: events.TrialEnded, time: datetime) -> None:
    trial = _known(state, event.result.number)
    state.ended_s -= trial.spent_s if trial.phase is Phase.ENDED else 0.0
    trial.result = event.result
    trial.seen, trial.spent_s = time, event.result.elapsed_s
    if trial.number in state.waiting:
        state.waiting.remove(trial.number)
    if event.result.state.is_final:
        if trial.phase is not Phase.ENDED:
            state.ended.append(trial.number)
        state.ended_s += trial.spent_s
        _move(state, trial, Phase.ENDED)
        trial.cause, trial.measured = None, []
    else:
        pause = trial.cause if trial.cause is not None and trial.cause.kind is StopKind.PAUSE else None
        _move(state, trial, Phase.INTERRUPTED if pause is None else Phase.PAUSED)
        trial.paused_at = None if pause is None else pause.last_epoch


def _running(trial: TrialRecord) -> TrialResult:
    return TrialResult(
        number=trial.number,
        state=TrialState.RUNNING,
        assignment=trial.proposal.assignment,
        directory=trial.directory,
        attempt=trial.attempt,
        replicate_of=trial.proposal.replicate_of,
        seed=trial.proposal.seed,
        origin=trial.proposal.origin,
        gpus=trial.gpus,
        values={name: value for m in trial.measured[-_LATEST:] for name, value in m.values.items()},
        epochs=trial.epochs,
        elapsed_s=trial.elapsed_s,
    )
