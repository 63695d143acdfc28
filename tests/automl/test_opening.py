"""From a request to a search space."""

from __future__ import annotations

import dataclasses

import pytest

from automl.errors import ConfigurationError
from automl.opening import check_names, choose_objective, open_skill, skill_facts
from automl.study.request import StudyRequest
from tests.automl.study.examples import SKILL, make_plan

REQUEST = StudyRequest(skill="toy", name="example")


def test_the_toy_skill_opens_with_a_space_and_the_spec_of_trial_0() -> None:
    opened = open_skill(REQUEST)

    assert "train.optim.lr" in opened.space.paths
    assert opened.space["train.optim.lr"].default == opened.spec.get("train.optim.lr")


def test_what_the_user_sets_leaves_the_space() -> None:
    opened = open_skill(dataclasses.replace(REQUEST, overrides={"train.optim.lr": 0.5}))

    assert "train.optim.lr" not in opened.space.paths
    assert opened.spec.get("train.optim.lr") == 0.5


def test_nothing_is_searched_when_the_policy_is_off() -> None:
    assert open_skill(dataclasses.replace(REQUEST, policy="off")).space.parameters == ()


def test_an_empty_space_tells_the_policy_what_was_left_out() -> None:
    pinned = {path: open_skill(REQUEST).spec.get(path) for path in open_skill(REQUEST).space.paths}

    facts = skill_facts(open_skill(dataclasses.replace(REQUEST, overrides=pinned)))

    assert facts.space_is_empty
    assert facts.left_out


def test_a_metric_of_unknown_direction_is_never_guessed() -> None:
    with pytest.raises(ConfigurationError, match="direction"):
        choose_objective(dataclasses.replace(REQUEST, metric="val/unheard_of"), SKILL)


def test_sampler_and_rule_are_checked_together() -> None:
    plan = dataclasses.replace(make_plan(), sampler="tpee", scheduler="ashaa")

    with pytest.raises(ConfigurationError) as caught:
        check_names(plan)

    assert len(caught.value.problems) == 2
