"""The best epoch of a trial against its last ones: a maximum over noisy epochs is better than the model is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automl.study.result import StudyResult

_FEWEST = 3
_SHARE = 10


@dataclass(frozen=True, slots=True)
class LastEpochs:
    """The end of the best trial's curve.

    Attributes:
        count: So many epochs.
        mean: Of the primary objective over them.
        gap: By how much the best epoch is better; below 0 where it is worse.
    """

    count: int
    mean: float
    gap: float


def last_epochs(study: StudyResult) -> LastEpochs | None:
    """Return the last epochs of the best trial, a tenth and at least three; None where it has no more than these."""
    best, objective = study.best, study.objective
    value = best.values.get(objective.metric) if best is not None else None
    curve = [at for _, at in best.curve] if best is not None else []
    count = max(_FEWEST, math.ceil(len(curve) / _SHARE))
    if value is None or len(curve) <= count:
        return None
    mean = fmean(curve[-count:])
    return LastEpochs(count, mean, objective.direction.sign * (value - mean))
