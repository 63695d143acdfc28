"""The default sampler: a spread start around a sensible template, then the model that suits the space.

Trial 0 is the template and known-good points of earlier studies follow (both come from the searcher). Then a few draws
near the template, a short scrambled-Sobol start, and a Gaussian process; Parzen estimators beyond 300 trials.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from automl.samplers.encoding import Encoder
from automl.samplers.importing import import_ahead
from automl.samplers.quasi_random import sobol_points
from automl.samplers.sampler import Candidate, Sampler, generator_for
from automl.study.causes import Origin, OriginKind

if TYPE_CHECKING:
    from automl.samplers.history import History
    from automl.space.parameters import SearchSpace

_OWN = {OriginKind.PRIOR, OriginKind.SOBOL}
_NEAR_TEMPLATE = 2
_SPREAD_OF_PRIOR = 0.25
_GP_LIMIT = 300
_LIBRARIES = ("scipy.stats", "scipy.optimize", "scipy.linalg", "scipy.special")
_IMPORT_DELAY_S = 1.0


class InitialDesign(Sampler):
    """The first trials after the given ones: near the template, then spread over the space.

    Args:
        space: What is searched.
        seed: Seed of the study.
        near: How many draws around the template come before the spread ones.
    """

    def __init__(self, space: SearchSpace, seed: int, *, near: int = _NEAR_TEMPLATE) -> None:
        self._encoder = Encoder(space)
        self._seed = seed
        self._near = near

    def propose(self, history: History, number: int) -> Candidate:
        """Return a draw near the template for the first few trials, a Sobol point afterwards."""
        own = sum(o.origin.kind in _OWN for o in history.observations)
        if own < self._near:
            step = generator_for(self._seed, number).normal(0.0, _SPREAD_OF_PRIOR, self._encoder.dimensions)
            point = self._encoder.snap((self._encoder.default_point + step)[None, :])[0]
            return Candidate(assignment=self._encoder.assignment(point), origin=Origin(OriginKind.PRIOR))
        index = own - self._near
        points = sobol_points(self._encoder.dimensions, index + 1, self._seed)
        point = self._encoder.snap(np.array(points[index : index + 1]))[0]
        return Candidate(assignment=self._encoder.assignment(point), origin=Origin(OriginKind.SOBOL))


class AutoSampler(Sampler):
    """InitialDesign, then a Gaussian process, then Parzen estimators.

    Args:
        opening: Proposes the first trials.
        opening_trials: Trials, running or ended, before a model takes over.
        model: Takes over after the opening.
        late_model: Takes over beyond 300 trials.
    """

    def __init__(self, opening: Sampler, opening_trials: int, model: Sampler, late_model: Sampler) -> None:
        self._opening = opening
        self._opening_trials = opening_trials
        self._model = model
        self._late_model = late_model

    def propose(self, history: History, number: int) -> Candidate | None:
        """Return the next assignment."""
        if number < self._opening_trials:
            return self._opening.propose(history, number)
        return (self._model if number < _GP_LIMIT else self._late_model).propose(history, number)

    def is_ready(self, history: History, number: int) -> bool:
        """Tell whether the next assignment is there; only a language model's opening takes its time."""
        return number >= self._opening_trials or self._opening.is_ready(history, number)

    def prepare(self, history: History) -> None:
        """Let the model compute ahead; import what it needs while the first trial runs."""
        if len(history.observations) == 1:
            # It takes a second on an idle machine; what the first trial waits for is imported at the same time.
            import_ahead(*_LIBRARIES, delay_s=_IMPORT_DELAY_S)
        if self._opening_trials <= len(history.observations) < _GP_LIMIT:
            self._model.prepare(history)


def initial_design_length(space: SearchSpace) -> int:
    """Return how many trials come before the model, the template included: half the parameters plus 2, from 4 to 8."""
    return min(max(len(space.parameters) // 2 + 2, 4), 8)
