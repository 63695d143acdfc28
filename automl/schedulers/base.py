"""What every scheduler is: whether a running trial continues, from the values that were reported so far.

A decision is a pure function of the reports up to the one it is about, in the order of the event log, so a replay of
the same reports gives the same decisions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from automl.schedulers.curves import Curves

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
    """Whether a trial continues; for STOP and PAUSE why, such as ``rung 3: 0.412 is below the best third, 0.455``."""

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


class Scheduler:
    """Decides about the reports of a study, in the order in which they arrive. This one stops nothing.

    A trial's *best so far* at an epoch is its best value up to it: the best checkpoint is what a trial is worth. A
    stopped trial stays stopped, whatever it still reports, and a paused one paused until it is promoted.

    Args:
        grace: Epochs that every trial gets, >= 1.

    Attributes:
        ending: How a trial ends that has a reason to: STOP or PAUSE.
        sign: Factor on values in reasons: -1 for a minimised metric, whose reports are negated.
    """

    ending: ClassVar[Action] = Action.STOP

    def __init__(self, grace: int = 1) -> None:
        self.sign = 1.0
        self._grace = grace
        self._curves = Curves()
        self._decisions: dict[int, dict[int, Decision]] = {}
        self._ended: dict[int, Decision] = {}

    def decide(self, report: Report) -> Decision:
        """Observe one report and decide. Deciding about the same (trial, epoch) again returns the first decision."""
        decisions = self._decisions.setdefault(report.trial, {})
        if report.epoch in decisions:
            return decisions[report.epoch]
        decision = self._ended.get(report.trial)
        if decision is not None and decision.action is Action.PAUSE:
            return decision  # not remembered: what comes after the decision is repeated when the trial continues
        if decision is None:
            self._curves.add(report.trial, report.epoch, report.value)
            reason = self._reason(report) if report.epoch + 1 >= self._grace else ""
            decision = Decision(action=self.ending, reason=reason) if reason else GO_ON
        decisions[report.epoch] = decision
        if decision is not GO_ON:
            self._ended[report.trial] = decision
        return decision

    def _reason(self, report: Report) -> str:
        """Return why a trial ends with a report that is already in its curve; empty while it continues."""
        del report
        return ""

    def next_promotion(self, paused: Collection[int], *, is_last: bool = False) -> int | None:
        """Return the trial among the paused ones that is to continue now, or None. Changes nothing.

        Args:
            paused: Numbers of trials.
            is_last: Nothing runs and nothing new will be started: a trial that is not promoted now has ended.
        """
        del paused, is_last
        return None

    def promote(self, trial: int) -> None:
        """Note that a paused trial continues: the decision that paused it is no longer repeated."""
        self._ended.pop(trial, None)
        decisions = self._decisions.get(trial, {})
        decisions.update({epoch: GO_ON for epoch, found in decisions.items() if found.action is Action.PAUSE})

    def forget(self, trial: int) -> None:
        """Note that a trial has ended: what was decided about its epochs is not asked for again."""
        self._decisions.pop(trial, None)
        self._ended.pop(trial, None)

    def next_clone(self) -> CloneRequest | None:
        """Return from which checkpoint a new trial is to start now, or None. Changes nothing."""
        return None

    def cloned(self) -> None:
        """Note that the requested clone has its number."""

    def shown(self, value: float) -> str:
        """Return a value as it was measured, with four digits."""
        return f"{self.sign * value:.4g}"
