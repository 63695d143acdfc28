"""Data by split, by the language of ``data_sources`` and by the names of inputs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.skill.load import load_skill
from automl.skill.model import FileSlot, Skill, SkillAction, SlotKind
from automl.spec.data import map_data
from automl.spec.model import Spec
from tests.automl.skill.packages import EVERY_FEATURE

if TYPE_CHECKING:
    from pathlib import Path

    from automl.skill.model import JsonValue

EMPTY = Spec(values={"dataset": {"extra": ""}})


def mapped(data: dict[str, str], *slots: FileSlot) -> dict[str, JsonValue]:
    skill = load_skill(EVERY_FEATURE)
    action = replace(skill.actions["train"], data_sources={}, inputs=slots) if slots else skill.actions["train"]
    return map_data(skill, action, EMPTY, data)


def test_rules_of_the_skill_map_a_root_to_its_keys(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()

    values = mapped({"train": str(tmp_path)})

    assert values == {
        "dataset.train_sources": [
            {"image_dir": str(tmp_path / "images"), "json_file": str(tmp_path / "annotations.json")}
        ],
        "dataset.media": str(tmp_path / "images"),
    }


def test_an_optional_key_is_filled_only_if_its_file_is_there(tmp_path: Path) -> None:
    (tmp_path / "extra.json").write_text("{}", encoding="utf-8")

    assert mapped({"train": str(tmp_path)})["dataset.extra"] == str(tmp_path / "extra.json")


def test_a_root_that_is_a_file_is_the_annotation_itself(tmp_path: Path) -> None:
    (tmp_path / "my.json").write_text("{}", encoding="utf-8")

    assert mapped({"val": str(tmp_path / "my.json")}) == {"dataset.val_sources": str(tmp_path / "my.json")}


@pytest.mark.parametrize("name", ["val", "eval", "validation", "eval_dataset"])
def test_a_split_has_several_names(tmp_path: Path, name: str) -> None:
    assert list(mapped({name: str(tmp_path)})) == ["dataset.val_sources"]


def test_a_key_given_in_full_is_kept_verbatim() -> None:
    assert mapped({"dataset.media": "/data/x:y"}) == {"dataset.media": "/data/x:y"}


def test_without_rules_the_inputs_that_name_the_split_are_filled(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("", encoding="utf-8")
    (tmp_path / "images").mkdir()
    slots = (
        FileSlot(key="dataset.train_dataset.data_sources[0].data_file", kind=SlotKind.FILE),
        FileSlot(key="dataset.val_dataset.data_sources[0].data_file", kind=SlotKind.FILE),
        FileSlot(key="dataset.train_dataset.images_dir", kind=SlotKind.FILE),
        FileSlot(key="train.pretrained_model_path", kind=SlotKind.FILE, is_optional=True),
    )

    assert mapped({"train": str(tmp_path)}, *slots) == {
        "dataset.train_dataset.data_sources[0].data_file": str(tmp_path / "list.txt"),
        "dataset.train_dataset.images_dir": str(tmp_path / "images"),
    }
    assert mapped({"val": "/somewhere/val.txt"}, *slots) == {
        "dataset.val_dataset.data_sources[0].data_file": "/somewhere/val.txt"
    }


FOLDERS: dict[str, JsonValue] = {
    "dataset.train_file": {"source": "train_dataset", "path": ""},
    "dataset.train_part": {"source": "train_dataset", "shared": "train"},
    "dataset.val_file": {"source": "eval_dataset", "path": ""},
    "dataset.val_part": {"source": "eval_dataset", "shared": "val"},
    "dataset.test_file": {"source": "inference_dataset", "path": ""},
    "dataset.test_part": {"source": "inference_dataset", "value": ""},
}


def test_one_folder_is_divided_where_no_validation_data_are_given(tmp_path: Path) -> None:
    skill, folder = load_skill(EVERY_FEATURE), str(tmp_path)
    action = replace(skill.actions["train"], data_sources=FOLDERS, inputs=())
    other, file = str(tmp_path / "other"), str(tmp_path / "list.txt")

    assert map_data(skill, action, EMPTY, {"train": folder}) == {
        "dataset.train_file": folder,
        "dataset.train_part": "train",
        "dataset.val_file": folder,
        "dataset.val_part": "val",
    }
    both = {"dataset.train_file": folder, "dataset.val_file": other}
    assert map_data(skill, action, EMPTY, {"train": folder, "val": other}) == both
    assert map_data(skill, action, EMPTY, {"train": folder, "dataset.val_file": other}) == both
    assert map_data(skill, action, EMPTY, {"train": file}) == {"dataset.train_file": file}
    assert map_data(skill, action, EMPTY, {"test": folder}) == {"dataset.test_file": folder, "dataset.test_part": ""}


def test_an_unnamed_data_set_is_the_training_set() -> None:
    slots = (
        FileSlot(key="dataset.csv", kind=SlotKind.FILE),
        FileSlot(key="dataset.val_csv", kind=SlotKind.FILE, is_optional=True),
    )

    assert mapped({"train": "/a.csv", "val": "/b.csv"}, *slots) == {
        "dataset.csv": "/a.csv",
        "dataset.val_csv": "/b.csv",
    }


def test_a_split_without_a_place_is_an_error_that_lists_the_inputs() -> None:
    with pytest.raises(ConfigurationError, match=r"dataset\.media") as caught:
        mapped({"infer": "/x", "nonsense": "/y"})

    assert len(caught.value.problems) == 2


def test_the_calibration_set_is_not_the_training_set() -> None:
    slot = FileSlot(key="dataset.quant_calibration_dataset.images_dir", kind=SlotKind.FOLDER)

    assert mapped({"calibration": "/c"}, slot) == {"dataset.quant_calibration_dataset.images_dir": "/c"}


def test_a_skill_object_is_not_changed() -> None:
    skill: Skill = load_skill(EVERY_FEATURE)
    action: SkillAction = skill.actions["train"]

    map_data(skill, action, EMPTY, {"dataset.media": "/x"})

    assert EMPTY.values == {"dataset": {"extra": ""}}
