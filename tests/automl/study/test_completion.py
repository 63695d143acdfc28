from __future__ import annotations

import pytest

from automl.study.completion import Completion

CURVES = [([(0, 0.1), (1, 0.4)], 0.4), ([(0, 0.2), (1, 0.3)], 0.3), ([(0, 0.3), (1, 0.9)], 0.9)]


def test_a_stopped_trial_gains_what_half_of_the_completed_ones_gained_from_its_epoch_on() -> None:
    assert Completion(CURVES).of(0.25, [(0, 0.25)]) == pytest.approx(0.25 + 0.3)


def test_it_never_comes_above_the_best_completed_one_nor_below_its_own_value() -> None:
    assert Completion(CURVES).of(0.8, [(0, 0.8)]) == 0.9
    assert Completion(CURVES).of(0.95, [(0, 0.95)]) == 0.95


def test_where_no_completed_trial_has_a_value_of_its_last_epoch_its_value_stays() -> None:
    assert Completion(CURVES).of(0.2, [(5, 0.2)]) == 0.2
    assert Completion([]).of(0.2, [(0, 0.2)]) == 0.2
    assert Completion(CURVES).of(0.2, []) == 0.2
