from __future__ import annotations

from pathlib import Path

import pytest

from depth_net.checkpoint import checkpoint_name, find_resume_checkpoint, link
from depth_net.config import ResumeMode, TrainConfig
from depth_net.errors import SpecError


def test_names_are_those_of_the_reference() -> None:
    assert checkpoint_name(0, 3) == "model_epoch_000_step_00003.pth"
    assert checkpoint_name(12, 123456) == "model_epoch_012_step_123456.pth"


def test_a_new_folder_has_nothing_to_resume(tmp_path: Path) -> None:
    assert find_resume_checkpoint(tmp_path, TrainConfig()) is None


def test_the_latest_checkpoint_is_resumed_unless_forbidden(tmp_path: Path) -> None:
    (tmp_path / "model_epoch_000_step_00003.pth").touch()
    link(tmp_path / "dn_model_latest.pth", "model_epoch_000_step_00003.pth")

    found = find_resume_checkpoint(tmp_path, TrainConfig())

    assert found == (tmp_path / "model_epoch_000_step_00003.pth").resolve()
    assert find_resume_checkpoint(tmp_path, TrainConfig(resume=ResumeMode.NEVER)) is None


def test_a_link_that_leads_nowhere_is_not_resumed(tmp_path: Path) -> None:
    link(tmp_path / "dn_model_latest.pth", "gone.pth")

    assert find_resume_checkpoint(tmp_path, TrainConfig()) is None


def test_a_named_checkpoint_wins_even_where_resuming_is_forbidden(tmp_path: Path) -> None:
    named = tmp_path / "mine.tlt"
    named.touch()
    train = TrainConfig(resume=ResumeMode.NEVER, resume_training_checkpoint_path=str(named))

    assert find_resume_checkpoint(tmp_path, train) == named


@pytest.mark.parametrize("name", ["none.pth", "mine.ckpt"])
def test_a_named_checkpoint_that_cannot_be_one_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "mine.ckpt").touch()

    with pytest.raises(SpecError, match="resume_training_checkpoint_path"):
        find_resume_checkpoint(tmp_path, TrainConfig(resume_training_checkpoint_path=str(tmp_path / name)))


def test_a_link_is_relative_and_replaced_at_once(tmp_path: Path) -> None:
    link(tmp_path / "latest", "a")
    link(tmp_path / "latest", "b")

    assert (tmp_path / "latest").readlink() == Path("b")
    assert [path.name for path in tmp_path.iterdir()] == ["latest"]
