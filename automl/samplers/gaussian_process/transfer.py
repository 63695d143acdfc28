"""The sampler of a study that knows earlier ones: one Gaussian process over all of them.

It proposes from the first trial after the template on, without an initial design. What is worth trying is decided as in
`automl.samplers.gaussian_process.sampler`. An earlier study whose values follow no pattern is left out. None is
used while the first values here contradict them: then the study is searched as if there were none.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from automl.samplers.encoding import Encoder
from automl.samplers.gaussian_process.acquisition import AcquisitionFunction, best_point
from automl.samplers.gaussian_process.duration import DurationModel
from automl.samplers.gaussian_process.joint import (
    JointData,
    JointPosterior,
    fit_joint_kernel,
    log_evidence,
    with_equal_correlations,
)
from automl.samplers.gaussian_process.regression import Posterior, fit_kernel, log_evidence_of_shape
from automl.samplers.gaussian_process.training_data import STOPPED_NOISE, scores, training_data_from, unit_of
from automl.samplers.gaussian_process.worker import WORKER
from automl.samplers.history import without_last
from automl.samplers.sampler import Candidate, Sampler, generator_for
from automl.study.causes import Origin, OriginKind
from automl.study.earlier import Agreement
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl.samplers.gaussian_process.joint import JointKernel
    from automl.samplers.gaussian_process.training_data import TrainingData
    from automl.samplers.history import History
    from automl.space.search_space import SearchSpace
    from automl.study.cost import CostLimit
    from automl.study.earlier import EarlierStudy

_MOST_POINTS = 90
"""Observations of earlier studies that are kept, so that a proposal takes milliseconds."""
_FEWEST_OF_STUDY = 6
_CENTRES = 5
_CHECKED = 12
"""So many of the first values decide whether earlier studies are used; later the fit weighs down what misleads."""
_TWO = 2
# Logarithms of the odds, that the values of a study follow a pattern, and that the first values here contradict it.
_SHAPE = 3.0
# So many values weigh as much as earlier studies do in how large a difference is.
_OWN_UNIT = 4.0
_EARLY_CONTRADICTION, _CONTRADICTION = -4.5, -3.0


@dataclass(frozen=True, slots=True)
class _Sources:
    """What is kept of the earlier studies.

    Attributes:
        data: Their observations; studies counted from 1.
        finite: Which of them have not diverged, shape (n,).
        centres: The best points of each, shape (m, dimensions).
        kernel: Fitted to the finite ones.
        models: Of each study alone.
        names: Of the studies.
        unit: What a difference of 1 between two good scores means in units of the values, the geometric mean of all.
    """

    data: JointData
    finite: np.ndarray
    centres: np.ndarray
    kernel: JointKernel
    models: tuple[Posterior, ...]
    names: tuple[str, ...]
    unit: float


class TransferSampler(Sampler):
    """Maximises expected improvement under a Gaussian process over this study and earlier ones.

    Args:
        space: What is searched.
        seed: Of the study.
        studies: The earlier ones.
        sign: 1 where larger values are better, -1 where smaller ones are.
        cost: What its trials may take; None where their duration does not count.
        max_epochs: Of a full training; None where that is not known.
    """

    def __init__(
        self,
        space: SearchSpace,
        seed: int,
        studies: Sequence[EarlierStudy],
        sign: float,
        *,
        cost: CostLimit | None = None,
        max_epochs: int | None = None,
    ) -> None:
        super().__init__(space, seed)
        self._studies = studies
        self._sign = sign
        self._encoder = Encoder(space)
        self._durations = DurationModel(self._encoder, cost, max_epochs)
        self._lock = threading.Lock()
        self._kernel: tuple[bytes, JointKernel] | None = None

    def agrees(self, history: History) -> bool:
        """Tell whether the earlier studies are used: there are some, and the first values here do not contradict."""
        sources = self._sources
        if sources is None:
            return False
        data = training_data_from(history)
        count = min(len(data.values), _CHECKED)
        if count < _TWO:
            return True
        features = self._encoder.features(self._points(data))[:count]
        values = _own_scores(sources, data.values[:count], data.diverged[:count])
        kernel = with_equal_correlations(sources.kernel)
        odds = log_evidence(features, values, sources.data.part(sources.finite), kernel, self._groups)
        return odds >= (_EARLY_CONTRADICTION if count == _TWO else _CONTRADICTION)

    def agreement(self, history: History) -> dict[str, Agreement]:
        """Return how alike each earlier study and this one are so far, by its name.

        Where the values here contradict them, those whose values follow a pattern are not in it.

        The correlation is that of the last proposal, which does not know the value that came last.
        """
        sources = self._sources
        found = {study.name: Agreement(correlation=None) for study in self._studies}
        if sources is None:
            return found
        if not self.agrees(history):
            return {name: agreement for name, agreement in found.items() if name not in sources.names}
        data = training_data_from(history)
        correlations = self._fitted(sources, training_data_from(without_last(history))).correlations
        features, values = self._encoder.features(self._points(data))[~data.diverged], data.values[~data.diverged]
        for name, model, correlation in zip(sources.names, sources.models, correlations, strict=True):
            pairs, alike = _ranked_alike(model.predict(features)[0], values) if len(values) else (0, 0)
            found[name] = Agreement(correlation=float(correlation), pairs=pairs, alike=alike)
        return found

    def propose(self, history: History, number: int) -> Candidate:
        """Return the assignment of largest acquisition value."""
        sources = self._sources
        if sources is None:
            raise ValueError("no earlier study can be used")
        data = training_data_from(history)
        kernel = self._fitted(sources, training_data_from(without_last(history)))
        price = self._durations.price(history, number)
        acquisition = replace(self._acquisition(sources, data, kernel), price=price)
        order = np.argsort(data.values)[::-1][:_CENTRES]
        centres = np.vstack([self._points(data)[order], sources.centres])
        known = [dict(a) for a in (*data.assignments, *data.pending)]
        generator = generator_for(self._seed, number)
        return Candidate(best_point(self._encoder, acquisition, centres, known, generator), Origin(OriginKind.TRANSFER))

    def prepare(self, history: History) -> None:
        """Fit, in the background, the kernel of the proposal that follows the next end of a trial."""

        def fit() -> None:
            if (sources := self._sources) is not None:
                self._fitted(sources, training_data_from(history))
                self._durations.prepare(history)

        WORKER.run(fit)

    @cached_property
    def _sources(self) -> _Sources | None:
        pairs = [(study, model) for study in self._studies if (model := self._model_of(study)) is not None]
        if not pairs:
            return None
        kept, models = zip(*pairs, strict=True)
        most = max(_MOST_POINTS // len(kept), _FEWEST_OF_STUDY)
        parts = [self._subsample(study, most) for study in kept[: _MOST_POINTS // _FEWEST_OF_STUDY]]
        rows = [np.full(len(values), index) for index, (_, values, _, _) in enumerate(parts, start=1)]
        finite = np.concatenate([diverged == 0 for _, _, _, diverged in parts])
        data = JointData(
            self._encoder.features(np.vstack([points for points, *_ in parts])),
            np.concatenate([values for _, values, _, _ in parts]),
            np.concatenate([noise for _, _, noise, _ in parts]),
            np.concatenate(rows),
        )
        centres = np.vstack([points[np.argsort(-values)[:_CENTRES]] for points, values, _, _ in parts])
        kernel = fit_joint_kernel(data.part(finite), self._groups)
        names = tuple(study.name for study in kept[: len(parts)])
        unit = float(np.exp(np.mean([math.log(self._unit(study)) for study in kept])))
        return _Sources(data, finite, centres, kernel, models[: len(parts)], names, unit)

    @property
    def _groups(self) -> np.ndarray:
        return self._encoder.groups

    def _points(self, data: TrainingData) -> np.ndarray:
        return self._encoder.snap(self._encoder.points(data.assignments))

    def _observed(self, study: EarlierStudy) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return points, scores, factors on the noise, and what diverged, of an earlier study."""
        points = self._encoder.snap(self._encoder.points([trial.assignment for trial in study.trials]))
        diverged = np.array([trial.value is None for trial in study.trials], dtype=bool)
        values = np.array([self._sign * (trial.value or 0.0) for trial in study.trials])
        stopped = np.array([trial.state is TrialState.STOPPED for trial in study.trials])
        return points, scores(values, diverged)[0], np.where(stopped, STOPPED_NOISE, 1.0), diverged

    def _unit(self, study: EarlierStudy) -> float:
        return unit_of([self._sign * trial.value for trial in study.trials if trial.value is not None])

    def _model_of(self, study: EarlierStudy) -> Posterior | None:
        """Return the model of a study alone; None where its values are noise rather than depend on its parameters."""
        points, values, noise, diverged = self._observed(study)
        finite = ~diverged
        if int(finite.sum()) <= _TWO or float(np.ptp(values[finite])) == 0.0:
            return None
        features, values, noise = self._encoder.features(points)[finite], values[finite], noise[finite]
        kernel = fit_kernel(features, values, noise, self._groups)
        has_shape = log_evidence_of_shape(features, values, noise, kernel) > _SHAPE
        return Posterior(features, values, noise, kernel) if has_shape else None

    def _subsample(self, study: EarlierStudy, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return at most so many observations: the better half of them the best, the others evenly by rank."""
        observed = self._observed(study)
        order = np.argsort(-observed[1], kind="stable")
        if len(order) > most:
            rest = order[most // 2 :]
            order = np.concatenate(
                [order[: most // 2], rest[np.linspace(0, len(rest) - 1, most - most // 2).round().astype(int)]]
            )
        points, values, noise, diverged = (part[order] for part in observed)
        return points, values, noise, diverged

    def _joint(self, sources: _Sources, data: TrainingData) -> tuple[JointData, np.ndarray]:
        """Return the observations of all studies, and which have not diverged."""
        own = self._encoder.features(self._points(data))
        values, _ = scores(data.values, data.diverged)
        joint = sources.data.behind(own, values, data.noise)
        return joint, np.concatenate([~data.diverged, sources.finite])

    def _fitted(self, sources: _Sources, data: TrainingData) -> JointKernel:
        """Return the kernel for some data, from that of the earlier studies on: at once if it has been fitted."""
        joint, finite = self._joint(sources, data)
        key = joint.values.tobytes() + joint.features.tobytes()
        with self._lock:
            if self._kernel is None or self._kernel[0] != key:
                self._kernel = key, fit_joint_kernel(joint.part(finite), self._groups, sources.kernel)
            return self._kernel[1]

    def _acquisition(self, sources: _Sources, data: TrainingData, kernel: JointKernel) -> AcquisitionFunction:
        joint, finite = self._joint(sources, data)
        feasibility = []
        if not finite.all():
            signs = JointData(joint.features, np.where(finite, 1.0, -1.0), joint.noise, joint.studies)
            feasibility = [JointPosterior(signs, kernel, self._groups)]
        known = joint.part(finite)
        model = JointPosterior(known, kernel, self._groups)
        own = known.features[known.studies == 0]
        running = self._encoder.features(self._encoder.snap(self._encoder.points(data.pending)))
        template = self._encoder.features(self._encoder.snap(self._encoder.default_point[None, :]))
        tried = next(rows for rows in (own, running, template) if len(rows))
        best = float(model.predict(tried)[0].max())
        if len(running):
            with_running = known.behind(running, model.predict(running)[0], np.ones(len(running)))
            model = JointPosterior(with_running, kernel, self._groups)
        return AcquisitionFunction(model, best, tuple(feasibility))


def _own_scores(sources: _Sources, values: np.ndarray, diverged: np.ndarray) -> np.ndarray:
    """Return the scores of this study's few values, with differences that are small in earlier studies kept small.

    Values near each other near the best of the earlier studies do not contradict them.
    """
    found, unit = scores(values, diverged)
    if not 0.0 < unit < sources.unit:
        return found
    return np.asarray(found * (unit / sources.unit) ** (_OWN_UNIT / (_OWN_UNIT + len(values))))


def _ranked_alike(predicted: np.ndarray, values: np.ndarray) -> tuple[int, int]:
    """Return how many pairs have different values, and how many of them are predicted in their order."""
    first, second = np.triu_indices(len(values), k=1)
    order = np.sign(values[first] - values[second])
    return int(np.count_nonzero(order)), int(np.sum(order * np.sign(predicted[first] - predicted[second]) > 0))
