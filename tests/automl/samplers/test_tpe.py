from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import optuna

from automl.samplers.history import History
from automl.samplers.quasi_random import RandomSampler
from automl.samplers.tpe import TpeSampler, considered
from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace
from automl.study.causes import OriginKind
from automl.study.trial import TrialState
from automl.testing.studies import MIXED, score
from tests.automl.samplers.playing import PLANE, bowl, number, play

if TYPE_CHECKING:
    import pytest


def sampler(seed: int = 1) -> TpeSampler:
    return TpeSampler(PLANE, seed)


def test_it_is_better_than_random_draws_on_a_bowl() -> None:
    found = [play(sampler(seed), bowl, 30)[1][-1] for seed in range(3)]
    drawn = [play(RandomSampler(PLANE, seed), bowl, 30)[1][-1] for seed in range(3)]

    assert np.mean(found) > np.mean(drawn)


def test_conditional_parameters_are_asked_for_only_where_they_act() -> None:
    history, _ = play(TpeSampler(MIXED, 3), lambda a: (score(a),), 14)

    assert {o.origin.kind for o in history.observations[6:]} == {OriginKind.TPE}
    assert all(MIXED.violations(o.assignment) == () for o in history.observations)
    assert {"momentum" in o.assignment for o in history.observations} == {True, False}


def test_a_diverged_trial_counts_as_the_worst() -> None:
    history, _ = play(RandomSampler(PLANE, 2), bowl, 20)
    bad = [
        replace(o, state=TrialState.DIVERGED, values=()) if number(o.assignment, "x") > 0 else o
        for o in history.observations
    ]

    candidates = [sampler(seed).propose(History(observations=tuple(bad)), 20) for seed in range(10)]

    assert sum(number(d.assignment, "x") > 0 for d in candidates if d is not None) <= 4


def test_a_proposal_logs_nothing(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    optuna.logging.set_verbosity(optuna.logging.INFO)

    play(sampler(), bowl, 8)

    assert not caplog.records
    assert capfd.readouterr().err == ""


def test_of_a_long_study_the_best_and_the_latest_trials_count() -> None:
    history, _ = play(RandomSampler(PLANE, 1), bowl, 3)
    first = history.observations[0]
    known = tuple(replace(first, number=n, values=(float(n % 700),), finished_as=n) for n in range(2000))

    found = considered(known)

    numbers = [observation.number for observation in found]
    assert numbers == sorted(numbers)
    assert numbers[-900:] == list(range(1100, 2000))
    assert set(numbers[:100]) == {n for n in range(1100) if n % 700 >= 600}
    assert considered(known[:1000]) == known[:1000]


def test_values_near_one_are_proposed_on_the_scale_of_their_distance_to_it() -> None:
    parameter = Parameter(path="decay", type=ParameterType.FLOAT, low=0.9, high=0.9999, log_to_one=True, default=0.99)
    space = SearchSpace(parameters=(parameter,), fixed={})

    history, _ = play(TpeSampler(space, 1), lambda a: (-abs(math.log10(1 - number(a, "decay")) + 3.5),), 30)

    proposed = [number(o.assignment, "decay") for o in history.observations[6:]]
    assert all(0.9 <= value <= 0.9999 for value in proposed)
    assert sum(value > 0.999 for value in proposed) > 12
