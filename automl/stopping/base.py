"""The stopping rule's contract: whether a running trial should go on.

A rule is a pure function of the history up to the report it judges (the journal's prefix), so a replay of the same
reports gives the same decisions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum


class Decision(StrEnum):
    """What happens to a trial after a report."""

    CONTINUE = "continue"
    STOP = "stop"


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
        decision: Go on or stop.
        reason: For STOP, a sentence such as ``rung 3: 0.412 is below the best third, 0.455``.
    """

    decision: Decision
    reason: str = ""


GO_ON = Verdict(decision=Decision.CONTINUE)


class StoppingRule(ABC):
    """Judges the reports of a study, in the order in which they arrive."""

    @abstractmethod
    def judge(self, report: Report) -> Verdict:
        """Learn one report and decide. Judging the same (trial, epoch) again returns the first verdict."""

    @abstractmethod
    def finished(self, trial: int) -> None:
        """Learn that a trial will report no more."""
