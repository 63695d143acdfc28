"""The best checkpoint is the best epoch's file of the best trial, verified, kept and described."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml

from automl.errors import ConfigurationError, StudyFailedError
from automl.handoff.best import read_best, require_best_spec, select_best
from automl.handoff.hand_over import model_version
from automl.handoff.integrity import require_sound
from automl.request.study_request import StudyRequest
from automl.resolve import resolve_inputs
from automl.storage.deletion import links_out_of
from automl.storage.documents import write_document
from automl.storage.event_log import EventLog
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_state
from automl.study.evaluation import ActionStatus, Evaluation
from tests.automl.handoff.depth_study import write_depth_study
from tests.automl.storage.recorded import write_result
from tests.automl.tracking.synthetic import RESULTS
from tests.automl.tracking.written_study import write_study

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = hashlib.sha256(b"weights of trial 4").hexdigest()


def test_the_best_trials_checkpoint_is_kept_under_a_second_name(tmp_path: Path) -> None:
    root = write_study(tmp_path / "demo").root

    best = select_best(root)

    assert (best.trial, best.epoch, best.value) == (4, 1, 0.7)
    assert best.checkpoint == "best/model_epoch_001.pth"
    assert best.sha256 == DIGEST
    assert (root / best.checkpoint).samefile(root / best.source)


def test_the_description_has_what_the_winner_reached_with_other_seeds(tmp_path: Path) -> None:
    winner = next(trial for trial in RESULTS if trial.number == 4)
    again = [
        replace(winner, number=len(RESULTS) + i, values={"val/d1": value}, replicate_of=4, seed=8 + i)
        for i, value in enumerate((0.6, 0.7))
    ]
    root = write_study(tmp_path / "demo", (*RESULTS, *again)).root

    found = select_best(root).replicates

    assert select_best(write_study(tmp_path / "once").root).replicates is None
    assert found is not None
    assert (found.values, round(found.mean, 6)) == ((0.6, 0.7), 0.65)
    assert found.spread == pytest.approx(0.0707, abs=1e-4)
    assert read_best(root).replicates == found


def test_pruning_the_trial_does_not_lose_the_champion(tmp_path: Path) -> None:
    root = write_study(tmp_path / "demo").root
    best = select_best(root)

    (root / best.source).unlink()

    assert select_best(root) == best
    assert read_best(root) == best


def test_the_best_spec_is_the_merged_spec_with_the_winners_values(tmp_path: Path) -> None:
    root = write_study(tmp_path / "demo").root

    select_best(root)

    spec = yaml.safe_load((root / "best_spec.yaml").read_text(encoding="utf-8"))
    assert spec == {"train": {"num_epochs": 3, "optim": {"lr": 0.005}}, "model": {"sizes": [8, 32]}}


def test_the_description_names_metric_direction_epoch_and_hash(tmp_path: Path) -> None:
    root = write_study(tmp_path / "demo").root

    select_best(root)

    described = json.loads((root / "best.json").read_text(encoding="utf-8"))
    assert described["metric_name"] == "val/d1"
    assert described["direction"] == "maximize"
    assert (described["value"], described["epoch"], described["sha256"]) == (0.7, 1, DIGEST)


def test_a_new_champion_replaces_the_old_one(tmp_path: Path) -> None:
    directory = write_study(tmp_path / "demo")
    select_best(directory.root)
    better = replace(RESULTS[0], values={"val/d1": 0.9})
    write_result(directory, better)

    best = select_best(directory.root)

    assert best.trial == 0
    assert [file.name for file in (directory.root / "best").iterdir()] == ["model_epoch_002.pth"]


def test_what_a_person_has_put_beside_the_best_checkpoint_stays(tmp_path: Path) -> None:
    directory = write_study(tmp_path / "demo")
    select_best(directory.root)
    (directory.best / "notes.txt").touch()
    write_result(directory, replace(RESULTS[0], values={"val/d1": 0.9}))

    select_best(directory.root)

    assert sorted(file.name for file in directory.best.iterdir()) == ["model_epoch_002.pth", "notes.txt"]


def test_a_folder_of_the_best_checkpoint_that_became_a_link_is_not_written(tmp_path: Path) -> None:
    directory = write_study(tmp_path / "demo")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "model_epoch_001.pth").write_text("by hand", encoding="utf-8")
    directory.best.symlink_to(elsewhere)

    with pytest.raises(StudyFailedError, match="cannot be kept"):
        select_best(directory.root)

    assert (elsewhere / "model_epoch_001.pth").read_text(encoding="utf-8") == "by hand"


@pytest.mark.parametrize("has_other", [False, True])
def test_a_link_that_stood_there_when_the_study_began_takes_the_best_checkpoint(
    tmp_path: Path, *, has_other: bool
) -> None:
    directory = write_study(tmp_path / "demo")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    directory.best.symlink_to(elsewhere)
    started = read_state(directory).started
    assert started is not None
    EventLog(directory.events_file).append(replace(started, links=links_out_of(directory.root)))
    (elsewhere / ("model_epoch_001.pth" if has_other else "other")).write_text("by hand", encoding="utf-8")

    if has_other:
        with pytest.raises(StudyFailedError, match="cannot be kept"):
            select_best(directory.root)
    else:
        select_best(directory.root)
        write_result(directory, replace(RESULTS[0], values={"val/d1": 0.9}))
        select_best(directory.root)

    expected = ["model_epoch_001.pth"] if has_other else ["model_epoch_002.pth", "other"]
    assert sorted(file.name for file in elsewhere.iterdir()) == expected


def test_a_folder_of_the_best_checkpoint_that_became_that_of_another_study_is_not_written(tmp_path: Path) -> None:
    directory, other = write_study(tmp_path / "demo"), write_study(tmp_path / "other")
    write_result(other, replace(RESULTS[0], values={"val/d1": 0.9}))
    for study in (directory, other):
        select_best(study.root)
    (other.best / "model_epoch_001.pth").write_text("of the other study", encoding="utf-8")
    before = {file.name: file.read_bytes() for file in other.best.iterdir()}
    (directory.best / "model_epoch_001.pth").unlink()
    directory.best.rmdir()
    directory.best.symlink_to(other.best)

    with pytest.raises(ConfigurationError, match="a link into another study"):
        select_best(directory.root)

    assert {file.name: file.read_bytes() for file in other.best.iterdir()} == before


def test_a_folder_can_be_a_champion(tmp_path: Path) -> None:
    directory = write_study(tmp_path / "demo")
    folder = directory.root / "trials/0004.2/epoch_1"
    folder.mkdir()
    (folder / "weights.safetensors").write_bytes(b"abc")
    write_result(directory, replace(RESULTS[4], checkpoint="trials/0004.2/epoch_1"))

    best = select_best(directory.root)

    assert (directory.root / best.checkpoint / "weights.safetensors").read_bytes() == b"abc"
    assert read_best(directory.root) == best


def test_a_checkpoint_that_changed_since_its_trial_ended_is_not_handed_over(tmp_path: Path) -> None:
    directory = write_study(tmp_path / "demo")
    write_result(directory, replace(RESULTS[4], sha256="0" * 64))

    with pytest.raises(StudyFailedError) as caught:
        select_best(directory.root)

    assert caught.value.problems[0].found == f"SHA-256 {DIGEST}"
    assert not (directory.root / "best.json").exists()


def test_a_best_checkpoint_that_cannot_be_read_is_said_to_be_there(tmp_path: Path) -> None:
    directory = write_study(tmp_path / "demo")
    (result,) = (result for result in RESULTS if result.number == 4)
    file = directory.root / str(result.checkpoint)
    os.truncate(file, 10 << 40)

    with pytest.raises(StudyFailedError) as caught:
        select_best(directory.root)

    (problem,) = caught.value.problems
    assert f"{file.name} was not read: it is nearly empty" in problem.found


def test_a_best_trial_without_a_checkpoint_leaves_its_values_and_its_command(tmp_path: Path) -> None:
    directory = write_study(tmp_path / "demo")
    write_result(directory, replace(RESULTS[4], checkpoint=None))

    best = select_best(directory.root)

    assert (best.trial, best.checkpoint) == (4, "")
    assert read_best(directory.root) == best
    assert directory.best_spec.is_file()
    assert not directory.best.exists()


def test_values_that_the_user_set_are_part_of_the_command(tmp_path: Path) -> None:
    asked = {"dataset": {"max_depth": {"$spelled": "5.0"}}, "num_epochs": {"$spelled": "2"}}
    directory = write_depth_study(tmp_path / "demo", request={"overrides": asked})

    best = select_best(directory.root)

    assert best.command.startswith("depth_net train -e ")


def test_a_study_without_a_value_has_no_champion(tmp_path: Path) -> None:
    root = write_study(tmp_path / "demo", RESULTS[2:4]).root

    with pytest.raises(StudyFailedError, match="no best checkpoint"):
        select_best(root)


def test_a_kept_file_that_was_changed_is_noticed(tmp_path: Path) -> None:
    root = write_study(tmp_path / "demo").root
    best = select_best(root)
    kept = root / best.checkpoint
    kept.unlink()
    kept.write_bytes(b"something else")

    with pytest.raises(ConfigurationError) as caught:
        read_best(root)

    assert caught.value.problems[0].expected == f"SHA-256 {DIGEST}"


def test_a_study_that_has_not_ended_has_no_champion_to_read(tmp_path: Path) -> None:
    root = write_study(tmp_path / "demo").root

    with pytest.raises(ConfigurationError, match=r"best\.json"):
        read_best(root)


def test_the_registered_version_names_where_it_comes_from(tmp_path: Path) -> None:
    root = write_study(tmp_path / "demo").root
    best = select_best(root)

    evaluations = {
        "champion": Evaluation(status=ActionStatus.MEASURED, value=0.69),
        "baseline": Evaluation(status=ActionStatus.MEASURED, value=None),
    }
    write_document(StudyPaths(root).evaluations_file, evaluations, dict[str, Evaluation])

    request = model_version(best, StudyPaths(root))

    assert request["name"] == "demo"
    assert request["files"]["checkpoint.pth"] == best.checkpoint
    assert request["tags"]["automl.sha256"] == DIGEST
    assert request["tags"]["automl.parameter.train.optim.lr"] == "0.005"
    assert request["later_tags"] == {"automl.evaluated.champion": "0.69", "automl.study": "demo"}


@pytest.mark.parametrize(
    ("model_type", "kind", "unit"),
    [
        ("MetricDepthAnything", "metric depth", "metres"),
        ("RelativeDepthAnything", "relative disparity", "none: up to scale and shift"),
        ("Other", None, None),
    ],
)
def test_the_registered_model_says_what_it_answers_and_in_which_unit(
    tmp_path: Path, model_type: str, kind: str | None, unit: str | None
) -> None:
    root = write_study(tmp_path / "demo").root
    document = json.loads(StudyPaths(root).plan_file.read_text(encoding="utf-8"))
    document["spec"]["model"]["model_type"] = model_type
    write_document(StudyPaths(root).plan_file, document)

    request = model_version(select_best(root), StudyPaths(root))

    assert (request["metadata"].get("kind"), request["metadata"].get("unit")) == (kind, unit)
    assert request["tags"].get("automl.output.unit") == unit


def test_a_best_spec_that_was_changed_is_refused_by_its_name_where_it_is_used(tmp_path: Path) -> None:
    paths = write_study(tmp_path / "demo")
    select_best(paths.root)
    require_best_spec(paths)
    paths.best_spec.write_bytes(paths.best_spec.read_bytes().replace(b"0.005", b"0.004"))

    for use in (
        lambda: require_sound(paths),
        lambda: resolve_inputs(StudyRequest(skill="toy", name="again", spec=str(paths.best_spec))),
    ):
        with pytest.raises(ConfigurationError, match="as the hand-over wrote it") as caught:
            use()
        assert [problem.where for problem in caught.value.problems] == [str(paths.best_spec)]


def test_a_best_spec_of_an_earlier_version_has_no_check(tmp_path: Path) -> None:
    paths = write_study(tmp_path / "demo")
    write_document(paths.best_file, replace(select_best(paths.root), spec_sha256=""))
    paths.best_spec.unlink()

    require_best_spec(paths)


def test_the_registration_names_the_hashes_of_checkpoint_and_spec(tmp_path: Path) -> None:
    paths = write_study(tmp_path / "demo")

    best = select_best(paths.root)

    assert model_version(best, paths)["sha256"] == {
        best.checkpoint: DIGEST,
        paths.best_spec.name: hashlib.sha256(paths.best_spec.read_bytes()).hexdigest(),
    }
