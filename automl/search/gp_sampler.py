"""The Gaussian-process sampler: fit, then go where the expected improvement is largest.

Running trials are given the values the model expects there, so several slots do not try the same thing. The kernel of a
proposal is fitted to every trial but the one that ended last, so it can be fitted while that trial still runs: what is
left when a slot becomes free takes a few milliseconds. Several objectives become one with weights drawn per trial.
Where trials have diverged, a second process tells how likely a point is to: that was measured to be better than giving
them a bad value, which also keeps the sampler away from good points beside them (benchmarks, suite B).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from automl.search.acquisition import log_expected_improvement, nearby_candidates, spread_candidates
from automl.search.ahead import AheadKernels
from automl.search.encoding import Encoder
from automl.search.gaussian_process import Posterior, Prior
from automl.search.history import History
from automl.search.learning import learn, scores
from automl.search.sampler import Draw, Sampler, generator_for

if TYPE_CHECKING:
    from automl.search.gaussian_process import Kernel
    from automl.search.learning import Lesson
    from automl.space.parameters import Scalar, SearchSpace

_WEIGHTS_PURPOSE = 404
# One value has no shape.
_TWO = 2
# Standard deviation below which a chance is not trusted to be 0 or 1.
_LEAST_DOUBT = 0.1
_SPREAD = 1000
_NEARBY = 400
_CLOSER = 150
_REFINEMENTS = (0.1, 0.05, 0.02)


@dataclass(frozen=True, slots=True)
class Promise:
    """What a point promises.

    Attributes:
        model: Of the values; trials that diverged are not in it while there is a ``chance``.
        best: What it expects of the best trial.
        chance: Of +1 for trials that ended and -1 for those that diverged; None where none did.
    """

    model: Posterior
    best: float
    chance: Posterior | None

    def of(self, features: np.ndarray) -> np.ndarray:
        """Return the logarithm of expected improvement times the chance not to diverge, shape (m,)."""
        gain = log_expected_improvement(*self.model.predict(features), self.best)
        if self.chance is None:
            return gain
        from scipy.special import log_ndtr  # noqa: PLC0415 - scipy is needed only where a model is fitted

        mean, deviation = self.chance.predict(features)
        return np.asarray(gain + log_ndtr(mean / np.maximum(deviation, _LEAST_DOUBT)))


class GaussianProcessSampler(Sampler):
    """Maximises expected improvement under a Gaussian process.

    Args:
        space: What is searched.
        seed: Seed of the study.
        opening: Proposes while nothing has been learnt.
        objectives: Number of objectives.
    """

    def __init__(self, space: SearchSpace, seed: int, opening: Sampler, *, objectives: int = 1) -> None:
        self._encoder = Encoder(space)
        self._seed = seed
        self._opening = opening
        self._objectives = objectives
        self._kernels = AheadKernels(self._encoder.groups, Prior.for_dimensions(self._encoder.dimensions))

    def propose(self, history: History, number: int) -> Draw | None:
        """Return the most promising assignment; the opening's while fewer than two values are known."""
        weights = self._weights(number)
        lesson = learn(history, weights)
        if not _has_shape(lesson):
            return self._opening.propose(history, number)
        earlier = learn(_without_last(history), weights)
        kernel = self._kernels.fitted(*self._training(earlier if _has_shape(earlier) else lesson))
        return Draw(assignment=self._most_promising(lesson, number, kernel), origin="gp")

    def prepare(self, history: History) -> None:
        """Fit, in the background, the kernel of the proposal that follows the next end of a trial."""
        lesson = learn(history, self._weights(len(history.observations)))
        if _has_shape(lesson):
            self._kernels.begin(*self._training(lesson))

    def _weights(self, number: int) -> np.ndarray | None:
        if self._objectives == 1:
            return None
        return generator_for(self._seed, number, _WEIGHTS_PURPOSE).dirichlet(np.ones(self._objectives))

    def _training(self, lesson: Lesson) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        points = self._encoder.snap(self._encoder.points(lesson.assignments))
        return self._encoder.features(points), scores(lesson.values, lesson.diverged), lesson.noise

    def _most_promising(self, lesson: Lesson, number: int, kernel: Kernel) -> dict[str, Scalar]:
        generator = generator_for(self._seed, number)
        points = self._encoder.snap(self._encoder.points(lesson.assignments))
        promise = self._conditioned(lesson, kernel)
        order = np.argsort(lesson.values)[::-1]
        centres = points[order[:5]]
        candidates = np.vstack(
            [
                spread_candidates(self._encoder, _SPREAD, generator),
                nearby_candidates(self._encoder, centres, _NEARBY, 0.15, generator),
            ]
        )
        gains = promise.of(self._encoder.features(candidates))
        for scale in _REFINEMENTS:
            top = candidates[np.argsort(gains)[::-1][:10]]
            closer = nearby_candidates(self._encoder, top, _CLOSER, scale, generator)
            candidates = np.vstack([top, closer])
            gains = promise.of(self._encoder.features(candidates))
        return self._first_new(lesson, candidates[np.argsort(gains)[::-1]])

    def _conditioned(self, lesson: Lesson, kernel: Kernel) -> Promise:
        features, values, noise = self._training(lesson)
        finite = ~lesson.diverged
        chance = None
        if self._separates(finite):
            signs = np.where(finite, 1.0, -1.0)
            chance = Posterior(features, signs, noise, kernel, self._encoder.groups)
            features, noise = features[finite], noise[finite]
            values = scores(lesson.values[finite], lesson.diverged[finite])
        model = Posterior(features, values, noise, kernel, self._encoder.groups)
        best = float(model.predict(features)[0].max())
        if lesson.pending:
            running = self._encoder.features(self._encoder.snap(self._encoder.points(lesson.pending)))
            expected = model.predict(running)[0]
            features = np.vstack([features, running])
            values = np.concatenate([values, expected])
            noise = np.concatenate([noise, np.ones(len(expected))])
            model = Posterior(features, values, noise, kernel, self._encoder.groups)
        return Promise(model, best, chance)

    def _separates(self, finite: np.ndarray) -> bool:
        """Tell whether diverged trials are a constraint: some are there, and two finite ones to learn values from."""
        return not finite.all() and int(finite.sum()) >= _TWO

    def _first_new(self, lesson: Lesson, ranked: np.ndarray) -> dict[str, Scalar]:
        seen = [dict(a) for a in (*lesson.assignments, *lesson.pending)]
        for point in ranked[:50]:
            assignment = self._encoder.assignment(point)
            if assignment not in seen:
                return assignment
        return self._encoder.assignment(ranked[0])


def _has_shape(lesson: Lesson) -> bool:
    """Tell whether there is anything to fit: two different values."""
    return len(lesson.values) >= _TWO and float(np.ptp(scores(lesson.values, lesson.diverged))) > 0.0


def _without_last(history: History) -> History:
    """Return the history as it was before the last end of a trial."""
    finished = history.finished
    if not finished:
        return history
    return History(observations=tuple(o for o in history.observations if o is not finished[-1]))
