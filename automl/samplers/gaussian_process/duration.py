"""How long a training takes, by its parameters: a Gaussian process over the logarithms of the durations so far."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from automl.samplers.gaussian_process.regression import Posterior, fit_kernel
from automl.samplers.history import without_last
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from automl.samplers.encoding import Encoder
    from automl.samplers.gaussian_process.regression import Kernel
    from automl.samplers.history import History, Observation
    from automl.study.cost import CostLimit

_FEWEST = 3


@dataclass(frozen=True, slots=True)
class Price:
    """What a training costs, as its acquisition value is weighed by it.

    Attributes:
        model: Of the logarithms of durations, in units of their spread.
        factor: That spread, times the power of the duration that counts.
    """

    model: Posterior
    factor: float

    def of(self, features: np.ndarray) -> np.ndarray:
        """Return the logarithm of the price but for a constant, shape (m,)."""
        return self.factor * self.model.predict(features)[0]


class DurationModel:
    """Predicts durations from those of the trials that ended.

    Args:
        encoder: Of the space.
        limit: What the trials may take; None where durations do not count.
        max_epochs: Epochs of a full training; None where they are not known.
    """

    def __init__(self, encoder: Encoder, limit: CostLimit | None, max_epochs: int | None) -> None:
        self._encoder = encoder
        self._limit = limit
        self._max_epochs = max_epochs
        self._lock = threading.Lock()
        self._kernel: tuple[bytes, Kernel] | None = None

    def price(self, history: History, number: int) -> Price | None:
        """Return what trainings cost; None where that does not count, or fewer than three durations are known."""
        features, seconds = self._known(history)
        if self._limit is None or len(seconds) < _FEWEST:
            return None
        spent_s = sum(o.elapsed_s for o in history.finished)
        exponent = self._limit.exponent(number, spent_s, seconds.tolist())
        logs = np.log(seconds)
        spread = float(np.std(logs))
        if exponent == 0.0 or spread == 0.0:
            return None
        earlier = self._known(without_last(history))
        kernel = self._fitted(*(earlier if len(earlier[1]) >= _FEWEST else (features, seconds)))
        values = (logs - logs.mean()) / spread
        return Price(Posterior(features, values, np.ones(len(values)), kernel), exponent * spread)

    def prepare(self, history: History) -> None:
        """Fit the kernel of the proposal that follows the next end of a trial."""
        features, seconds = self._known(history)
        if self._limit is not None and len(seconds) >= _FEWEST:
            self._fitted(features, seconds)

    def _known(self, history: History) -> tuple[np.ndarray, np.ndarray]:
        """Return feature rows and seconds of the full trainings that are known."""
        known = [] if self._limit is None else [(o, s) for o in history.finished if (s := self._full_s(o)) > 0]
        points = self._encoder.snap(self._encoder.points([o.assignment for o, _ in known]))
        return self._encoder.features(points), np.array([seconds for _, seconds in known])

    def _full_s(self, observation: Observation) -> float:
        """Return how long a training takes to its last epoch; 0 where nobody knows."""
        if observation.state is TrialState.COMPLETED:
            return observation.elapsed_s
        if not observation.curve or self._max_epochs is None or observation.state is TrialState.FAILED:
            return 0.0
        return observation.elapsed_s * self._max_epochs / (observation.curve[-1][0] + 1)

    def _fitted(self, features: np.ndarray, seconds: np.ndarray) -> Kernel:
        key = features.tobytes() + seconds.tobytes()
        with self._lock:
            if self._kernel is None or self._kernel[0] != key:
                logs = np.log(seconds)
                values = (logs - logs.mean()) / (float(np.std(logs)) or 1.0)
                kernel = fit_kernel(features, values, np.ones(len(values)), self._encoder.groups)
                self._kernel = key, kernel
            return self._kernel[1]
