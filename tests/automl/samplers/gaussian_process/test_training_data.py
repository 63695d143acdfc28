from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.samplers.gaussian_process.training_data import scalarised, scores, training_data_from
from automl.samplers.history import History, Observation
from automl.study.causes import Origin, OriginKind
from automl.study.trial import TrialState


def observation(
    number: int, state: TrialState, value: float | None = None, curve: tuple[tuple[int, float], ...] = ()
) -> Observation:
    return Observation(
        number=number,
        assignment={"x": number},
        origin=Origin(OriginKind.GIVEN),
        state=state,
        values=() if value is None else (value,),
        curve=curve,
        finished_as=None if state is TrialState.RUNNING else number,
    )


def test_each_outcome_counts_as_it_should() -> None:
    history = History(
        observations=(
            observation(0, TrialState.COMPLETED, 0.6, ((0, 0.2), (1, 0.6))),
            observation(1, TrialState.COMPLETED, 0.4, ((0, 0.1), (1, 0.4))),
            observation(2, TrialState.STOPPED, 0.05, ((0, 0.05),)),
            observation(3, TrialState.DIVERGED),
            observation(4, TrialState.FAILED),
            observation(5, TrialState.RUNNING),
        )
    )

    data = training_data_from(history)

    assert [a["x"] for a in data.assignments] == [0, 1, 2, 3]
    np.testing.assert_allclose(data.values, [0.6, 0.4, 0.05 + 0.35, 0.4])
    assert data.noise.tolist() == [1.0, 1.0, 4.0, 1.0]
    assert data.diverged.tolist() == [False, False, False, True]
    assert [a["x"] for a in data.pending] == [5]


def test_a_stopped_trial_is_never_completed_above_the_best_completed_one() -> None:
    history = History(
        observations=(
            observation(0, TrialState.COMPLETED, 0.6, ((0, 0.1), (1, 0.6))),
            observation(1, TrialState.STOPPED, 0.5, ((0, 0.5),)),
        )
    )

    assert training_data_from(history).values.tolist() == [0.6, 0.6]


def test_several_objectives_become_one_number_per_trial() -> None:
    history = History(
        observations=tuple(
            Observation(
                number=i,
                assignment={},
                origin=Origin(OriginKind.GIVEN),
                state=TrialState.COMPLETED,
                values=values,
                finished_as=i,
            )
            for i, values in enumerate([(1.0, 0.0), (0.0, 1.0), (0.0, 0.0)])
        )
    )

    first, second, dominated = training_data_from(history, np.array([0.7, 0.3])).values

    assert first > second > dominated


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=40), st.integers(0, 5))
def test_scores_are_finite_keep_the_order_and_put_diverged_trials_last(values: list[float], diverged: int) -> None:
    worst = min(values)
    numbers = np.array(values + [worst] * diverged)
    flags = np.array([False] * len(values) + [True] * diverged)

    scored, _ = scores(numbers, flags)

    assert np.isfinite(scored).all()
    order = np.argsort(values, kind="stable")
    assert (np.diff(scored[: len(values)][order]) >= -1e-9).all()
    if diverged:
        assert scored[flags].max() <= scored[~flags].min()


@pytest.mark.parametrize("good", [[0.90, 0.91, 0.92, 0.93], [0.90, 0.91, 0.93, 0.93, 0.93, 0.93]])
@pytest.mark.parametrize("terrible", [-1e6, -1e30, -1e150])
def test_a_terrible_value_does_not_flatten_the_good_ones(good: list[float], terrible: float) -> None:
    with_outlier, _ = scores(np.array([*good, terrible]), np.zeros(len(good) + 1, dtype=bool))

    assert with_outlier[3] - with_outlier[0] > 0.1


@pytest.mark.parametrize("size", [1e-310, 1e-160, 1e12, 1e140])
def test_scores_are_the_same_in_every_unit(size: float) -> None:
    values = np.array([0.2, 0.5, 0.55, 0.6, 0.61])

    scored, unit = scores(size * values, np.zeros(5, dtype=bool))

    expected, in_ones = scores(values, np.zeros(5, dtype=bool))
    np.testing.assert_allclose(scored, expected, rtol=1e-9)
    assert unit == pytest.approx(size * in_ones, rel=1e-9)


def test_values_without_a_spread_have_no_unit_and_diverged_ones_are_below_them() -> None:
    scored, unit = scores(np.array([0.5, 0.5, 0.5]), np.array([False, True, False]))

    assert unit == 0.0
    assert scored[0] == scored[2] > scored[1]


def test_a_dominated_point_is_worse_under_every_weight() -> None:
    values = np.array([[1.0, 2.0], [0.5, 1.0], [2.0, 0.0]])

    for first in (0.0, 0.3, 1.0):
        numbers = scalarised(values, np.array([first, 1 - first]))
        assert numbers[0] > numbers[1]
