"""Metrics and their directions: known or asked for, never guessed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from automl.architectures.load import load_architecture
from automl.errors import ConfigurationError
from automl.skill.load import load_skill
from automl.skill.objective import objective_for
from tests.automl.skill.packages import BANK, EVERY_FEATURE, needs_bank

if TYPE_CHECKING:
    from automl.skill.model import Skill


def skill_of(arch: str) -> Skill:
    skill = load_skill(EVERY_FEATURE)
    train = replace(skill.actions["train"], metric=None, metric_direction=None)
    return replace(skill, network_arch=arch, architecture=load_architecture(arch), actions={"train": train})


def test_d1_is_an_accuracy_for_mono_and_an_error_rate_for_stereo() -> None:
    mono = objective_for(skill_of("depth_net_mono"), metric="val/d1")
    stereo = objective_for(skill_of("depth_net_stereo"), metric="val/d1")

    assert (mono.direction, stereo.direction) == ("maximize", "minimize")
    assert "--metric" in mono.source


def test_a_known_architecture_has_a_default_metric_with_its_source() -> None:
    choice = objective_for(skill_of("depth_net_mono"))

    assert (choice.metric, choice.direction) == ("val/d1", "maximize")
    assert choice.source.startswith("registry depth_net_mono")


def test_the_skills_own_metric_comes_before_the_registry() -> None:
    choice = objective_for(load_skill(EVERY_FEATURE))

    assert (choice.metric, choice.direction, choice.source) == ("val/score", "maximize", "skill_info.yaml")


@pytest.mark.parametrize("metric", ["val_d1", "VAL/D1", "val d1"])
def test_separators_and_capitals_do_not_count(metric: str) -> None:
    assert objective_for(skill_of("depth_net_mono"), metric=metric).direction == "maximize"


@pytest.mark.parametrize("metric", ["accuracy_loss", "my_acc", "val_error", "far"])
def test_an_unknown_direction_is_asked_for_and_never_guessed(metric: str) -> None:
    with pytest.raises(ConfigurationError, match="--direction"):
        objective_for(skill_of("depth_net_mono"), metric=metric)


def test_an_unknown_architecture_needs_a_metric() -> None:
    with pytest.raises(ConfigurationError, match="--metric"):
        objective_for(skill_of("unheard_of"))


def test_a_given_direction_wins_and_the_contradiction_is_shown() -> None:
    choice = objective_for(skill_of("depth_net_mono"), metric="val/d1", direction="minimize")

    assert choice.direction == "minimize"
    assert "against registry depth_net_mono" in choice.source


def test_a_direction_is_one_of_two_words() -> None:
    with pytest.raises(ConfigurationError, match="maximize or minimize"):
        objective_for(skill_of("depth_net_mono"), direction="up")


def test_losses_are_known_to_every_architecture() -> None:
    assert objective_for(skill_of("unheard_of"), metric="train_loss").direction == "minimize"
    assert load_architecture("dino").metrics.directions["val_mAP50"] == "maximize"


@needs_bank
@pytest.mark.parametrize("info", BANK, ids=lambda file: file.parents[1].name)
def test_every_enabled_package_of_the_bank_has_an_objective_or_asks_for_one(info: str) -> None:
    skill = load_skill(info)

    if skill.network_arch == "dinov3":
        with pytest.raises(ConfigurationError):
            objective_for(skill)
    else:
        assert objective_for(skill).direction in {"maximize", "minimize"}
