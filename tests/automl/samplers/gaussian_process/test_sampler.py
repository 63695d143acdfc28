from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from automl.samplers.gaussian_process.regression import fit_kernel
from automl.samplers.gaussian_process.sampler import GaussianProcessSampler
from automl.samplers.gaussian_process.training_data import training_data_from
from automl.samplers.history import History, Observation
from automl.samplers.quasi_random import RandomSampler
from automl.study.causes import OriginKind
from automl.study.trial import TrialState
from tests.automl.samplers.playing import PLANE, bowl, number, play, with_trials

if TYPE_CHECKING:
    from automl.samplers.gaussian_process.regression import Kernel
    from automl.samplers.gaussian_process.training_data import TrainingData


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
        history = with_trials(history, observation)

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


def test_little_is_left_to_gain_once_the_top_has_been_found() -> None:
    early, _ = play(RandomSampler(PLANE, 3), bowl, 9)
    late, curve = play(GaussianProcessSampler(PLANE, 1), bowl, 20)

    before, after = sampler().expected_improvement(early), sampler().expected_improvement(late)

    assert before is not None
    assert after is not None
    assert after < 0.002
    assert after < before
    assert curve[-1] > -0.002


def test_the_estimate_is_in_units_of_the_objective() -> None:
    history, _ = play(RandomSampler(PLANE, 3), bowl, 9)
    scaled, _ = play(RandomSampler(PLANE, 3), lambda a: (1000.0 * bowl(a)[0],), 9)

    small, large = sampler().expected_improvement(history), sampler().expected_improvement(scaled)

    assert small is not None
    assert large == pytest.approx(1000.0 * small, rel=1e-3)


def test_too_few_or_equal_values_give_no_estimate() -> None:
    few, _ = play(RandomSampler(PLANE, 3), bowl, 5)
    equal, _ = play(RandomSampler(PLANE, 3), lambda _: (0.5,), 12)

    assert sampler().expected_improvement(few) is None
    assert sampler().expected_improvement(equal) is None
    assert sampler().expected_improvement(History()) is None


def test_what_runs_ahead_runs_on_the_latest_history_and_skips_those_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    may_go_on, is_done = threading.Event(), threading.Event()
    history, _ = play(RandomSampler(PLANE, 3), bowl, 4)
    seen: list[int] = []

    def noted(history: History, weights: None) -> TrainingData:
        may_go_on.wait(timeout=30)
        seen.append(len(history.observations))
        if len(history.observations) == 4:
            is_done.set()
        return training_data_from(history, weights)

    monkeypatch.setattr("automl.samplers.gaussian_process.sampler.training_data_from", noted)
    ahead = sampler()
    start = time.perf_counter()
    for count in range(1, 5):
        ahead.prepare(History(observations=history.observations[:count]))
    assert time.perf_counter() - start < 10.0  # it does not wait for the 30 s
    may_go_on.set()

    assert is_done.wait(timeout=30)
    assert seen[-1] == 4
    assert len(seen) <= 2


def test_a_kernel_that_was_fitted_ahead_is_not_fitted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fits: list[int] = []

    def counted(features: np.ndarray, values: np.ndarray, noise: np.ndarray, groups: np.ndarray) -> Kernel:
        fits.append(len(values))
        return fit_kernel(features, values, noise, groups)

    monkeypatch.setattr("automl.samplers.gaussian_process.sampler.fit_kernel", counted)
    history, _ = play(RandomSampler(PLANE, 3), bowl, 9)
    ahead = sampler()
    ahead.prepare(History(observations=history.observations[:-1]))

    deadline_s = time.monotonic() + 30
    while 8 not in fits and time.monotonic() < deadline_s:
        time.sleep(0.01)
    ahead.propose(history, 9)

    # Samplers of earlier tests may still fit theirs, of other lengths.
    assert fits.count(8) == 1
    assert 9 not in fits
