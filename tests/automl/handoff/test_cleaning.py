"""Only what is not needed may be deleted: never a best checkpoint, or anything of a running study."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from automl.handoff.best import select_best
from automl.handoff.cleaning import delete, take_inventory
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_results
from automl.study.result import StudyResult
from automl.study.trial import TrialState
from tests.automl.handoff.depth_study import CHECKPOINTS, write_depth_study
from tests.automl.storage.recorded import write_result
from tests.automl.tracking.file_tracker import FileTracker
from tests.automl.tracking.synthetic import OBJECTIVE

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def write_ended(root: Path) -> Path:
    """Write an ended study: of trial 0 the second checkpoint is the best, trial 1 lost."""
    directory = write_depth_study(root)
    (winner,) = read_results(directory)
    loser = dataclasses.replace(winner, number=1, directory="trials/0001", values={"val/d1": 0.1}, checkpoint=None)
    write_result(directory, loser)
    (root / "trials/0001/train").mkdir()
    (root / "trials/0001/train" / CHECKPOINTS[0]).write_bytes(b"x" * 1000)
    (root / "trials/0001/train/depth_net_model_latest.pth").symlink_to(CHECKPOINTS[0])
    select_best(root)
    end(root)
    return root


def end(root: Path) -> None:
    tracker = FileTracker(StudyPaths(root))
    tracker.study_ended(StudyResult(objective=OBJECTIVE, trials=read_results(StudyPaths(root))))
    tracker.close()


def listed(results: Path) -> dict[str, int]:
    return {str(item.path.relative_to(results)): item.size for item in take_inventory(results).deletable}


def test_checkpoints_that_lost_may_go_and_the_best_stays(tmp_path: Path) -> None:
    write_ended(tmp_path / "demo")

    assert listed(tmp_path) == {
        f"demo/trials/0000/train/{CHECKPOINTS[0]}": len(CHECKPOINTS[0]),
        f"demo/trials/0001/train/{CHECKPOINTS[0]}": 1000,
    }


def test_what_is_deleted_takes_its_link_with_it_and_nothing_else(tmp_path: Path) -> None:
    root = write_ended(tmp_path / "demo")
    before = {file for file in root.rglob("*") if not file.is_dir()}

    assert all(delete(item) for item in take_inventory(tmp_path).deletable)

    gone = {str(file.relative_to(root)) for file in before if not (file.exists() or file.is_symlink())}
    assert gone == {
        f"trials/0000/train/{CHECKPOINTS[0]}",
        f"trials/0001/train/{CHECKPOINTS[0]}",
        "trials/0001/train/depth_net_model_latest.pth",
    }
    assert listed(tmp_path) == {}


def test_a_running_study_is_left_alone_even_if_it_starts_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_ended(tmp_path / "demo")
    found = take_inventory(tmp_path).deletable
    for module in ("final_status", "owner"):
        monkeypatch.setattr(f"automl.storage.{module}.running_process", lambda _: 5)
    monkeypatch.setattr("automl.handoff.cleaning.running_process", lambda _: 5)

    assert take_inventory(tmp_path).left_alone == {"demo": "it is running"}
    assert not any(delete(item) for item in found)


def test_a_study_that_can_be_resumed_is_left_alone(tmp_path: Path) -> None:
    directory = write_depth_study(tmp_path / "demo")
    (only,) = read_results(directory)
    write_result(directory, dataclasses.replace(only, state=TrialState.INTERRUPTED))

    inventory = take_inventory(tmp_path)

    assert inventory.deletable == ()
    assert inventory.left_alone == {"demo": "a resume can continue it"}


def test_unfinished_files_and_studies_without_a_trial_may_go(tmp_path: Path) -> None:
    root = write_ended(tmp_path / "demo")
    (root / "actions/export-1").mkdir(parents=True)
    (root / "actions/export-1/model.partial").write_bytes(b"half")
    empty = write_depth_study(tmp_path / "empty")
    for file in (empty.events_file, *empty.result_files()):
        file.unlink()

    found = {str(item.path.relative_to(tmp_path)): item.why for item in take_inventory(tmp_path).deletable}

    assert found["demo/actions/export-1/model.partial"] == "never finished"
    assert found["empty"] == "a study in which no trial was started"


def test_other_folders_of_the_results_are_not_looked_into(tmp_path: Path) -> None:
    (tmp_path / "data/rooms").mkdir(parents=True)
    (tmp_path / "data/rooms/model_epoch_000_step_00003.pth").touch()

    assert listed(tmp_path) == {}
