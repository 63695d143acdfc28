"""How much a study may still gain: the expected improvement of its most promising untried assignment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from automl.samplers.auto import initial_design_length
from automl.samplers.encoding import Encoder
from automl.samplers.gaussian_process.acquisition import log_expected_improvement, nearby_candidates, spread_candidates
from automl.samplers.gaussian_process.regression import Posterior, Prior, fit_kernel
from automl.samplers.gaussian_process.training_data import score_unit, scores, training_data_from
from automl.samplers.sampler import generator_for

if TYPE_CHECKING:
    from automl.samplers.history import History
    from automl.space.parameters import SearchSpace

_PURPOSE = 505
_AFTER_OPENING = 4
_SPREAD = 2000
_NEARBY = 1000


def expected_improvement(space: SearchSpace, seed: int, history: History) -> float | None:
    """Return the largest expected improvement of the primary objective over what the best trial is expected to have.

    The estimate comes from a Gaussian process whatever the sampler, so that a limit on it means the same under each.
    Constraints are not looked at: it is an upper estimate where there are some.

    Args:
        space: What is searched.
        seed: Seed of the study.
        history: The trials so far.

    Returns:
        In units of the objective, >= 0; None while fewer values are known than a start and four more trials give.
    """
    data = training_data_from(history)
    finite = int((~data.diverged).sum())
    unit = score_unit(data.values, data.diverged)
    if not space.parameters or finite < initial_design_length(space) + _AFTER_OPENING or unit == 0.0:
        return None
    encoder = Encoder(space)
    generator = generator_for(seed, len(history.observations), _PURPOSE)
    points = encoder.snap(encoder.points(data.assignments))
    features, values = encoder.features(points), scores(data.values, data.diverged)
    kernel = fit_kernel(features, values, data.noise, encoder.groups, Prior.for_dimensions(encoder.dimensions))
    model = Posterior(features, values, data.noise, kernel, encoder.groups)
    best = float(model.predict(features)[0].max())
    centres = points[np.argsort(-data.values)[:5]]
    candidates = np.vstack(
        [
            spread_candidates(encoder, _SPREAD, generator),
            nearby_candidates(encoder, centres, _NEARBY, 0.1, generator),
        ]
    )
    gains = log_expected_improvement(*model.predict(encoder.features(candidates)), best)
    return float(np.exp(gains.max()) * unit)
