from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from automl.executor.clones import start_of, start_of_clone
from automl.storage.paths import StudyPaths
from automl.study.causes import Origin, OriginKind
from automl.study.state import Phase, StudyState, TrialRecord
from automl.study.trial import Measurement, Proposal
from automl.trial.attempts import Start
from tests.automl.executor.toy_study import LISTED, toy_plan

if TYPE_CHECKING:
    from pathlib import Path


PARENT = TrialRecord(Proposal(number=2, assignment={}, origin=LISTED), starts=[{"attempt": 1}])


def train(root: Path, number: int, *epochs: int, unsaved: tuple[int, ...] = ()) -> Path:
    folder = root / "trials" / f"{number:04d}"
    folder.mkdir(parents=True)
    for epoch in (*epochs, *unsaved):
        if epoch in epochs:
            (folder / f"model_epoch_{epoch:03d}.pth").write_text(f"weights {epoch}", encoding="utf-8")
        with (folder / "status.json").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"epoch": epoch, "kpi": {"val/d1": 0.1}}) + "\n")
    return folder


def test_a_clone_keeps_its_parents_checkpoint_though_the_parent_deletes_it(tmp_path: Path) -> None:
    folder = train(tmp_path, 2, 0, 1, 2)

    start = start_of_clone(toy_plan(tmp_path / "skill", trials=1), StudyPaths(tmp_path), 5, PARENT, epoch=1)
    (folder / "model_epoch_001.pth").unlink()

    assert start.checkpoint is not None
    assert start.checkpoint.read_text(encoding="utf-8") == "weights 1"
    assert (start.first_epoch, start.parent, start.earlier) == (2, 2, ())


def test_a_start_that_a_crash_cut_off_is_made_again(tmp_path: Path) -> None:
    folder = train(tmp_path, 2, 0)
    plan = toy_plan(tmp_path / "skill", trials=1)
    start_of_clone(plan, StudyPaths(tmp_path), 5, PARENT, epoch=1)
    (folder / "model_epoch_000.pth").unlink()
    (folder / "model_epoch_000.pth").write_text("weights again", encoding="utf-8")

    start = start_of_clone(plan, StudyPaths(tmp_path), 5, PARENT, epoch=1)

    assert start.checkpoint is not None
    assert start.checkpoint.read_text(encoding="utf-8") == "weights again"


def test_a_clone_of_a_trial_without_a_checkpoint_starts_from_nothing(tmp_path: Path) -> None:
    train(tmp_path, 2)

    start = start_of_clone(toy_plan(tmp_path / "skill", trials=1), StudyPaths(tmp_path), 5, PARENT, epoch=1)

    assert start == Start(parent=2, remark="trial 2 has no checkpoint to begin with")


@pytest.mark.parametrize(
    ("saved", "unsaved", "epoch", "phase", "first_epoch"),
    [
        ((), (0,), 0, Phase.RUNNING, None),
        ((0,), (), 0, Phase.RUNNING, 1),
        ((0,), (1,), 1, Phase.RUNNING, None),
        ((0, 1), (), 1, Phase.RUNNING, 2),
        ((0,), (1, 2), 1, Phase.RUNNING, 1),  # it is further, and has saved none after epoch 1
        ((0,), (1, 2), 2, Phase.RUNNING, 1),  # it does not save each epoch
        ((), (0, 1), 0, Phase.RUNNING, 0),
        ((), (0,), 0, Phase.ENDED, 0),
    ],
)
def test_a_clone_waits_while_its_parent_saves_the_checkpoint_meant(  # a row of the table
    saved: tuple[int, ...],
    unsaved: tuple[int, ...],
    epoch: int,
    phase: Phase,
    first_epoch: int | None,
    tmp_path: Path,
) -> None:
    train(tmp_path, 0, *saved, unsaved=unsaved)
    measured = [Measurement(epoch=reported) for reported in (*saved, *unsaved)]
    parent = TrialRecord(
        Proposal(number=0, assignment={}, origin=LISTED), phase=phase, starts=[{"attempt": 1}], measured=measured
    )
    clone = TrialRecord(Proposal(number=1, assignment={}, origin=Origin(OriginKind.CLONE, parent=0, epoch=epoch)))
    plan = replace(toy_plan(tmp_path / "skill", trials=2), max_epochs=4)

    start = start_of(plan, StudyPaths(tmp_path), StudyState(trials=[parent, clone]), clone)

    assert (None if start is None else start.first_epoch) == first_epoch
