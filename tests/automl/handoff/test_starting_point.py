"""What a training starts from, as far as it can be evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.handoff.evaluation import starting_checkpoint
from automl.resources import builtin_skill
from automl.skill.load import load_skill
from automl.spec.model import Spec

if TYPE_CHECKING:
    from pathlib import Path

    from automl.skill.model import Skill


@pytest.fixture
def skill() -> Skill:
    folder = builtin_skill("depth_net_mono")
    assert folder is not None
    return load_skill(folder)


def test_a_whole_model_is_a_starting_checkpoint(tmp_path: Path, skill: Skill) -> None:
    file = tmp_path / "start.pth"
    file.touch()

    found = starting_checkpoint(skill, Spec(values={"train": {"pretrained_model_path": str(file)}}))

    assert found == (file, "")


def test_a_backbone_alone_is_none(tmp_path: Path, skill: Skill) -> None:
    file = tmp_path / "backbone.pth"
    file.touch()
    spec = Spec(values={"model": {"mono_backbone": {"pretrained_path": str(file)}}})

    checkpoint, reason = starting_checkpoint(skill, spec)

    assert checkpoint is None
    assert "names no checkpoint" in reason


def test_a_file_that_is_not_there_is_none_and_is_named(skill: Skill) -> None:
    checkpoint, reason = starting_checkpoint(
        skill, Spec(values={"train": {"pretrained_model_path": "/nowhere/start.pth"}})
    )

    assert checkpoint is None
    assert "/nowhere/start.pth" in reason
