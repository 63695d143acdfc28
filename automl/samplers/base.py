"""The searcher's contract: ask for the next assignment, observe measurements, tell how a trial ended.

Every implementation passes the abstract suite in `tests/contracts/`. A searcher never sees a value that is not finite,
never leaves a trial open, and gives the same assignments for the same seed and history.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from automl.space.values import Scalar
    from automl.study.causes import Origin
    from automl.study.trial import Proposal, TrialResult


class Searcher(ABC):
    """Proposes assignments and learns from results."""

    @abstractmethod
    def ask(self) -> Proposal | None:
        """Return the next proposal, or None when the space is exhausted."""

    def is_ready(self) -> bool:
        """Tell whether `ask` answers at once; where it does not, begin in the background what the answer takes.

        `ask` may be called all the same, and waits then.
        """
        return True

    @abstractmethod
    def repeat(self, number: int, seed: int) -> Proposal:
        """Return a new proposal with the assignment of a known trial, to be run with another seed of the trainer."""

    @abstractmethod
    def observe(self, number: int, epoch: int, value: float) -> None:
        """Learn one finite intermediate value of the leading objective. Repeating an epoch changes nothing.

        Raises:
            ValueError: the value is not finite.
        """

    @abstractmethod
    def tell(self, result: TrialResult) -> None:
        """Learn how a trial ended. Telling the same result twice changes nothing.

        COMPLETED and STOPPED results count with their value, DIVERGED ones as a failure to be avoided, FAILED ones are
        neither good nor pending.
        """

    def pause(self, result: TrialResult) -> None:
        """Learn what a trial that the stopping rule has paused has measured so far. Repeating it changes nothing.

        The trial stays open. Until it is told, or paused again, it counts with these values like a STOPPED one.
        """

    @abstractmethod
    def adopt(self, propose: Callable[[int], Mapping[str, Scalar]], origin: Origin) -> Proposal:
        """Return, journaled as running, a proposal that the study itself makes.

        Args:
            propose: New trial's number -> its assignment, valid in the space.
            origin: Where it comes from.
        """

    @abstractmethod
    def restore(self, results: Sequence[TrialResult]) -> None:
        """Learn results that a crash, or a journal that lost its end, has kept from the searcher.

        What is known already changes nothing. A trial that is not known at all is taken up under its own number; it is
        open if its result is not final.
        """

    @abstractmethod
    def open_proposals(self) -> Sequence[Proposal]:
        """Return proposals that were asked for and not told yet: what a resume has to run again."""

    def ended(self) -> Sequence[int]:
        """Return the numbers of the trials that have ended, in the order in which they did."""
        return ()

    def expected_improvement(self) -> float | None:
        """Return what the best further trial is expected to gain in the leading objective; None if unknown."""
        return None

    def close(self) -> None:
        """Release files and threads."""
