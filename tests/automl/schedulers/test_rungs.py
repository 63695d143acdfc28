from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.schedulers.asha import Rung, is_in_best_share, last_of_best_share, rung_epochs
from automl.schedulers.registry import grace_epochs

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)


def test_rungs_grow_by_eta_and_end_before_the_last_epoch() -> None:
    assert rung_epochs(1, 3.0, 27) == (1, 3, 9)
    assert rung_epochs(2, 1.5, 9) == (2, 3, 4, 7)
    assert rung_epochs(10, 3.0, 10) == ()


@pytest.mark.parametrize(("grace", "eta"), [(0, 3.0), (1, 1.0)])
def test_rungs_that_cannot_grow_are_refused(grace: int, eta: float) -> None:
    with pytest.raises(ValueError, match="rungs need"):
        rung_epochs(grace, eta, 10)


@pytest.mark.parametrize(
    ("max_epochs", "wanted", "warmup", "expected"),
    [(100, None, 0, 10), (10, None, 3, 3), (None, None, 0, 1), (50, 2, 4, 4)],
)
def test_grace_is_a_tenth_of_the_training_and_never_shorter_than_the_warm_up(
    max_epochs: int | None, wanted: int | None, warmup: int, expected: int
) -> None:
    assert grace_epochs(max_epochs, wanted=wanted, warmup=warmup) == expected


def rung_of(values: list[float]) -> Rung:
    rung = Rung()
    for trial, value in enumerate(values):
        rung.arrive(trial, value)
    return rung


def test_the_best_of_few_goes_on_and_the_worst_does_not() -> None:
    assert is_in_best_share(3.0, rung_of([1.0, 2.0]), 3.0)
    assert not is_in_best_share(1.0, rung_of([2.0, 3.0]), 3.0)


@given(VALUES, st.floats(-1e6, 1e6), st.floats(1.1, 10))
def test_the_shown_threshold_is_the_one_that_decides(others: list[float], value: float, eta: float) -> None:
    threshold = last_of_best_share(rung_of(others), eta)

    if value > threshold:
        assert is_in_best_share(value, rung_of(others), eta)
    if not is_in_best_share(value, rung_of(others), eta):
        assert value < threshold or value == threshold
