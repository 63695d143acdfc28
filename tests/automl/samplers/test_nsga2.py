from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.samplers import nsga2
from automl.samplers.history import History
from automl.samplers.nsga2 import Nsga2Sampler, first_fronts
from automl.samplers.quasi_random import RandomSampler
from tests.automl.samplers.playing import PLANE, number, play

if TYPE_CHECKING:
    from collections.abc import Mapping

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


VALUES = st.lists(st.tuples(*[st.integers(0, 5).map(float)] * 2, st.sampled_from([0.0, 0.0, 0.5, 1.0])), min_size=1)


@given(VALUES, st.integers(1, 9))
def test_possible_parents_are_whole_fronts_and_then_those_that_miss_least(
    rows: list[tuple[float, float, float]], fewest: int
) -> None:
    points, missed = np.array(rows)[:, :2], np.array(rows)[:, 2]

    chosen = first_fronts(points, missed, fewest)

    assert len(chosen) >= min(fewest, len(rows))
    feasible, others = np.flatnonzero(missed <= 0), np.flatnonzero(missed > 0)
    while len(feasible):
        front = feasible[first_front(points[feasible])]
        is_needed = len(set(chosen) - {*feasible, *others}) < fewest
        assert {*front} <= {*chosen} if is_needed else not {*front} & {*chosen}
        feasible = np.setdiff1d(feasible, front)
    left_out = set(others) - set(chosen)
    taken = set(others) & set(chosen)
    assert not taken or not left_out or max(missed[[*taken]]) < min(missed[[*left_out]])


@pytest.mark.parametrize("objectives", [1, 2, 3])
@pytest.mark.parametrize("values", [3, 1000])
def test_the_possible_parents_of_a_long_study_are_those_that_all_its_trials_give(
    objectives: int, values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(objectives)
    points = generator.integers(values, size=(800, objectives)).astype(float)
    missed = np.where(generator.random(800) < 0.1, 1.0, 0.0)
    chosen = first_fronts(points, missed, 20)

    monkeypatch.setattr(nsga2, "_FEW", 800)

    assert chosen.tolist() == first_fronts(points, missed, 20).tolist()


@pytest.mark.parametrize("missing", [0.0, 0.3, 0.97])
def test_what_it_has_left_out_before_changes_no_proposal(missing: float, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(3)
    drawn = play(RandomSampler(PLANE, 1), two_objectives, 700)[0].observations
    missed = np.where(generator.random(700) < missing, generator.random(700), -1.0).tolist()
    observed = [replace(o, violations=(by,)) for o, by in zip(drawn, missed, strict=True)]
    kept = Nsga2Sampler(PLANE, 1)

    for count in (*range(190, 260, 7), 699, 700, 400):
        history = History(observations=tuple(observed[:count]))
        with monkeypatch.context() as changed:
            changed.setattr(nsga2, "_FEW", 10**9)
            expected = Nsga2Sampler(PLANE, 1).propose(history, 999)
        assert kept.propose(history, 999) == expected


def test_a_constraint_that_is_not_measured_yet_is_not_missed() -> None:
    drawn = play(RandomSampler(PLANE, 1), two_objectives, 20)[0].observations
    observed = tuple(replace(o, violations=(None if o.number % 2 else 1.0,)) for o in drawn)

    assert Nsga2Sampler(PLANE, 1).propose(History(observations=observed), 20) is not None
