"""Map data that a user names by split onto the keys of a spec.

A skill may describe its keys in the ``data_sources`` language: from which source a key comes and which file of it.
Where it does not, the inputs are filled whose names contain the split. A key given by its full path is taken as it
is. A rule with ``value`` sets its key to that value where its source is given; one with ``shared`` does so where one
folder serves training and validation, because a folder is given for training and nothing for validation.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from automl.errors import ConfigurationError, Problem
from automl.skill.model import JsonValue, SlotKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from automl.skill.model import FileSlot, Skill, SkillAction
    from automl.spec.model import Spec

_SPLITS = {
    "train": ("train_datasets", "train_dataset", "train_wds_dataset"),
    "val": ("eval_dataset", "val_dataset", "validation_dataset"),
    "test": ("test_dataset", "inference_dataset"),
    "infer": ("inference_dataset", "infer_dataset"),
    "calibration": ("calibration_dataset",),
}
_ALIASES = {
    **{source: split for split, sources in _SPLITS.items() for source in sources},
    "eval": "val",
    "validation": "val",
    "inference": "infer",
    "calib": "calibration",
    **{split: split for split in _SPLITS},
}
_ARCHIVE = re.compile(r"\.(tar\.gz|tgz|tar|zip)$")
_FOLDER_WORDS = ("dir", "folder", "images", "root")


def map_data(skill: Skill, action: SkillAction, spec: Spec, data: Mapping[str, str]) -> dict[str, JsonValue]:
    """Return parameter path -> value for data given by split, by source or by parameter path.

    Raises:
        ConfigurationError: a split fits no input of the action; with every problem.
    """
    mapped: dict[str, JsonValue] = {}
    direct: dict[str, JsonValue] = {}
    problems: list[Problem] = []
    for name, path in data.items():
        split = _ALIASES.get(name)
        # Every spec has a block called train; data are never meant to replace it.
        if split is None and ("." in name or spec.has(name)):
            direct[name] = path
            continue
        found = _places(skill, action, split, Path(path)) if split is not None else {}
        mapped.update(found)
        if split == "train":
            mapped.update(_of_one_folder(skill, action, Path(path), data))
        if not found:
            keys = ", ".join(slot.key for slot in action.inputs) or "none"
            problems.append(
                Problem(
                    where=f"--data {name}",
                    found=f"no input of {action.name} for it",
                    expected=f"one of {', '.join(_SPLITS)}, or an input: {keys}",
                    fix="name the input itself, --data KEY=PATH",
                )
            )
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the data")
    return {**mapped, **direct}


def has_place(skill: Skill, action: str, split: str) -> bool:
    """Return whether an action of a skill has an input for a split."""
    return action in skill.actions and bool(_places(skill, skill.actions[action], split, Path()))


def _of_one_folder(skill: Skill, action: SkillAction, root: Path, data: Mapping[str, str]) -> dict[str, JsonValue]:
    """Return what divides a folder into training and validation, if the action can and no validation data are given."""
    shared = {key: rule["shared"] for key, rule in action.data_sources.items() if _has(rule, "shared")}
    keys = [key for key, _ in _from_rules(skill, action, "val", root)]
    is_given = any(_ALIASES.get(name) == "val" or name in keys for name in data)
    if not shared or is_given or not root.is_dir():
        return {}
    return {**_places(skill, action, "val", root), **shared}


def _has(rule: JsonValue, name: str) -> TypeGuard[dict[str, JsonValue]]:
    return isinstance(rule, dict) and name in rule


def _places(skill: Skill, action: SkillAction, split: str, root: Path) -> dict[str, JsonValue]:
    return dict(_from_rules(skill, action, split, root)) or _from_slots(action, split, root)


def _from_rules(skill: Skill, action: SkillAction, split: str, root: Path) -> Iterator[tuple[str, JsonValue]]:
    for key, rule in action.data_sources.items():
        if not isinstance(rule, dict) or rule.get("source") not in _SPLITS[split]:
            continue
        if _has(rule, "shared"):
            continue
        if _has(rule, "value"):
            yield key, rule["value"]
            continue
        fields = rule.get("mapping")
        if isinstance(fields, dict):
            value: JsonValue = {
                field: str(_locate(root, part, skill)) for field, part in fields.items() if isinstance(part, dict)
            }
        else:
            file = _locate(root, rule, skill)
            if rule.get("optional") is True and not file.exists():
                continue
            value = str(file)
        is_list = rule.get("list") is True or rule.get("multiple_sources") is True
        yield key, [value] if is_list else value


def _locate(root: Path, rule: dict[str, JsonValue], skill: Skill) -> Path:
    """Return the file or folder that a rule names below a data root; where archives were unpacked, the folder."""
    by_format, listed = rule.get("path_from_format"), rule.get("path")
    if isinstance(by_format, dict):
        listed = by_format.get(skill.data_format or "*", by_format.get("*"))
    names = listed if isinstance(listed, list) else [listed]
    candidates = [name for name in names if isinstance(name, str) and name and "{" not in name]
    # A root that is a file is the annotation itself, and '{train_dataset_annotation}' stands for a name unknown here.
    if root.is_file() or not candidates:
        return root
    if rule.get("runtime") == "extracted_folder" or all(map(_ARCHIVE.search, candidates)):
        candidates = [_ARCHIVE.sub("", name) for name in candidates]
    places = [root / name for name in candidates]
    return next((place for place in places if place.exists()), places[0])


def _from_slots(action: SkillAction, split: str, root: Path) -> dict[str, JsonValue]:
    named = [slot for slot in action.inputs if _split_of(slot) == split]
    if not named and split == "train":
        # nv_tesseract names its training table dataset.csv, and only the others by their split.
        named = [s for s in action.inputs if _split_of(s) is None and not s.is_optional and s.key.startswith("dataset")]
    return {slot.key: str(_fit(slot, root)) for slot in named}


def _split_of(slot: FileSlot) -> str | None:
    for step in slot.key.replace("[", ".").split(".")[1:]:
        words = step.split("_")
        split = "calibration" if {"calibration", "calib"} & {*words} else _ALIASES.get(words[0])
        if split is not None:
            return split
    return None


def _fit(slot: FileSlot, root: Path) -> Path:
    """Return the part of a data root that fits a slot: the root itself, its images folder or its only annotation."""
    leaf = slot.key.rpartition(".")[2]
    if not root.is_dir():
        return root
    if slot.kind is SlotKind.FOLDER or any(word in leaf for word in _FOLDER_WORDS):
        images = root / "images"
        return images if images.is_dir() else root
    suffixes = {"json": (".json",), "csv": (".csv",)}.get(leaf.split("_")[0], (".txt", ".json", ".csv", ".yaml"))
    files = [file for file in sorted(root.iterdir()) if file.is_file() and file.suffix in suffixes]
    return files[0] if len(files) == 1 else root
