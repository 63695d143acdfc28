from __future__ import annotations

import math
from typing import ClassVar

import pytest

from automl.errors import ConfigurationError
from automl.schedulers.base import Scheduler
from automl.schedulers.registry import SCHEDULERS, check_scheduler, make_scheduler
from automl.testing.schedulers import SchedulerContract


class TestAuto(SchedulerContract):
    name: ClassVar[str] = "auto"


class TestNone(SchedulerContract):
    name: ClassVar[str] = "none"
    stops: ClassVar[bool] = False


class TestAsha(SchedulerContract):
    name: ClassVar[str] = "asha"


class TestHyperband(SchedulerContract):
    name: ClassVar[str] = "hyperband"


class TestMedian(SchedulerContract):
    name: ClassVar[str] = "median"


class TestIEpoch(SchedulerContract):
    name: ClassVar[str] = "i_epoch"


class TestPatience(SchedulerContract):
    name: ClassVar[str] = "patience"
    # The suite's curves improve nearly always; with one epoch of patience their noise is enough.
    options = {"patience_epochs": 1}  # noqa: RUF012 - a constant of the suite

    def test_the_best_trial_is_never_stopped(self) -> None:
        """Patience looks at one trial only: it does stop the best one once it has stood still."""


class TestPausingAsha(SchedulerContract):
    name = "asha"
    stops = False
    can_pause = True


class TestPopulation(SchedulerContract):
    name = "pbt"
    can_pause = True


def test_every_scheduler_has_a_suite() -> None:
    suites = {suite.name for suite in SchedulerContract.__subclasses__()}

    assert suites == set(SCHEDULERS)


def test_an_unknown_scheduler_is_an_error_with_a_suggestion() -> None:
    (problem,) = check_scheduler("hyberband")

    assert problem.fix == "did you mean hyperband?"
    with pytest.raises(ConfigurationError, match="1 problem in the scheduler"):
        make_scheduler("hyberband", max_epochs=10, trials=5)


def test_all_wrong_options_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_scheduler(
            "asha", max_epochs=10, trials=5, options={"grace_epochs": 20, "eta": 1, "patience_epochs": "two"}
        )

    assert [p.where for p in caught.value.problems] == [
        "options.eta",
        "options.patience_epochs",
        "options.grace_epochs",
    ]
    assert caught.value.problems[2].fix == "lower grace_epochs or raise max_epochs"


@pytest.mark.parametrize("value", [1 + 1e-9, 10**400, math.inf, math.nan, True, "3"])
def test_a_factor_between_rungs_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"options\.eta\n.*\n  expected  a number of at least 1\.1"):
        make_scheduler("asha", max_epochs=10, trials=5, options={"eta": value})


def test_options_of_others_are_left_alone() -> None:
    make_scheduler("median", max_epochs=10, trials=5, options={"jobs": "two"})


def test_a_population_needs_a_trainer_that_goes_on_from_a_checkpoint() -> None:
    with pytest.raises(ConfigurationError, match="resume_model"):
        make_scheduler("pbt", max_epochs=10, trials=5)


def test_one_training_is_not_refused_for_the_patience_of_a_scheduler_that_it_does_not_use() -> None:
    assert isinstance(make_scheduler("none", max_epochs=1, trials=1, options={"grace_epochs": 3}), Scheduler)
