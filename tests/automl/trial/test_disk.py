from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from automl.architectures.load import load_architecture
from automl.spec.model import Spec
from automl.trial.disk import LEAST_FREE_BYTES, free_bytes, guessed_bytes, largest_checkpoint, short_of_room
from tests.automl.executor.toy_study import toy_plan

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from automl.study.model import StudyPlan


class Usage(NamedTuple):
    free: int


def with_free(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free))


def plan_with_weights(root: Path, size: int) -> StudyPlan:
    weights = root / "start.pth"
    weights.write_bytes(b"w" * size)
    plan = toy_plan(root / "skill", trials=9, jobs=2)
    return replace(plan, spec=Spec(values={"train": {"pretrained_model_path": str(weights), "other": "a.pth"}}))


def test_before_the_first_checkpoint_its_size_is_guessed_from_the_weights(tmp_path: Path) -> None:
    # The weights and the two moments of Adam; a name that is no file counts for nothing.
    assert guessed_bytes(plan_with_weights(tmp_path, 1000)) == 3000
    assert guessed_bytes(toy_plan(tmp_path / "skill", trials=9)) == 0


def test_no_trial_is_started_when_the_disk_has_no_room_for_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = toy_plan(tmp_path / "skill", trials=9, jobs=2)
    with_free(monkeypatch, 2 * LEAST_FREE_BYTES)
    assert short_of_room(plan, tmp_path, LEAST_FREE_BYTES) is None
    with_free(monkeypatch, 2 * LEAST_FREE_BYTES - 1)

    reason = short_of_room(plan, tmp_path, LEAST_FREE_BYTES)

    assert reason is not None
    assert "make room, then resume" in reason


def test_the_largest_checkpoint_is_found(tmp_path: Path) -> None:
    for epoch, size in enumerate((3, 9, 4)):
        (tmp_path / f"model_epoch_{epoch:03d}.pth").write_bytes(b"w" * size)

    assert largest_checkpoint(tmp_path, load_architecture("toy").checkpoints) == 9
    assert largest_checkpoint(tmp_path / "missing", load_architecture("toy").checkpoints) == 0


def test_a_real_disk_has_room(tmp_path: Path) -> None:
    assert (free_bytes(tmp_path / "not" / "made" / "yet") or 0) > 0
