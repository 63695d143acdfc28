from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from automl.samplers.gaussian_process.sampler import GaussianProcessSampler
from automl.samplers.history import History, Observation
from automl.samplers.quasi_random import RandomSampler
from automl.study.causes import OriginKind
from automl.study.trial import TrialState
from tests.automl.samplers.playing import PLANE, bowl, number, play


def sampler(seed: int = 1, objectives: int = 1) -> GaussianProcessSampler:
    return GaussianProcessSampler(PLANE, seed, objectives=objectives)


def test_it_finds_the_top_of_a_bowl_far_better_than_random_draws() -> None:
    found = [play(sampler(seed), bowl, 15)[1][-1] for seed in range(3)]
    drawn = [play(RandomSampler(PLANE, seed), bowl, 15)[1][-1] for seed in range(3)]

    assert np.mean(found) > -0.001
    assert np.mean(drawn) < 10 * np.mean(found)


def test_preparing_changes_no_proposal() -> None:
    history, _ = play(sampler(), bowl, 8)
    prepared = sampler()
    prepared.prepare(History(observations=history.observations[:-1]))

    assert prepared.propose(history, 8) == sampler().propose(history, 8)


def test_it_stays_away_from_where_trials_diverged() -> None:
    history, _ = play(sampler(), bowl, 10)
    corner = [
        replace(o, state=TrialState.DIVERGED, values=()) if number(o.assignment, "x") > 0.2 else o
        for o in history.observations
    ]
    assert any(o.state is TrialState.DIVERGED for o in corner)
    history = History(observations=tuple(corner))

    candidate = sampler().propose(history, 10)

    assert candidate is not None
    assert candidate.origin.kind is OriginKind.GP
    assert number(candidate.assignment, "x") < 0.3


@pytest.mark.parametrize("state", [TrialState.DIVERGED, TrialState.FAILED])
def test_it_keeps_opening_while_no_trial_has_a_value(state: TrialState) -> None:
    history, _ = play(sampler(), bowl, 6)
    bad = History(observations=tuple(replace(o, state=state, values=()) for o in history.observations))

    candidate = sampler().propose(bad, 6)

    assert candidate is not None
    assert candidate.origin.kind is OriginKind.SOBOL


def test_two_objectives_spread_over_the_front() -> None:
    history, _ = play(sampler(objectives=2), lambda a: (-abs(number(a, "x")), -abs(number(a, "x") - 1.0)), 16)

    late = [number(o.assignment, "x") for o in history.observations[6:]]

    assert sum(-0.1 <= x <= 1.0 for x in late) >= 8
    assert max(late) - min(late) > 0.3


def test_it_looks_for_the_best_point_that_keeps_a_constraint() -> None:
    """The top of the bowl, (0.3, 0.3), is forbidden: x may be at most 0."""
    history = History()
    constrained = GaussianProcessSampler(PLANE, 1, constraints=1)
    for i in range(18):
        candidate = constrained.propose(history, i)
        assert candidate is not None
        observation = Observation(
            number=i,
            assignment=candidate.assignment,
            origin=candidate.origin,
            state=TrialState.COMPLETED,
            values=bowl(candidate.assignment),
            violations=(number(candidate.assignment, "x"),),
            finished_as=i,
        )
        history = history.with_trial(observation)

    kept = [o for o in history.observations if (o.violations[0] or 0.0) <= 0]
    assert max(o.values[0] for o in kept) > -0.1
    assert (
        sum(o.origin.kind is OriginKind.GP for o in kept)
        >= sum(o.origin.kind is OriginKind.GP for o in history.observations) / 2
    )


def test_trials_of_an_unknown_constraint_count_for_the_objective_alone() -> None:
    history, _ = play(sampler(), bowl, 14)
    constrained = GaussianProcessSampler(PLANE, 1, constraints=1)
    unknown = [replace(o, violations=(None,)) for o in history.observations]
    all_unknown = constrained.propose(History(observations=tuple(unknown)), 14)
    forbidden = [
        replace(o, violations=(number(o.assignment, "x"),) if o.number % 2 else (None,)) for o in history.observations
    ]

    half_known = constrained.propose(History(observations=tuple(forbidden)), 14)

    assert all_unknown is not None
    assert half_known is not None
    assert bowl(all_unknown.assignment)[0] > -0.05
    assert number(half_known.assignment, "x") < 0.1 < number(all_unknown.assignment, "x")


def test_while_nothing_keeps_a_constraint_it_looks_for_where_something_may() -> None:
    history, _ = play(sampler(), bowl, 8)
    missed = [replace(o, violations=(number(o.assignment, "y") + 2.0,)) for o in history.observations]
    constrained = GaussianProcessSampler(PLANE, 1, constraints=1)

    candidate = constrained.propose(History(observations=tuple(missed)), 8)

    assert candidate is not None
    assert number(candidate.assignment, "y") < -0.6
