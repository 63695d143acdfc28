"""The Gaussian-process sampler: fit, then go where the expected improvement is largest.

Running trials get the values that the model predicts there, so several slots do not try the same point. The kernel of
a proposal is fitted to every trial but the one that ended last, so it is fitted while that trial still runs: a free
slot waits a few milliseconds. Several objectives become one with weights drawn per trial. Where trials have diverged, a
second process models the probability of divergence; a bad value instead was measured to keep the sampler away from good
points beside them (benchmarks, suite B). Each constraint has a process of its own, of how far it is missed; improvement
is measured against the best trial that keeps all. Where time is what ends the study, the expected improvement is
divided by a power of the predicted duration (`automl.study.cost`).
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from automl.samplers.encoding import Encoder
from automl.samplers.gaussian_process.acquisition import AcquisitionFunction, best_point
from automl.samplers.gaussian_process.duration import DurationModel
from automl.samplers.gaussian_process.regression import Posterior, fit_kernel
from automl.samplers.gaussian_process.training_data import root_mean_square, scores, training_data_from
from automl.samplers.gaussian_process.worker import WORKER
from automl.samplers.history import without_last
from automl.samplers.quasi_random import InitialDesign, initial_design_length
from automl.samplers.sampler import Candidate, Sampler, generator_for
from automl.study.causes import Origin, OriginKind
from automl.study.cost import cost_limit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from automl.samplers.gaussian_process.regression import Kernel
    from automl.samplers.gaussian_process.training_data import TrainingData
    from automl.samplers.history import History
    from automl.space.search_space import SearchSpace
    from automl.space.values import Scalar
    from automl.study.cost import CostLimit
    from automl.study.model import StudyPlan

Training: TypeAlias = "tuple[np.ndarray, np.ndarray, np.ndarray]"
"""What one process is fitted to: feature rows (n, columns), values (n,), factors on their noise (n,)."""

_WEIGHTS_PURPOSE = 404
_ESTIMATE_PURPOSE = 505
# One value has no shape.
_TWO = 2
# A constraint that is kept by far says no more than one that is kept well.
_LARGEST_MARGIN = 3.0
_AFTER_DESIGN = 4


class GaussianProcessSampler(Sampler):
    """Maximises expected improvement under a Gaussian process."""

    def __init__(
        self,
        space: SearchSpace,
        seed: int,
        *,
        objectives: int = 1,
        constraints: int = 0,
        cost: CostLimit | None = None,
        max_epochs: int | None = None,
    ) -> None:
        super().__init__(space, seed)
        self._encoder = Encoder(space)
        self._durations = DurationModel(self._encoder, cost, max_epochs)
        self._design = InitialDesign(space, seed)
        self._objectives = objectives
        self._constraints = constraints
        self._latest: History | None = None
        self._lock = threading.Lock()
        self._kernels: dict[bytes, Kernel] = {}

    @classmethod
    def for_plan(cls, plan: StudyPlan) -> GaussianProcessSampler:
        """Return the sampler of a study."""
        return cls(
            plan.space,
            plan.seed,
            objectives=len(plan.objectives),
            constraints=len(plan.constraints),
            cost=cost_limit(plan),
            max_epochs=plan.max_epochs,
        )

    def propose(self, history: History, number: int) -> Candidate | None:
        """Return the assignment of largest acquisition value; a Sobol point while fewer than two values are known."""
        weights = self._weights(number)
        data = training_data_from(history, weights)
        if not _has_shape(data):
            return self._design.propose(history, number)
        earlier = training_data_from(without_last(history), weights)
        kernels = self._fitted(earlier if _has_shape(earlier) else data)
        price = self._durations.price(history, number)
        acquisition = replace(self._acquisition(data, kernels), price=price)
        return Candidate(self._best_candidate(data, number, acquisition), Origin(OriginKind.GP))

    def prepare(self, history: History) -> None:
        """Fit, in the background, the kernels of the proposal that follows the next end of a trial."""
        self._latest = history
        WORKER.run(lambda: self._fit_ahead(history))

    def expected_improvement(self, history: History) -> float | None:
        """Return the largest expected improvement of the primary objective over the prediction for the best trial.

        Constraints are not looked at: it is an upper estimate where there are some.

        Returns:
            In units of the objective, >= 0; None while fewer values are known than a start and four more trials give.
        """
        data = training_data_from(history)
        finite = data.values[~data.diverged]
        is_early = len(finite) < initial_design_length(self._space) + _AFTER_DESIGN
        if not self._space.parameters or is_early or np.ptp(finite) == 0.0:
            return None
        features, values, noise = self._training(data)
        model = Posterior(features, values, noise, self._kernel((features, values, noise)))
        acquisition = AcquisitionFunction(model, float(model.predict(features)[0].max()))
        generator = generator_for(self._seed, len(history.observations), _ESTIMATE_PURPOSE)
        centres = self._points(data.assignments)[np.argsort(-data.values)[:5]]
        spread = self._encoder.spread(2000, generator)
        candidates = np.vstack([spread, self._encoder.nearby(centres, 1000, 0.1, generator)])
        gains = acquisition.of(self._encoder.features(candidates))
        return float(np.exp(gains.max()) * scores(data.values, data.diverged)[1])

    def _fit_ahead(self, history: History) -> None:
        # Older histories that have waited are skipped.
        if history is self._latest:
            data = training_data_from(history, self._weights(len(history.observations)))
            if _has_shape(data):
                self._fitted(data)
                self._durations.prepare(history)

    def _fitted(self, data: TrainingData) -> list[Kernel]:
        """Return the kernels of the values and of each constraint."""
        return [self._kernel(training) for training in (self._training(data), *self._margins(data))]

    def _kernel(self, training: Training) -> Kernel:
        """Return the kernel for some data: at once if it has been fitted, after the running fit if there is one."""
        key = b"".join(array.tobytes() for array in training)
        with self._lock:
            if key not in self._kernels:
                # Enough are those in use and those for the next proposal.
                kept = list(self._kernels.items())[-1 - 2 * self._constraints :]
                self._kernels = {**dict(kept), key: fit_kernel(*training, self._encoder.groups)}
            return self._kernels[key]

    def _points(self, assignments: Sequence[Mapping[str, Scalar]]) -> np.ndarray:
        return self._encoder.snap(self._encoder.points(assignments))

    def _training(self, data: TrainingData) -> Training:
        features = self._encoder.features(self._points(data.assignments))
        return features, scores(data.values, data.diverged)[0], data.noise

    def _margins(self, data: TrainingData) -> list[Training]:
        """Return the training data of each constraint's process: by how much it is kept, in units of its usual size."""
        finite = ~data.diverged
        features = self._encoder.features(self._points(data.assignments))[finite]
        trainings = []
        for measured in data.violations[finite].T[: self._constraints]:
            known = ~np.isnan(measured)
            known = known if known.any() else ~known  # none: probability 1/2 everywhere
            missed = np.nan_to_num(measured[known])
            size = root_mean_square(missed) or 1.0
            margin = np.clip(-missed / size, -_LARGEST_MARGIN, _LARGEST_MARGIN)
            trainings.append((features[known], margin, data.noise[finite][known]))
        return trainings

    def _weights(self, number: int) -> np.ndarray | None:
        if self._objectives == 1:
            return None
        return generator_for(self._seed, number, _WEIGHTS_PURPOSE).dirichlet(np.ones(self._objectives))

    def _acquisition(self, data: TrainingData, kernels: Sequence[Kernel]) -> AcquisitionFunction:
        features, values, noise = self._training(data)
        finite, feasible = ~data.diverged, data.feasible
        kernel, *limits = kernels
        feasibility = [Posterior(*training, k) for training, k in zip(self._margins(data), limits, strict=True)]
        if self._separates(finite):
            feasibility.append(Posterior(features, np.where(finite, 1.0, -1.0), noise, kernel))
            features, noise, feasible = features[finite], noise[finite], feasible[finite]
            values = scores(data.values[finite], data.diverged[finite])[0]
        model = Posterior(features, values, noise, kernel)
        best = float(model.predict(features[feasible])[0].max()) if feasible.any() else None
        if data.pending:
            running = self._encoder.features(self._points(data.pending))
            expected = model.predict(running)[0]
            noise = np.concatenate([noise, np.ones(len(expected))])
            model = Posterior(np.vstack([features, running]), np.concatenate([values, expected]), noise, kernel)
        return AcquisitionFunction(model, best, tuple(feasibility))

    def _separates(self, finite: np.ndarray) -> bool:
        """Tell whether diverged trials are a constraint: there are some, and two finite ones to fit values to."""
        return not finite.all() and int(finite.sum()) >= _TWO

    def _best_candidate(self, data: TrainingData, number: int, acquisition: AcquisitionFunction) -> dict[str, Scalar]:
        order = np.argsort(data.fitness if self._constraints else data.values)[::-1]
        centres = self._points(data.assignments)[order[:5]]
        known = [dict(a) for a in (*data.assignments, *data.pending)]
        return best_point(self._encoder, acquisition, centres, known, generator_for(self._seed, number))


def _has_shape(data: TrainingData) -> bool:
    """Tell whether there is anything to fit: two different values."""
    return len(data.values) >= _TWO and float(np.ptp(scores(data.values, data.diverged)[0])) > 0.0
