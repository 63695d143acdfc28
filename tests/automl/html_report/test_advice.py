"""Advice follows from the numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from automl.html_report.advice import advise
from automl.html_report.study_facts import read_facts
from tests.automl.tracking.synthetic import RESULTS
from tests.automl.tracking.written_study import write_study

if TYPE_CHECKING:
    from pathlib import Path

    from automl.study.trial import TrialResult


def advice(tmp_path: Path, *results: TrialResult) -> str:
    return "\n".join(advise(read_facts(write_study(tmp_path / "demo", results).root)))


def test_best_trials_at_an_end_of_a_range_suggest_widening_it(tmp_path: Path) -> None:
    at_edge = [replace(RESULTS[0], number=n, assignment={"train.optim.lr": 0.9}) for n in range(3)]

    assert "train.optim.lr: the best 3 trials lie at the upper end of its range (1)" in advice(tmp_path, *at_edge)


@pytest.mark.parametrize(
    ("ends", "value"),
    [
        ({"type": "float", "low": 0.0, "high": 0.5}, 0.0),
        ({"type": "float", "low": 0.1, "high": 1.0}, 1.0),
        ({"type": "int", "low": 1, "high": 8}, 1),
    ],
)
def test_no_range_is_to_be_widened_to_values_that_make_no_sense(
    tmp_path: Path, ends: dict[str, float | str], value: float
) -> None:
    space = {"parameters": [{"path": "train.optim.lr", "log": False, "choices": None, **ends}]}
    trials = tuple(replace(RESULTS[0], number=n, assignment={"train.optim.lr": value}) for n in range(3))

    assert "end of its range" not in "".join(advise(read_facts(write_study(tmp_path / "s", trials, space=space).root)))


def test_a_best_trial_that_was_best_in_its_last_epoch_suggests_more_epochs(tmp_path: Path) -> None:
    assert "last epoch (3 of 3)" in advice(tmp_path, RESULTS[0])


def test_a_late_best_value_suggests_more_trials(tmp_path: Path) -> None:
    trials = [replace(RESULTS[4], number=n, attempt=1, values={"val/d1": 0.1 + n / 100}) for n in range(10)]

    assert "trial 9 of 10" in advice(tmp_path, *trials)


def test_many_diverged_trials_suggest_a_lower_learning_rate(tmp_path: Path) -> None:
    assert "2 of 3 trials diverged" in advice(tmp_path, RESULTS[0], replace(RESULTS[2], number=1), RESULTS[2])


def test_many_failed_trials_point_at_the_failures(tmp_path: Path) -> None:
    assert "1 of 2 trials failed" in advice(tmp_path, RESULTS[0], replace(RESULTS[3], number=1))


def test_a_model_no_better_than_a_constant_is_called_so(tmp_path: Path) -> None:
    useless = replace(RESULTS[0], values={"val/d1": 0.3, "val/d1_constant": 0.35})

    assert "no better than a constant prediction" in advice(tmp_path, useless)


def test_nothing_unusual_is_said_in_one_sentence(tmp_path: Path) -> None:
    assert advice(tmp_path, replace(RESULTS[4], number=0, attempt=1)).startswith("Nothing stands out")
