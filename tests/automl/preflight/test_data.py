"""Which data a study reads, and how they stand to its batches."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from automl.preflight.data import annotation_files, data_files, data_findings, sample_findings
from automl.preflight.findings import Level
from automl.request.study_request import StudyRequest
from automl.skill.model import FileSlot, SlotKind
from automl.spec.model import Spec
from tests.automl.study.examples import make_plan

if TYPE_CHECKING:
    from pathlib import Path

    from automl.skill.model import JsonValue
    from automl.study.model import StudyPlan


def plan_reading(file: str, *, batch: int = 4, gpus: float = 0.0) -> StudyPlan:
    values: dict[str, JsonValue] = {
        "dataset": {"train_dataset": {"data_sources": [{"data_file": file}], "batch_size": batch}},
        "train": {"num_gpus": 1, "num_epochs": 5, "lr": 0.01},
    }
    plan = make_plan(spec=Spec(values=values))
    return dataclasses.replace(plan, resources=dataclasses.replace(plan.resources, gpus_per_trial=gpus))


def test_splits_go_by_their_names_and_other_files_by_their_keys(tmp_path: Path) -> None:
    request = StudyRequest(skill="toy", name="x").with_settings(data={"val": "/data/val.txt"})
    plan = plan_reading(str(tmp_path / "train.txt"))

    assert data_files(request, plan) == {
        "data val": "/data/val.txt",
        "dataset.train_dataset.data_sources[0].data_file": str(tmp_path / "train.txt"),
    }


def test_data_that_cannot_be_read_fail_and_data_that_will_be_made_do_not(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    data = {"data train": str(folder / "train.txt")}
    plan = plan_reading(data["data train"])

    (now,) = data_findings(plan, data, unreadable={data["data train"]: "No such file or directory"}, pending=None)
    (later,) = data_findings(plan, data, unreadable={}, pending=folder)

    assert (now.level, now.check) == (Level.FAIL, "data train")
    assert (later.level, "made before the first trial" in later.found) == (Level.OK, True)


def test_a_required_input_without_a_value_fails(tmp_path: Path) -> None:
    plan = plan_reading(str(tmp_path / "t.txt"))
    slot = FileSlot(key="dataset.val_dataset.data_sources[0].data_file", kind=SlotKind.FILE)
    action = dataclasses.replace(plan.skill.actions["train"], inputs=(slot,))
    plan = dataclasses.replace(plan, skill=dataclasses.replace(plan.skill, actions={"train": action}))

    (row,) = data_findings(plan, {}, unreadable={}, pending=None)

    assert (row.level, row.check) == (Level.FAIL, slot.key)


@pytest.mark.parametrize(
    ("samples", "gpus", "level"), [(100, 2.0, Level.OK), (7, 2.0, Level.WARN), (7, 1.0, Level.OK), (1, 2.0, Level.FAIL)]
)
def test_samples_are_held_against_batch_times_devices(tmp_path: Path, samples: int, gpus: float, level: Level) -> None:
    file = tmp_path / "train.txt"
    file.write_text("a b\n" * samples, encoding="utf-8")

    (row,) = sample_findings(plan_reading(str(file), gpus=gpus), {"data train": str(file)})

    assert row.level is level
    assert f"{samples} samples, 4 x {gpus:g} device" in row.found


def test_only_files_of_annotations_that_can_be_read_are_sampled(tmp_path: Path) -> None:
    file = tmp_path / "train.txt"
    file.touch()
    closed = tmp_path / "closed.txt"
    closed.touch()
    data = {"a": str(file), "again": str(file), "folder": str(tmp_path), "gone": str(tmp_path / "gone.txt")}

    found = annotation_files({**data, "closed": str(closed)}, unreadable={str(closed): "Permission denied"})

    assert list(found) == [file]
