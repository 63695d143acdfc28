"""Only what is not needed may be deleted: never a best checkpoint, or anything of a running study."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.handoff.best import select_best
from automl.handoff.cleaning import MOVED_ELSEWHERE, discard, empty_trash, take_inventory
from automl.storage.documents import write_document
from automl.storage.overview import list_studies
from automl.storage.owner import OwnerLock
from automl.storage.paths import TRASH, StudyPaths
from automl.storage.plan_document import read_plan
from automl.storage.study_directory import read_results
from automl.study.result import StudyResult
from automl.study.trial import TrialState
from tests.automl.handoff.depth_study import CHECKPOINTS, write_depth_study
from tests.automl.storage.recorded import write_result
from tests.automl.tracking.file_tracker import FileTracker
from tests.automl.tracking.synthetic import OBJECTIVE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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


def write_unstarted(root: Path) -> StudyPaths:
    """Write a study in which no trial was started."""
    study = write_depth_study(root)
    study.events_file.unlink()
    shutil.rmtree(study.trials)
    (root / "val.txt").unlink()
    return study


def end(root: Path) -> None:
    tracker = FileTracker(StudyPaths(root))
    tracker.study_ended(StudyResult(objective=OBJECTIVE, trials=read_results(StudyPaths(root))))
    tracker.close()


def listed(results: Path) -> dict[str, int]:
    return {str(item.path.relative_to(results)): item.size for item in take_inventory(results).deletable}


def discard_all(results: Path, forced: tuple[str, ...] = ()) -> list[str]:
    return [discard(item, "now") for item in take_inventory(results, forced).deletable]


def test_checkpoints_that_lost_may_go_and_the_best_stays(tmp_path: Path) -> None:
    write_ended(tmp_path / "demo")

    assert listed(tmp_path) == {
        f"demo/trials/0000/train/{CHECKPOINTS[0]}": len(CHECKPOINTS[0]),
        f"demo/trials/0001/train/{CHECKPOINTS[0]}": 1000,
    }


def test_what_is_deleted_takes_its_link_with_it_and_nothing_else(tmp_path: Path) -> None:
    root = write_ended(tmp_path / "demo")
    before = {file for file in root.rglob("*") if not file.is_dir()}

    assert discard_all(tmp_path) == ["", ""]

    gone = {str(file.relative_to(root)) for file in before if not (file.exists() or file.is_symlink())}
    assert gone == {
        f"trials/0000/train/{CHECKPOINTS[0]}",
        f"trials/0001/train/{CHECKPOINTS[0]}",
        "trials/0001/train/depth_net_model_latest.pth",
    }
    assert listed(tmp_path) == {}


def test_a_running_study_is_left_alone_even_if_it_starts_in_between(tmp_path: Path) -> None:
    write_ended(tmp_path / "demo")
    found = take_inventory(tmp_path).deletable

    with OwnerLock(StudyPaths(tmp_path / "demo")):
        assert take_inventory(tmp_path).left_alone == {"demo": "it is running"}
        assert [discard(item, "now") for item in found] == [f"process {os.getpid()} is running this study"] * 2


def test_what_another_process_has_moved_meanwhile_is_no_failure(tmp_path: Path) -> None:
    root = write_ended(tmp_path / "demo")
    items = take_inventory(tmp_path).deletable
    first = [discard(item, "1") for item in items]
    second = [discard(item, "2") for item in items]
    with OwnerLock(StudyPaths(root)):
        third = discard(items[0], "3")

    assert first == ["", ""]
    assert [*second, third] == [MOVED_ELSEWHERE] * 3


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
    left = [root / name for name in ("actions/export-1/model.partial", "trials/0000/.model_epoch_001.pth.part")]
    # Of the user, and one that may be written now.
    kept = [root / name for name in ("notes/thesis.partial/1.tex", ".git/refs/.topic.new", "actions/export-1/.x.part")]
    for file in (*left, *kept):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"half")
    for file in (*left, *kept[:-1]):
        os.utime(file, (0, 0))
    write_unstarted(tmp_path / "empty")

    found = {str(item.path.relative_to(tmp_path)): item.why for item in take_inventory(tmp_path).deletable}

    unfinished = {name for name, why in found.items() if why == "never finished"}
    assert unfinished == {str(file.relative_to(tmp_path)) for file in left}
    assert found["empty"] == "a study in which no trial was started"


def test_a_study_without_a_trial_that_holds_files_of_the_user_is_kept_until_it_is_named(tmp_path: Path) -> None:
    study = write_unstarted(tmp_path / "empty")
    for file in (study.report_file, study.mlflow / "study_id", study.root / ".plan.json.k3x", study.root / TRASH / "x"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert list(listed(tmp_path)) == ["empty"]
    for name in ("precious.txt", "tracking/notes.txt", "results.csv"):
        (study.root / name).touch()

    inventory, forced = take_inventory(tmp_path), take_inventory(tmp_path, ["empty"])

    names = "automl did not write precious.txt, results.csv, tracking/notes.txt"
    assert inventory.deletable == ()
    assert inventory.left_alone == {"empty": f"no trial was started; {names}; --force empty moves it all to the trash"}
    assert [(item.path, item.why) for item in forced.deletable] == [
        (study.root, f"a whole study, forced: no trial was started; {names}")
    ]


def test_a_study_without_a_trial_whose_actions_were_run_is_kept(tmp_path: Path) -> None:
    study = write_unstarted(tmp_path / "empty")
    study.action("evaluate-1").root.mkdir(parents=True)

    inventory = take_inventory(tmp_path)

    assert inventory.deletable == ()
    assert "actions were run: actions/evaluate-1; --force empty" in inventory.left_alone["empty"]


def test_a_study_of_which_a_part_is_missing_names_the_files_of_the_user_too(tmp_path: Path) -> None:
    root = write_ended(tmp_path / "demo")
    shutil.rmtree(root / "trials")

    assert "automl did not write val.txt; --force demo" in take_inventory(tmp_path).left_alone["demo"]


def test_other_folders_of_the_results_are_not_looked_into(tmp_path: Path) -> None:
    (tmp_path / "data/rooms").mkdir(parents=True)
    (tmp_path / "data/rooms/model_epoch_000_step_00003.pth").touch()

    assert listed(tmp_path) == {}


def moved(folder: Path) -> None:
    folder.rename(folder.parent.parent / "moved")


def dangling(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.symlink_to("/storage/that/is/not/mounted")


def unmounted(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.mark.parametrize("hide", [moved, dangling, unmounted])
@pytest.mark.parametrize("name", ["trials", "best"])
@pytest.mark.parametrize("has_log", [True, False])
def test_a_finished_study_of_which_a_part_cannot_be_seen_is_never_deleted(
    tmp_path: Path, hide: Callable[[Path], None], name: str, *, has_log: bool
) -> None:
    root = write_ended(tmp_path / "results/demo")
    hide(root / name)
    if not has_log:
        (root / "events.jsonl").unlink()
    before = sorted(root.rglob("*"))

    inventory = take_inventory(root.parent)

    assert inventory.deletable == ()
    assert "demo" in inventory.left_alone
    assert discard_all(root.parent) == []
    assert sorted(root.rglob("*")) == before
    assert [item.path for item in take_inventory(root.parent, ["demo"]).deletable] == [root]


@pytest.mark.parametrize("place", [None, os.mkfifo, lambda plan: plan.symlink_to("absent")])
def test_a_study_that_lost_its_plan_is_listed_and_deleted_only_by_name(
    tmp_path: Path, place: Callable[[Path], None] | None
) -> None:
    root = write_ended(tmp_path / "results/demo")
    (root / "plan.json").unlink()
    if place is not None:
        place(root / "plan.json")

    (row,) = list_studies(root.parent)
    inventory = take_inventory(root.parent)

    assert (row.name, row.state, row.missing[0].partition(" ")[0]) == ("demo", "unreadable", "plan.json")
    assert inventory.deletable == ()
    assert "a part of it is missing: plan.json" in inventory.left_alone["demo"]
    assert "--force demo" in inventory.left_alone["demo"]
    with OwnerLock(StudyPaths(root)):
        assert take_inventory(root.parent).left_alone == {"demo": "it is running"}
    (whole,) = take_inventory(root.parent, ["demo"]).deletable
    assert (whole.path, discard(whole, "now"), root.exists()) == (root, "", False)


def test_force_names_only_studies_of_which_a_part_is_missing(tmp_path: Path) -> None:
    write_ended(tmp_path / "demo")

    with pytest.raises(ConfigurationError) as caught:
        take_inventory(tmp_path, ["demo", "other"])

    assert [problem.where for problem in caught.value.problems] == ["--force demo", "--force other"]


def test_what_was_moved_to_the_trash_is_there_until_it_is_purged(tmp_path: Path) -> None:
    root = write_ended(tmp_path / "demo")

    discard_all(tmp_path)
    inventory = take_inventory(tmp_path)

    assert inventory.trash_size == len(CHECKPOINTS[0]) + 1000
    assert (root / TRASH / "now/trials/0001/train/depth_net_model_latest.pth").read_bytes() == b"x" * 1000
    assert empty_trash(inventory) == len(CHECKPOINTS[0]) + 1000
    assert not (root / TRASH).exists()
    assert take_inventory(tmp_path).trash_size == 0


def test_a_study_in_the_trash_is_no_study(tmp_path: Path) -> None:
    write_unstarted(tmp_path / "empty")

    assert discard_all(tmp_path) == [""]
    assert take_inventory(tmp_path).left_alone == {}
    assert (tmp_path / TRASH / "now/empty/plan.json").is_file()


@pytest.mark.parametrize("name", [".", "trials", "trials/0001", "trials/0001/train"])
def test_files_behind_a_link_are_not_deleted_unless_the_study_recorded_them(tmp_path: Path, name: str) -> None:
    root = write_ended(tmp_path / "results/demo")
    place = root if name == "." else root / name
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    before = sorted((tmp_path / "elsewhere").rglob("*"))

    discard_all(root.parent)

    assert sorted((tmp_path / "elsewhere").rglob("*")) == before


def test_recorded_files_behind_a_link_may_go_and_others_beside_them_stay(tmp_path: Path) -> None:
    root = write_ended(tmp_path / "results/demo")
    (root / "trials").rename(tmp_path / "elsewhere")
    (root / "trials").symlink_to(tmp_path / "elsewhere")
    train = tmp_path / "elsewhere/0001/train"
    (train / CHECKPOINTS[1]).write_bytes(b"by hand")
    (_, loser) = read_results(StudyPaths(root))
    write_result(StudyPaths(root), dataclasses.replace(loser, files_behind_links=(str(train / CHECKPOINTS[0]),)))
    end(root)

    assert discard_all(root.parent) == [""]

    assert (train / TRASH / "now" / CHECKPOINTS[0]).is_file()
    assert (train / CHECKPOINTS[1]).read_bytes() == b"by hand"
    assert empty_trash(take_inventory(root.parent)) == 1000
    assert sorted(file.name for file in train.iterdir()) == ["depth_net_model_latest.pth", CHECKPOINTS[1]]


@pytest.mark.parametrize("program", ["x", 7, {"folder": 7}, {"folder": "/", "command": []}])
def test_a_plan_whose_program_is_none_is_no_traceback(tmp_path: Path, program: object) -> None:
    root = write_ended(tmp_path / "demo")
    plan = json.loads((root / "plan.json").read_bytes())
    write_document(root / "plan.json", {**plan, "request": {**plan.get("request", {}), "program": program}})

    take_inventory(tmp_path)
    with pytest.raises(ConfigurationError, match=r"request\.program"):
        read_plan(StudyPaths(root)).load_skill()
