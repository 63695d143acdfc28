from __future__ import annotations

from typing import ClassVar

import pytest

from automl.errors import ConfigurationError
from automl.schedulers.factory import RULES, check_rule, make_rule
from tests.contracts.stopping_rule import StoppingRuleContract


class TestAuto(StoppingRuleContract):
    rule: ClassVar[str] = "auto"


class TestNone(StoppingRuleContract):
    rule: ClassVar[str] = "none"
    stops: ClassVar[bool] = False


class TestAsha(StoppingRuleContract):
    rule: ClassVar[str] = "asha"


class TestHyperband(StoppingRuleContract):
    rule: ClassVar[str] = "hyperband"


class TestMedian(StoppingRuleContract):
    rule: ClassVar[str] = "median"


class TestIEpoch(StoppingRuleContract):
    rule: ClassVar[str] = "i_epoch"


class TestPatience(StoppingRuleContract):
    rule: ClassVar[str] = "patience"
    # The suite's curves improve nearly always; with one epoch of patience their noise is enough.
    options = {"patience_epochs": 1}  # noqa: RUF012 - a constant of the suite

    def test_the_best_trial_is_never_stopped(self) -> None:
        """Patience looks at one trial only: it does stop the best one once it has stood still."""


class TestPausingAsha(StoppingRuleContract):
    rule = "asha"
    stops = False
    can_pause = True


class TestPopulation(StoppingRuleContract):
    rule = "pbt"
    can_pause = True


def test_every_rule_has_a_suite() -> None:
    suites = {suite.rule for suite in StoppingRuleContract.__subclasses__()}

    assert suites == set(RULES)


def test_an_unknown_rule_is_an_error_with_a_suggestion() -> None:
    (problem,) = check_rule("hyberband")

    assert problem.fix == "did you mean hyperband?"
    with pytest.raises(ConfigurationError, match="1 problem in the stopping rule"):
        make_rule("hyberband", max_epochs=10, trials=5)


def test_all_wrong_options_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_rule("asha", max_epochs=10, trials=5, options={"grace_epochs": 20, "eta": 1, "patience_epochs": "two"})

    assert [p.where for p in caught.value.problems] == [
        "options.eta",
        "options.patience_epochs",
        "options.grace_epochs",
    ]
    assert caught.value.problems[2].fix == "lower grace_epochs or raise max_epochs"


def test_options_of_others_are_left_alone() -> None:
    make_rule("median", max_epochs=10, trials=5, options={"jobs": "two"})


def test_a_population_needs_a_trainer_that_goes_on_from_a_checkpoint() -> None:
    with pytest.raises(ConfigurationError, match="resume_model"):
        make_rule("pbt", max_epochs=10, trials=5)
