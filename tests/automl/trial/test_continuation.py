"""Continuing: from the last whole checkpoint, with what was measured before it and nothing after it."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

from automl.architectures.load import load_architecture
from automl.study.objectives import Direction, Objective
from automl.trial.attempts import Start, earlier_measurements, find_continuation
from automl.trial.watch import TrialWatch

if TYPE_CHECKING:
    from pathlib import Path

WATCH = TrialWatch(
    objective=Objective(metric="val/d1", direction=Direction.MAXIMIZE),
    naming=load_architecture("depth_net_mono").checkpoints,
)


def attempt(folder: Path, *epochs: int, torn: int | None = None) -> Path:
    folder.mkdir(parents=True)
    for epoch in epochs:
        file = folder / f"model_epoch_{epoch:03d}_step_{epoch:05d}.pth"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("weights", "w" * 100)
        if epoch == torn:
            file.write_bytes(file.read_bytes()[:-20])
        with (folder / "status.json").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"epoch": epoch, "kpi": {"val/d1": epoch / 10}}) + "\n")
    return folder


def test_a_trial_goes_on_after_its_last_whole_checkpoint(tmp_path: Path) -> None:
    first = attempt(tmp_path / "0000", 0, 1, 2, torn=2)

    found = find_continuation([first], WATCH)

    assert found is not None
    assert found.first_epoch == 2
    assert found.checkpoint.name == "model_epoch_001_step_00001.pth"


def test_the_attempt_that_came_furthest_is_continued(tmp_path: Path) -> None:
    first, second = attempt(tmp_path / "0000", 0, 1, 2), attempt(tmp_path / "0000.2", 0, 1)

    found = find_continuation([first, second], WATCH)

    assert found is not None
    assert found.checkpoint.is_relative_to(first)


def test_of_two_equal_checkpoints_the_newer_attempts_is_continued(tmp_path: Path) -> None:
    first, second = attempt(tmp_path / "0000", 0, 1), attempt(tmp_path / "0000.2", 1)

    found = find_continuation([first, second], WATCH)

    assert found is not None
    assert found.checkpoint.is_relative_to(second)


def test_without_a_checkpoint_there_is_nothing_to_continue(tmp_path: Path) -> None:
    assert find_continuation([attempt(tmp_path / "0000", 0, torn=0), tmp_path / "missing"], WATCH) is None


def test_epochs_after_the_checkpoint_do_not_count(tmp_path: Path) -> None:
    first = attempt(tmp_path / "0000", 0, 1, 2)

    assert [m.epoch for m in earlier_measurements(Start(earlier=(first,), first_epoch=2), WATCH)] == [0, 1]


def logged(folder: Path, first: int) -> Path:
    folder.mkdir()
    lines = [f"Epoch {epoch + first}/9 val/d1={epoch / 10}" for epoch in range(3)]
    (folder / "train.log").write_text("\n".join(lines), encoding="utf-8")
    (folder / "model_epoch_001_step_00001.pth").write_bytes(b"weights")
    return folder


def test_a_log_counts_only_where_the_number_of_the_first_epoch_is_known(tmp_path: Path) -> None:
    first = logged(tmp_path / "0000", 1)
    known = replace(WATCH, first_epoch=1)

    found = find_continuation([first], known)

    assert find_continuation([first], WATCH) is None
    assert found is not None
    assert found.first_epoch == 2
    earlier = list(earlier_measurements(Start(earlier=(first,), first_epoch=2), known))
    assert [(m.epoch, m.values["val/d1"]) for m in earlier] == [(0, 0.0), (1, 0.1)]
