"""By how much the best epoch of the best trial is better than its last ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from automl.study.last_epochs import last_epochs
from automl.study.objectives import Direction
from tests.automl.study.test_result import study, trial


def test_the_best_epoch_is_compared_with_the_mean_of_the_last_three() -> None:
    curve = ((0, 0.5), (1, 0.9), (2, 0.7), (3, 0.8), (4, 0.6))
    best = replace(trial(0, 0.9), curve=curve)

    found = last_epochs(study(Direction.MAXIMIZE, best, trial(1, 0.1)))

    assert found is not None
    assert found.count == 3
    assert found.mean == pytest.approx(0.7)
    assert found.gap == pytest.approx(0.2)


def test_where_less_is_better_the_gap_is_positive_too_and_of_many_epochs_a_tenth_counts() -> None:
    curve = tuple((epoch, 1.0 - epoch / 100) for epoch in range(50))
    best = replace(trial(0, 0.4), curve=curve)

    found = last_epochs(study(Direction.MINIMIZE, best))

    assert found is not None
    assert found.count == 5
    assert found.mean == pytest.approx(0.53)
    assert found.gap == pytest.approx(0.13)


@pytest.mark.parametrize("epochs", [0, 1, 3])
def test_a_trial_without_further_epochs_has_none(epochs: int) -> None:
    curve = tuple((epoch, 0.5) for epoch in range(epochs))

    assert last_epochs(study(Direction.MAXIMIZE, replace(trial(0, 0.5), curve=curve))) is None
    assert last_epochs(study(Direction.MAXIMIZE)) is None
