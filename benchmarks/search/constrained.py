"""The alternative that was measured against ours: divergence as a constraint instead of a bad value.

The value model learns finite trials only; a second Gaussian process on +1 (finite) and -1 (diverged) gives the chance
that a point does not diverge, and expected improvement is multiplied by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import log_ndtr

from automl.search.gaussian_process import Posterior
from automl.search.gp_sampler import GaussianProcessSampler
from automl.search.learning import Lesson

if TYPE_CHECKING:
    from automl.search.gaussian_process import Kernel


class ConstrainedSampler(GaussianProcessSampler):
    """Expected improvement times the chance of not diverging."""

    _feasibility: Posterior | None = None

    def _conditioned(self, lesson: Lesson, kernel: Kernel) -> tuple[Posterior, float]:
        finite = ~lesson.diverged
        if finite.all() or finite.sum() < 2:  # noqa: PLR2004 - one value has no shape
            self._feasibility = None
            return super()._conditioned(lesson, kernel)
        features, _, noise = self._training(lesson)
        signs = np.where(finite, 1.0, -1.0)
        self._feasibility = Posterior(features, signs, noise, kernel, self._encoder.groups)
        kept = Lesson(
            assignments=tuple(a for a, keep in zip(lesson.assignments, finite, strict=True) if keep),
            values=lesson.values[finite],
            noise=lesson.noise[finite],
            diverged=lesson.diverged[finite],
            pending=lesson.pending,
        )
        return super()._conditioned(kept, kernel)

    def _gain(self, model: Posterior, candidates: np.ndarray, best: float) -> np.ndarray:
        gain = super()._gain(model, candidates, best)
        if self._feasibility is None:
            return gain
        mean, deviation = self._feasibility.predict(self._encoder.features(candidates))
        return np.asarray(gain + log_ndtr(mean / np.maximum(deviation, 0.1)))
