"""The Gaussian-process sampler: fit, then go where the expected improvement is largest.

Running trials are given the values the model expects there, so several slots do not try the same thing. The kernel of a
proposal is fitted to every trial but the one that ended last, so it can be fitted while that trial still runs: what is
left when a slot becomes free takes a few milliseconds. Several objectives become one with weights drawn per trial.
Where trials have diverged, a second process tells how likely a point is to: that was measured to be better than giving
them a bad value, which also keeps the sampler away from good points beside them (benchmarks, suite B). Each constraint
has a process of its own, of how far it is missed; improvement is measured against the best trial that keeps all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from automl.samplers.encoding import Encoder
from automl.samplers.gaussian_process.acquisition import log_expected_improvement, nearby_candidates, spread_candidates
from automl.samplers.gaussian_process.background import AheadKernels, Latest
from automl.samplers.gaussian_process.regression import Posterior, Prior
from automl.samplers.gaussian_process.training_data import learn, scores
from automl.samplers.history import History
from automl.samplers.quasi_random import InitialDesign
from automl.samplers.sampler import Candidate, Sampler, generator_for
from automl.study.causes import Origin, OriginKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl.samplers.gaussian_process.regression import Kernel
    from automl.samplers.gaussian_process.training_data import TrainingData
    from automl.space.parameters import SearchSpace
    from automl.space.values import Scalar
    from automl.study.model import StudyPlan

_WEIGHTS_PURPOSE = 404
# One value has no shape.
_TWO = 2
# Standard deviation below which a chance is not trusted to be 0 or 1.
_LEAST_DOUBT = 0.1
# A constraint that is kept by far says no more than one that is kept well.
_LARGEST_MARGIN = 3.0
_SPREAD = 1000
_NEARBY = 400
_CLOSER = 150
_REFINEMENTS = (0.1, 0.05, 0.02)


@dataclass(frozen=True, slots=True)
class AcquisitionFunction:
    """What a point promises.

    Attributes:
        model: Of the values; trials that diverged are not in it while that is learnt as a chance.
        best: What it expects of the best trial that keeps every constraint; None while there is none.
        chances: Each positive where something is well: +1 for trials that ended and -1 for those that diverged, and
            by how much a constraint is kept.
    """

    model: Posterior
    best: float | None
    chances: tuple[Posterior, ...]

    def of(self, features: np.ndarray) -> np.ndarray:
        """Return the logarithm of expected improvement times the chance that all is well, shape (m,)."""
        from scipy.special import log_ndtr  # noqa: PLC0415 - scipy is needed only where a model is fitted

        # Without a trial that keeps the constraints, finding one is the only improvement.
        gain = np.zeros(len(features))
        if self.best is not None:
            gain = log_expected_improvement(*self.model.predict(features), self.best)
        for chance in self.chances:
            mean, deviation = chance.predict(features)
            gain = gain + log_ndtr(mean / np.maximum(deviation, _LEAST_DOUBT))
        return gain


class GaussianProcessSampler(Sampler):
    """Maximises expected improvement under a Gaussian process.

    Args:
        space: What is searched.
        seed: Seed of the study.
        objectives: Number of objectives.
        constraints: Number of constraints.
    """

    def __init__(self, space: SearchSpace, seed: int, *, objectives: int = 1, constraints: int = 0) -> None:
        super().__init__(space, seed)
        self._encoder = Encoder(space)
        self._design = InitialDesign(space, seed, near=0)
        self._objectives = objectives
        prior = Prior.for_dimensions(self._encoder.dimensions)
        self._kernels = AheadKernels(self._encoder.groups, prior)
        self._ahead = Latest(self._fit)
        self._limits = tuple(AheadKernels(self._encoder.groups, prior) for _ in range(constraints))

    @classmethod
    def for_plan(cls, plan: StudyPlan, given: int) -> GaussianProcessSampler:
        """Return the sampler of a study."""
        del given
        return cls(plan.space, plan.seed, objectives=len(plan.objectives), constraints=len(plan.constraints))

    def propose(self, history: History, number: int) -> Candidate | None:
        """Return the most promising assignment; a Sobol point while fewer than two values are known."""
        weights = self._weights(number)
        lesson = learn(history, weights)
        if not _has_shape(lesson):
            return self._design.propose(history, number)
        earlier = learn(_without_last(history), weights)
        earlier = earlier if _has_shape(earlier) else lesson
        kernel = self._kernels.fitted(*self._training(earlier))
        limits = [k.fitted(*training) for k, training in zip(self._limits, self._margins(earlier), strict=True)]
        promise = self._conditioned(lesson, kernel, limits)
        return Candidate(assignment=self._most_promising(lesson, number, promise), origin=Origin(OriginKind.GP))

    def prepare(self, history: History) -> None:
        """Fit, in the background, the kernel of the proposal that follows the next end of a trial."""
        self._ahead.begin(history)

    def _fit(self, history: History) -> None:
        lesson = learn(history, self._weights(len(history.observations)))
        if _has_shape(lesson):
            self._kernels.fitted(*self._training(lesson))
            for kernels, training in zip(self._limits, self._margins(lesson), strict=True):
                kernels.fitted(*training)

    def _margins(self, lesson: TrainingData) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Return what each constraint's process learns: by how much it is kept, in units of its usual size."""
        if not self._limits:
            return []
        finite = ~lesson.diverged
        features = self._encoder.features(self._encoder.snap(self._encoder.points(lesson.assignments)))[finite]
        trainings = []
        for measured in lesson.violations[finite].T[: len(self._limits)]:
            known = ~np.isnan(measured)
            known = known if known.any() else ~known  # none: an even chance everywhere
            missed = np.nan_to_num(measured[known])
            size = float(np.sqrt(np.mean(missed**2))) or 1.0
            margin = np.clip(-missed / size, -_LARGEST_MARGIN, _LARGEST_MARGIN)
            trainings.append((features[known], margin, lesson.noise[finite][known]))
        return trainings

    def _weights(self, number: int) -> np.ndarray | None:
        if self._objectives == 1:
            return None
        return generator_for(self._seed, number, _WEIGHTS_PURPOSE).dirichlet(np.ones(self._objectives))

    def _training(self, lesson: TrainingData) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        points = self._encoder.snap(self._encoder.points(lesson.assignments))
        return self._encoder.features(points), scores(lesson.values, lesson.diverged), lesson.noise

    def _most_promising(self, lesson: TrainingData, number: int, promise: AcquisitionFunction) -> dict[str, Scalar]:
        generator = generator_for(self._seed, number)
        points = self._encoder.snap(self._encoder.points(lesson.assignments))
        order = np.argsort(lesson.fitness if self._limits else lesson.values)[::-1]
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

    def _conditioned(self, lesson: TrainingData, kernel: Kernel, limits: Sequence[Kernel]) -> AcquisitionFunction:
        features, values, noise = self._training(lesson)
        finite, feasible = ~lesson.diverged, lesson.feasible
        groups = self._encoder.groups
        chances = [
            Posterior(*training, limit, groups) for limit, training in zip(limits, self._margins(lesson), strict=True)
        ]
        if self._separates(finite):
            chances.append(Posterior(features, np.where(finite, 1.0, -1.0), noise, kernel, groups))
            features, noise, feasible = features[finite], noise[finite], feasible[finite]
            values = scores(lesson.values[finite], lesson.diverged[finite])
        model = Posterior(features, values, noise, kernel, groups)
        best = float(model.predict(features[feasible])[0].max()) if feasible.any() else None
        if lesson.pending:
            running = self._encoder.features(self._encoder.snap(self._encoder.points(lesson.pending)))
            expected = model.predict(running)[0]
            features = np.vstack([features, running])
            values = np.concatenate([values, expected])
            noise = np.concatenate([noise, np.ones(len(expected))])
            model = Posterior(features, values, noise, kernel, groups)
        return AcquisitionFunction(model, best, tuple(chances))

    def _separates(self, finite: np.ndarray) -> bool:
        """Tell whether diverged trials are a constraint: some are there, and two finite ones to learn values from."""
        return not finite.all() and int(finite.sum()) >= _TWO

    def _first_new(self, lesson: TrainingData, ranked: np.ndarray) -> dict[str, Scalar]:
        seen = [dict(a) for a in (*lesson.assignments, *lesson.pending)]
        for point in ranked[:50]:
            assignment = self._encoder.assignment(point)
            if assignment not in seen:
                return assignment
        return self._encoder.assignment(ranked[0])


def _has_shape(lesson: TrainingData) -> bool:
    """Tell whether there is anything to fit: two different values."""
    return len(lesson.values) >= _TWO and float(np.ptp(scores(lesson.values, lesson.diverged))) > 0.0


def _without_last(history: History) -> History:
    """Return the history as it was before the last end of a trial."""
    finished = history.finished
    if not finished:
        return history
    return History(observations=tuple(o for o in history.observations if o is not finished[-1]))
