"""The stopping rule's contract: whether a running trial should go on.

A rule is a pure function of the history up to the report it judges (the journal's prefix), so a replay of the same
reports gives the same decisions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


class Decision(StrEnum):
    """What happens to a trial after a report."""

    CONTINUE = "continue"
    STOP = "stop"
    PAUSE = "pause"
    """Ended for now, its checkpoint kept: the rule may promote it later. Ends as STOPPED if it never does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One finite value of the leading objective.

    Attributes:
        trial: The trial's number.
        epoch: Zero-based epoch; ``epoch + 1`` epochs of training are behind it.
        value: Finite; larger is better (the caller negates metrics that are minimised).
    """

    trial: int
    epoch: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A decision and why.

    Attributes:
        decision: Go on, stop or pause.
        reason: For STOP and PAUSE, a sentence such as ``rung 3: 0.412 is below the best third, 0.455``.
    """

    decision: Decision
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A wish for a new trial that goes on from another one's checkpoint.

    Attributes:
        parent: The other trial's number.
        epoch: Zero-based epoch of the comparison: the checkpoint of this epoch is meant.
    """

    parent: int
    epoch: int


GO_ON = Verdict(decision=Decision.CONTINUE)


class Scheduler(ABC):
    """Judges the reports of a study, in the order in which they arrive."""

    @abstractmethod
    def judge(self, report: Report) -> Verdict:
        """Learn one report and decide. Judging the same (trial, epoch) again returns the first verdict."""

    @abstractmethod
    def finished(self, trial: int) -> None:
        """Learn that a trial will report no more."""

    def next_promotion(self, paused: Collection[int], *, is_last: bool = False) -> int | None:
        """Return the trial among the paused ones that is to go on now, or None. Changes nothing.

        Args:
            paused: Numbers of trials.
            is_last: Nothing runs and nothing new will be started: who is not promoted now has ended.
        """
        del paused, is_last
        return None

    def promote(self, trial: int) -> None:
        """Learn that a paused trial goes on: its next reports are judged anew."""

    def next_copy(self) -> Copy | None:
        """Return from whose checkpoint a new trial is to start now, or None. Changes nothing."""
        return None

    def copied(self) -> None:
        """Learn that the copy asked for has got its number."""
