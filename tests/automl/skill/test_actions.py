"""What is read of each action, and what a broken action does to its skill."""

from __future__ import annotations

from typing import Any

import pytest

from automl.skill.actions import read_actions
from automl.skill.fields import Fields, Findings

GOOD = {"command": "run {config_path}"}


def read(info: dict[str, Any]) -> tuple[dict[str, Any], Findings]:
    findings = Findings("skill_info.yaml")
    return read_actions(Fields(info, "", findings)), findings


def test_a_broken_export_does_not_stop_training() -> None:
    actions, findings = read({"actions": {"train": GOOD, "export": {"command": "export"}}})

    assert list(actions) == ["train"]
    assert not findings.problems
    assert "export" in findings.warnings[0].where


def test_a_broken_training_does() -> None:
    _, findings = read({"actions": {"train": {"command": "train"}, "export": GOOD}})

    assert "train" in findings.problems[0].where


def test_a_skill_of_which_nothing_works_is_a_problem() -> None:
    _, findings = read({"actions": {"export": {"command": "a"}, "evaluate": {"command": "b"}}})

    assert findings.problems[0].found == "no usable action"


@pytest.mark.parametrize("block", ["text", 3, None, [1]])
def test_an_action_that_is_no_mapping_is_a_problem(block: object) -> None:
    _, findings = read({"actions": {"train": block}})

    assert findings.problems


@pytest.mark.parametrize("file", ["/etc/passwd", "../../secret.json", "~/x.json", "a\\b"])
def test_a_metric_file_outside_the_results_is_left_aside(file: str) -> None:
    actions, findings = read({"actions": {"train": {**GOOD, "metric_file": file}}})

    assert actions["train"].metric_file is None
    assert "metric_file" in findings.warnings[0].where


def test_a_direction_that_is_none_is_left_aside() -> None:
    actions, findings = read({"actions": {"train": {**GOOD, "metric": "x", "metric_direction": "upwards"}}})

    assert actions["train"].metric_direction is None
    assert findings.warnings


@pytest.mark.parametrize("image", ["nvcr.io/x/y:1", "ubuntu", "ubuntu:22.04", "registry.example/x"])
def test_an_image_is_taken_as_it_is(image: str) -> None:
    assert read({"actions": {"train": {**GOOD, "container_image": image}}})[0]["train"].image == image


def test_the_key_of_a_versions_file_is_no_image() -> None:
    actions, findings = read({"actions": {"train": {**GOOD, "container_image": "tao_toolkit.pyt"}}})

    assert actions["train"].image is None
    assert "image itself" in findings.warnings[0].fix


def test_rules_with_impossible_paths_are_left_aside() -> None:
    actions, findings = read({"actions": {"train": GOOD}, "spec_params": {"train": {"a..b": "key", "a.b": "key"}}})

    assert dict(actions["train"].spec_params) == {"a.b": "key"}
    assert findings.warnings
