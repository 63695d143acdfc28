"""What a sampler may know: the trials of a study so far, with every value turned so that larger is better.

A history is rebuilt from the journal and never holds a value that is not finite. Samplers are functions of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from automl.study.trial import Proposal, TrialState

if TYPE_CHECKING:
    from collections.abc import Sequence


_USABLE = frozenset({TrialState.COMPLETED, TrialState.STOPPED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation(Proposal):
    """A proposal as a sampler sees it, and what became of it.

    Attributes:
        state: RUNNING while it is open; COMPLETED, STOPPED, DIVERGED or FAILED afterwards.
        values: One per objective, larger is better, finite; empty unless the state has a value.
        violations: By how much each constraint is missed, at most 0 where it is kept, None where a paused trial was not
            measured for it yet; empty where ``values`` is.
        curve: (epoch, primary objective), larger is better, in order of epochs.
        finished_as: Place of its end among the ends and pauses of the study; None while nothing of it counts.
        paused_at: Zero-based epoch at which the scheduler paused it. Until it ends it counts as if it had been
            stopped there, also while it runs again; None for a trial that has ended or was never paused.
        elapsed_s: Seconds that its attempts took, once it counts.
    """

    state: TrialState
    values: tuple[float, ...] = ()
    violations: tuple[float | None, ...] = ()
    curve: Sequence[tuple[int, float]] = ()
    finished_as: int | None = None
    paused_at: int | None = None
    elapsed_s: float = 0.0

    @property
    def is_open(self) -> bool:
        """It has not ended: it runs, waits or is paused."""
        return self.finished_as is None or self.paused_at is not None


@dataclass(frozen=True, kw_only=True)
class History:
    """The trials of a study, in order of their numbers, without gaps."""

    observations: tuple[Observation, ...] = ()

    @classmethod
    def of(cls, observations: Sequence[Observation], finished: Sequence[Observation]) -> History:
        """Return a history whose `finished` is known: a long one is not put in order for every proposal."""
        history = cls(observations=tuple(observations))
        vars(history)["finished"] = tuple(finished)
        return history

    @cached_property
    def finished(self) -> tuple[Observation, ...]:
        """Trials that ended or were paused, in the order in which they did."""
        ended = {o.finished_as: o for o in self.observations if o.finished_as is not None}
        return tuple(map(ended.__getitem__, sorted(ended)))

    @property
    def pending(self) -> tuple[Observation, ...]:
        """Trials that run and have no value yet, in order of their numbers."""
        left = len(self.observations) - len(self.finished)
        latest = islice((o for o in reversed(self.observations) if o.finished_as is None), left)
        return (*latest,)[::-1]


def is_usable(observation: Observation) -> bool:
    """Tell whether a model may be fitted to the trial's value."""
    return observation.state in _USABLE and bool(observation.values)


def usable(observations: Sequence[Observation]) -> list[Observation]:
    """Return the trials to whose values a model may be fitted."""
    return [o for o in observations if o.values and o.state in _USABLE]


def without_last(history: History) -> History:
    """Return the history as it was before the last end of a trial."""
    finished = history.finished
    kept = tuple(o for o in history.observations if not finished or o is not finished[-1])
    return History.of(kept, finished[:-1])
