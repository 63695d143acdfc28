"""Which epoch a step of the objective is where no tag says it: steps may count epochs, or steps of the optimiser."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automl.readers.notices import Notices

_SHOWN = 4
_RARELY = 50
"""More epochs than this are seldom between two evaluations."""


@dataclass(slots=True)
class EpochsOfSteps:
    """The epochs of the steps of one objective, as the first two of them say it.

    Attributes:
        notices: Where to say that steps may be either.
        first_epoch: Number of the trainer's first epoch; None where the study does not say.
        max_epochs: Epochs of a full run, where known.
    """

    notices: Notices
    first_epoch: int | None = None
    max_epochs: int | None = None
    # Step -> how many were before it; and the largest step of any tag beside them.
    _steps: dict[int, int] = field(default_factory=dict)
    _furthest: int = 0
    _is_apart: bool = False

    def add(self, step: int, furthest: int) -> None:
        """Take a step of the objective over, and the largest step of all tags of its file so far."""
        self._furthest = max(self._furthest, furthest)
        self._steps.setdefault(step, len(self._steps))
        if len(self._steps) == 2 and self._steps[step] == 1:  # noqa: PLR2004 - the first two decide
            self._is_apart = furthest > step + self._begin[1] and self._may_be_epochs(step)

    def of(self, step: int) -> int | None:
        """Return the zero-based epoch of a step; None while that is not known."""
        if step not in self._steps:
            return None
        first, stride = self._begin
        if not stride:
            return 0 if first in {0, 1} else None
        if stride == 1 or self._is_apart:
            number = self.first_epoch if self.first_epoch is not None else int(first == stride)
            return max(step - number, 0)
        # The last step of an epoch is a multiple of its length, or the one before, also where a training continues; one
        # between them is of the epoch that it stands in. At step 0 nothing is trained: it is counted.
        shift = next((n for n in (0, 1) if (first + n) % stride == 0), None) if stride > 0 else None
        if shift is None:
            return self._steps[step]
        return -(-(step + (shift if first else stride)) // stride) - 1

    @property
    def is_settled(self) -> bool:
        """Whether steps have epochs by now."""
        return len(self._steps) > 1 or next(iter(self._steps), None) in {0, 1}

    def end(self) -> None:
        """Say that the steps may be epochs and were taken for others, or are more than there are epochs."""
        first, stride = self._begin
        if not stride or self._is_apart:
            return
        shown = list(islice(self._steps, _SHOWN))
        more = " and so on" if len(self._steps) > _SHOWN else ""
        where = ", ".join(map(str, shown)) + more
        epochs = ", ".join(str(self.of(step)) for step in shown) + more
        text = (
            f"{self.notices.objective} stands at steps {where} of the event files, which counted as epochs {epochs}, "
            "counted from 0; write a tag epoch with the number of the epoch beside it"
        )
        is_beyond = self.max_epochs is not None and max(self._steps) > self.max_epochs
        if stride == 1 and is_beyond:
            self.notices.say("steps", f"{text}, or one value in each of its {self.max_epochs} epochs")
        elif stride > 1 and self._may_be_epochs(max(self._furthest, first + stride)):
            self.notices.say("steps", f"{text}, if these are not its epochs")

    @property
    def _begin(self) -> tuple[int, int]:
        """The first step, and the distance of the second one; 0 where there is none."""
        first, second = [*islice(self._steps, 2), None, None][:2]
        return first or 0, 0 if first is None or second is None else second - first

    def _may_be_epochs(self, step: int) -> bool:
        return self._begin[1] <= _RARELY if self.max_epochs is None else step <= self.max_epochs
