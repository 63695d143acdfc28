from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.samplers.nsgaii import BLXAlphaCrossover, PolynomialMutation
from optuna.trial import TrialState as OptunaState

from automl.samplers.distributions import known_trial, study_in_memory
from automl.samplers.history import History
from automl.samplers.nsga2 import Nsga2Sampler
from automl.samplers.quasi_random import RandomSampler
from automl.samplers.sampler import generator_for
from tests.automl.samplers.playing import PLANE, number, play

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from automl.samplers.history import Observation
    from automl.space.values import Scalar


def two_objectives(assignment: Mapping[str, Scalar]) -> tuple[float, ...]:
    x, y = number(assignment, "x"), number(assignment, "y")
    return (-abs(x) - y * y, -abs(x - 0.5) - y * y)


def first_front(values: np.ndarray) -> np.ndarray:
    """Tell which points no other one dominates, shape (n,)."""
    dominated = [((values >= value).all(axis=1) & (values > value).any(axis=1)).any() for value in values]
    return ~np.array(dominated)


def test_more_of_its_trials_are_on_the_common_front_than_of_random_ones() -> None:
    on_front = np.zeros(2)
    for seed in range(1, 4):
        bred = play(Nsga2Sampler(PLANE, seed), two_objectives, 60)[0]
        drawn = play(RandomSampler(PLANE, seed), two_objectives, 60)[0]
        first = first_front(np.array([o.values for o in (*bred.observations, *drawn.observations)]))
        on_front += first[:60].sum(), first[60:].sum()

    assert on_front[0] > 3 * on_front[1]


def test_trials_that_miss_a_constraint_are_not_parents_however_good_they_are() -> None:
    drawn = play(RandomSampler(PLANE, 1), two_objectives, 60)[0].observations
    observed = tuple(
        replace(o, values=(9.0, 9.0), violations=(1.0,))
        if number(o.assignment, "x") > 0
        else replace(o, violations=(-1.0,))
        for o in drawn
    )
    sampler = Nsga2Sampler(PLANE, 1)

    children = [sampler.propose(History(observations=observed), trial) for trial in range(60, 90)]

    assert np.mean([number(child.assignment, "x") <= 0 for child in children if child is not None]) > 0.8


@pytest.mark.parametrize("missing", [0.0, 0.3, 0.97])
def test_what_it_has_left_out_before_changes_no_proposal(missing: float) -> None:
    generator = np.random.default_rng(3)
    drawn = play(RandomSampler(PLANE, 1), two_objectives, 700)[0].observations
    missed = np.where(generator.random(700) < missing, generator.random(700), -1.0).tolist()
    observed = [replace(o, violations=(by,)) for o, by in zip(drawn, missed, strict=True)]
    kept = Nsga2Sampler(PLANE, 1)

    for count in (*range(190, 260, 7), 699, 700, 400):
        history = History(observations=tuple(observed[:count]))
        assert kept.propose(history, 999) == Nsga2Sampler(PLANE, 1).propose(history, 999)


@pytest.mark.parametrize("missing", [0.0, 0.5])
def test_it_proposes_what_optuna_does_where_it_looks_at_all_trials(missing: float) -> None:
    """So a study that an earlier version began goes on with the same proposals."""
    drawn = play(RandomSampler(PLANE, 2), two_objectives, 300)[0].observations
    by = np.where(np.random.default_rng(4).random(300) < missing, 1.0, 0.0).tolist()
    observed = [replace(o, violations=(amount,)) for o, amount in zip(drawn, by, strict=True)]
    sampler = Nsga2Sampler(PLANE, 2)

    for count in (9, 25, 100, 300):
        candidate = sampler.propose(History(observations=tuple(observed[:count])), count)

        assert candidate is not None
        assert [*candidate.assignment.values()] == pytest.approx(proposed_by_optuna(observed[:count], count), abs=1e-12)


class AllTrials(optuna.samplers.NSGAIISampler):
    """NSGA-II whose one generation of parents is every trial."""

    def get_trial_generation(self, study: Study, trial: FrozenTrial) -> int:
        """Return 1: every proposal is a child."""
        del study, trial
        return 1

    def get_population(self, study: Study, generation: int) -> list[FrozenTrial]:
        """Return all trials."""
        del generation
        return study.get_trials(deepcopy=False, states=[OptunaState.COMPLETE])


def proposed_by_optuna(observed: Sequence[Observation], proposal: int) -> list[float]:
    """Return x and y of the child of all trials."""
    distributions: dict[str, BaseDistribution] = {name: FloatDistribution(0.0, 1.0) for name in ("0000", "0001")}
    trials = [
        known_trial(
            OptunaState.COMPLETE,
            params={
                name: (1.0 + number(o.assignment, axis)) / 2.0 for name, axis in zip(distributions, "xy", strict=True)
            },
            distributions=distributions,
            values=list(o.values),
            constraints={"missed": o.violations[0]},
        )
        for o in observed
    ]
    seed = int(generator_for(2, proposal).integers(2**31))
    study = study_in_memory(
        lambda: AllTrials(
            population_size=20, crossover=BLXAlphaCrossover(), mutation=PolynomialMutation(10.0), seed=seed
        ),
        trials,
        objectives=2,
    )
    child = study.ask(distributions).params
    return [2.0 * child[name] - 1.0 for name in distributions]


def test_a_constraint_that_is_not_measured_yet_is_not_missed() -> None:
    drawn = play(RandomSampler(PLANE, 1), two_objectives, 20)[0].observations
    observed = tuple(replace(o, violations=(None if o.number % 2 else 1.0,)) for o in drawn)

    assert Nsga2Sampler(PLANE, 1).propose(History(observations=observed), 20) is not None
