"""The Gaussian-process sampler: fit, then go where the expected improvement is largest.

Running trials are given the values the model expects there, so several slots do not try the same thing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from automl.search.acquisition import log_expected_improvement, nearby_candidates, spread_candidates
from automl.search.encoding import Encoder
from automl.search.gaussian_process import Posterior, Prior, fit_kernel
from automl.search.learning import learn, scores
from automl.search.sampler import Draw, Sampler, generator_for

if TYPE_CHECKING:
    from automl.search.history import History
    from automl.search.learning import Lesson
    from automl.space.parameters import Scalar, SearchSpace

_SPREAD = 1500
_NEARBY = 500
_REFINEMENTS = (0.1, 0.05, 0.02)


class GaussianProcessSampler(Sampler):
    """Maximises expected improvement under a Gaussian process.

    Args:
        space: What is searched.
        seed: Seed of the study.
        opening: Proposes while nothing has been learnt.
    """

    def __init__(self, space: SearchSpace, seed: int, opening: Sampler) -> None:
        self._encoder = Encoder(space)
        self._seed = seed
        self._opening = opening
        self._prior = Prior.for_dimensions(self._encoder.dimensions)

    def propose(self, history: History, number: int) -> Draw | None:
        """Return the most promising assignment; the opening's while fewer than two values are known."""
        lesson = learn(history)
        if len(lesson.values) < 2 or np.ptp(lesson.values) == 0.0:  # noqa: PLR2004 - one value has no shape
            return self._opening.propose(history, number)
        return Draw(assignment=self._most_promising(lesson, number), origin="gp")

    def _most_promising(self, lesson: Lesson, number: int) -> dict[str, Scalar]:
        generator = generator_for(self._seed, number)
        points = self._encoder.snap(self._encoder.points(lesson.assignments))
        model, best = self._fit(lesson, points)
        order = np.argsort(lesson.values)[::-1]
        centres = points[order[:5]]
        candidates = np.vstack(
            [
                spread_candidates(self._encoder, _SPREAD, generator),
                nearby_candidates(self._encoder, centres, _NEARBY, 0.15, generator),
            ]
        )
        gains = self._gain(model, candidates, best)
        for scale in _REFINEMENTS:
            top = candidates[np.argsort(gains)[::-1][:10]]
            closer = nearby_candidates(self._encoder, top, 200, scale, generator)
            candidates = np.vstack([top, closer])
            gains = self._gain(model, candidates, best)
        return self._first_new(lesson, candidates[np.argsort(gains)[::-1]])

    def _fit(self, lesson: Lesson, points: np.ndarray) -> tuple[Posterior, float]:
        features = self._encoder.features(points)
        values = scores(lesson.values, lesson.diverged)
        kernel = fit_kernel(features, values, lesson.noise, self._encoder.groups, self._prior)
        model = Posterior(features, values, lesson.noise, kernel, self._encoder.groups)
        best = float(model.predict(features)[0].max())
        if lesson.pending:
            running = self._encoder.features(self._encoder.snap(self._encoder.points(lesson.pending)))
            expected = model.predict(running)[0]
            features = np.vstack([features, running])
            values = np.concatenate([values, expected])
            noise = np.concatenate([lesson.noise, np.ones(len(expected))])
            model = Posterior(features, values, noise, kernel, self._encoder.groups)
        return model, best

    def _gain(self, model: Posterior, candidates: np.ndarray, best: float) -> np.ndarray:
        mean, deviation = model.predict(self._encoder.features(candidates))
        return log_expected_improvement(mean, deviation, best)

    def _first_new(self, lesson: Lesson, ranked: np.ndarray) -> dict[str, Scalar]:
        seen = [dict(a) for a in (*lesson.assignments, *lesson.pending)]
        for point in ranked[:50]:
            assignment = self._encoder.assignment(point)
            if assignment not in seen:
                return assignment
        return self._encoder.assignment(ranked[0])
