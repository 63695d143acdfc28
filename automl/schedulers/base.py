"""The contract of schedulers: whether a running trial continues.

A decision is a pure function of the reports up to the one it is about, in the order of the event log, so a replay of
the same reports gives the same decisions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


class Action(StrEnum):
    """What happens to a trial after a report."""

    CONTINUE = "continue"
    STOP = "stop"
    PAUSE = "pause"
    """Ended for now, its checkpoint kept: the scheduler may promote it later. Ends as STOPPED if it never does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One finite value of the primary objective.

    Attributes:
        trial: The trial's number.
        epoch: Zero-based epoch; ``epoch + 1`` epochs of training are behind it.
        value: Finite; larger is better (the caller negates metrics that are minimised).
    """

    trial: int
    epoch: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A decision and why.

    Attributes:
        decision: Go on, stop or pause.
        reason: For STOP and PAUSE, a sentence such as ``rung 3: 0.412 is below the best third, 0.455``.
    """

    action: Action
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloneRequest:
    """A request for a new trial that starts from another one's checkpoint.

    Attributes:
        parent: The other trial's number.
        epoch: Zero-based epoch of the checkpoint.
    """

    parent: int
    epoch: int


GO_ON = Decision(action=Action.CONTINUE)


class Scheduler(ABC):
    """Decides about the reports of a study, in the order in which they arrive."""

    @abstractmethod
    def decide(self, report: Report) -> Decision:
        """Observe one report and decide. Deciding about the same (trial, epoch) again returns the first decision."""

    @abstractmethod
    def finished(self, trial: int) -> None:
        """Note that a trial will report no more."""

    def next_promotion(self, paused: Collection[int], *, is_last: bool = False) -> int | None:
        """Return the trial among the paused ones that is to continue now, or None. Changes nothing.

        Args:
            paused: Numbers of trials.
            is_last: Nothing runs and nothing new will be started: a trial that is not promoted now has ended.
        """
        del paused, is_last
        return None

    def promote(self, trial: int) -> None:
        """Note that a paused trial continues: its next reports are decided anew."""

    def next_clone(self) -> CloneRequest | None:
        """Return from which checkpoint a new trial is to start now, or None. Changes nothing."""
        return None

    def cloned(self) -> None:
        """Note that the requested clone has its number."""
