from __future__ import annotations

import pytest

from automl.samplers.gaussian_process.improvement import expected_improvement
from automl.samplers.gaussian_process.sampler import GaussianProcessSampler
from automl.samplers.history import History
from automl.samplers.quasi_random import RandomSampler
from tests.automl.samplers.playing import PLANE, bowl, play


def test_little_is_left_to_gain_once_the_top_has_been_found() -> None:
    early, _ = play(RandomSampler(PLANE, 3), bowl, 9)
    late, curve = play(GaussianProcessSampler(PLANE, 1), bowl, 20)

    before, after = expected_improvement(PLANE, 1, early), expected_improvement(PLANE, 1, late)

    assert before is not None
    assert after is not None
    assert after < 0.002
    assert after < before
    assert curve[-1] > -0.002


def test_the_estimate_is_in_units_of_the_objective() -> None:
    history, _ = play(RandomSampler(PLANE, 3), bowl, 9)
    scaled, _ = play(RandomSampler(PLANE, 3), lambda a: (1000.0 * bowl(a)[0],), 9)

    small, large = expected_improvement(PLANE, 1, history), expected_improvement(PLANE, 1, scaled)

    assert small is not None
    assert large == pytest.approx(1000.0 * small, rel=1e-3)


def test_too_few_or_equal_values_give_no_estimate() -> None:
    few, _ = play(RandomSampler(PLANE, 3), bowl, 5)
    equal, _ = play(RandomSampler(PLANE, 3), lambda _: (0.5,), 12)

    assert expected_improvement(PLANE, 1, few) is None
    assert expected_improvement(PLANE, 1, equal) is None
    assert expected_improvement(PLANE, 1, History()) is None
