"""The Gaussian-process sampler: fit, then go where the expected improvement is largest.

Running trials get the values that the model predicts there, so several slots do not try the same point. The kernel of
a proposal is fitted to every trial but the one that ended last, so it is fitted while that trial still runs: a free
slot waits a few milliseconds. Several objectives become one with weights drawn per trial. Where trials have diverged, a
second process models the probability of divergence; a bad value instead was measured to keep the sampler away from good
points beside them (benchmarks, suite B). Each constraint has a process of its own, of how far it is missed; improvement
is measured against the best trial that keeps all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from automl.samplers.encoding import Encoder
from automl.samplers.gaussian_process.acquisition import log_expected_improvement, nearby_candidates, spread_candidates
from automl.samplers.gaussian_process.background import AheadKernels, Latest
from automl.samplers.gaussian_process.regression import Posterior, Prior
from automl.samplers.gaussian_process.training_data import scores, training_data_from
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
# Standard deviation below which a probability is not trusted to be 0 or 1.
_LEAST_DEVIATION = 0.1
# A constraint that is kept by far says no more than one that is kept well.
_LARGEST_MARGIN = 3.0
_SPREAD = 1000
_NEARBY = 400
_CLOSER = 150
_REFINEMENTS = (0.1, 0.05, 0.02)


@dataclass(frozen=True, slots=True)
class AcquisitionFunction:
    """Expected improvement of a point, times the probability that it is feasible.

    Attributes:
        model: Of the values; without the diverged trials where divergence has a process of its own.
        best: Its prediction for the best trial that keeps every constraint; None while there is none.
        feasibility: One process per condition, positive where it holds: +1 for trials that ended and -1 for those that
            diverged, and by how much a constraint is kept.
    """

    model: Posterior
    best: float | None
    feasibility: tuple[Posterior, ...]

    def of(self, features: np.ndarray) -> np.ndarray:
        """Return the logarithm of expected improvement times the probability of feasibility, shape (m,)."""
        from scipy.special import log_ndtr  # noqa: PLC0415 - scipy is needed only where a model is fitted

        # Without a trial that keeps the constraints, finding one is the only improvement.
        gain = np.zeros(len(features))
        if self.best is not None:
            gain = log_expected_improvement(*self.model.predict(features), self.best)
        for process in self.feasibility:
            mean, deviation = process.predict(features)
            gain = gain + log_ndtr(mean / np.maximum(deviation, _LEAST_DEVIATION))
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
        """Return the assignment of largest acquisition value; a Sobol point while fewer than two values are known."""
        weights = self._weights(number)
        data = training_data_from(history, weights)
        if not _has_shape(data):
            return self._design.propose(history, number)
        earlier = training_data_from(_without_last(history), weights)
        earlier = earlier if _has_shape(earlier) else data
        kernel = self._kernels.fitted(*self._training(earlier))
        limits = [k.fitted(*training) for k, training in zip(self._limits, self._margins(earlier), strict=True)]
        acquisition = self._conditioned(data, kernel, limits)
        return Candidate(assignment=self._best_candidate(data, number, acquisition), origin=Origin(OriginKind.GP))

    def prepare(self, history: History) -> None:
        """Fit, in the background, the kernel of the proposal that follows the next end of a trial."""
        self._ahead.begin(history)

    def _fit(self, history: History) -> None:
        data = training_data_from(history, self._weights(len(history.observations)))
        if _has_shape(data):
            self._kernels.fitted(*self._training(data))
            for kernels, training in zip(self._limits, self._margins(data), strict=True):
                kernels.fitted(*training)

    def _margins(self, data: TrainingData) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Return the training data of each constraint's process: by how much it is kept, in units of its usual size."""
        if not self._limits:
            return []
        finite = ~data.diverged
        features = self._encoder.features(self._encoder.snap(self._encoder.points(data.assignments)))[finite]
        trainings = []
        for measured in data.violations[finite].T[: len(self._limits)]:
            known = ~np.isnan(measured)
            known = known if known.any() else ~known  # none: probability 1/2 everywhere
            missed = np.nan_to_num(measured[known])
            size = float(np.sqrt(np.mean(missed**2))) or 1.0
            margin = np.clip(-missed / size, -_LARGEST_MARGIN, _LARGEST_MARGIN)
            trainings.append((features[known], margin, data.noise[finite][known]))
        return trainings

    def _weights(self, number: int) -> np.ndarray | None:
        if self._objectives == 1:
            return None
        return generator_for(self._seed, number, _WEIGHTS_PURPOSE).dirichlet(np.ones(self._objectives))

    def _training(self, data: TrainingData) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        points = self._encoder.snap(self._encoder.points(data.assignments))
        return self._encoder.features(points), scores(data.values, data.diverged), data.noise

    def _best_candidate(self, data: TrainingData, number: int, acquisition: AcquisitionFunction) -> dict[str, Scalar]:
        generator = generator_for(self._seed, number)
        points = self._encoder.snap(self._encoder.points(data.assignments))
        order = np.argsort(data.fitness if self._limits else data.values)[::-1]
        centres = points[order[:5]]
        candidates = np.vstack(
            [
                spread_candidates(self._encoder, _SPREAD, generator),
                nearby_candidates(self._encoder, centres, _NEARBY, 0.15, generator),
            ]
        )
        gains = acquisition.of(self._encoder.features(candidates))
        for scale in _REFINEMENTS:
            top = candidates[np.argsort(gains)[::-1][:10]]
            closer = nearby_candidates(self._encoder, top, _CLOSER, scale, generator)
            candidates = np.vstack([top, closer])
            gains = acquisition.of(self._encoder.features(candidates))
        return self._first_new(data, candidates[np.argsort(gains)[::-1]])

    def _conditioned(self, data: TrainingData, kernel: Kernel, limits: Sequence[Kernel]) -> AcquisitionFunction:
        features, values, noise = self._training(data)
        finite, feasible = ~data.diverged, data.feasible
        groups = self._encoder.groups
        feasibility = [
            Posterior(*training, limit, groups) for limit, training in zip(limits, self._margins(data), strict=True)
        ]
        if self._separates(finite):
            feasibility.append(Posterior(features, np.where(finite, 1.0, -1.0), noise, kernel, groups))
            features, noise, feasible = features[finite], noise[finite], feasible[finite]
            values = scores(data.values[finite], data.diverged[finite])
        model = Posterior(features, values, noise, kernel, groups)
        best = float(model.predict(features[feasible])[0].max()) if feasible.any() else None
        if data.pending:
            running = self._encoder.features(self._encoder.snap(self._encoder.points(data.pending)))
            expected = model.predict(running)[0]
            features = np.vstack([features, running])
            values = np.concatenate([values, expected])
            noise = np.concatenate([noise, np.ones(len(expected))])
            model = Posterior(features, values, noise, kernel, groups)
        return AcquisitionFunction(model, best, tuple(feasibility))

    def _separates(self, finite: np.ndarray) -> bool:
        """Tell whether diverged trials are a constraint: there are some, and two finite ones to fit values to."""
        return not finite.all() and int(finite.sum()) >= _TWO

    def _first_new(self, data: TrainingData, ranked: np.ndarray) -> dict[str, Scalar]:
        seen = [dict(a) for a in (*data.assignments, *data.pending)]
        for point in ranked[:50]:
            assignment = self._encoder.assignment(point)
            if assignment not in seen:
                return assignment
        return self._encoder.assignment(ranked[0])


def _has_shape(data: TrainingData) -> bool:
    """Tell whether there is anything to fit: two different values."""
    return len(data.values) >= _TWO and float(np.ptp(scores(data.values, data.diverged))) > 0.0


def _without_last(history: History) -> History:
    """Return the history as it was before the last end of a trial."""
    finished = history.finished
    if not finished:
        return history
    return History(observations=tuple(o for o in history.observations if o is not finished[-1]))
