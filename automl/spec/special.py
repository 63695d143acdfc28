"""The special words of ``spec_params``: what each value stands for.

The vocabulary is open: a known word is filled for each trial, ``create_...`` names a file that the action writes,
a ``{link, destination_path}`` mapping is a download, anything else is a literal.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automl.skill.model import JsonValue, SkillAction


class WordKind(StrEnum):
    """How a value of ``spec_params`` is filled."""

    OUTPUT_DIR = "output_dir"
    KEY = "key"
    """An encryption key; the template's value is kept."""
    PARENT = "parent_model"
    PARENT_FOLDER = "parent_model_folder"
    PARENT_OR_PRETRAINED = "parent_model_or_ptm"
    PRETRAINED = "ptm"
    PRETRAINED_UNLESS_RESUMED = "ptm_if_no_resume_model"
    RESUME = "resume_model"
    CREATE = "create"
    DOWNLOAD = "download"
    LITERAL = "literal"


PRETRAINED_KINDS = frozenset(
    {WordKind.PRETRAINED_UNLESS_RESUMED, WordKind.PRETRAINED, WordKind.PARENT_OR_PRETRAINED, WordKind.DOWNLOAD}
)
"""Kinds of initial weights."""

_WORDS = {kind.value: kind for kind in WordKind if kind not in {WordKind.CREATE, WordKind.DOWNLOAD, WordKind.LITERAL}}
_SUFFIXES = {"onnx": ".onnx", "engine": ".engine", "cal": ".bin", "pth": ".pth", "plot": ".png", "result": ".json"}


def word_kind(value: JsonValue) -> WordKind:
    """Return what a value of ``spec_params`` is."""
    match value:
        case str() if value in _WORDS:
            return _WORDS[value]
        case str() if value.startswith("create_"):
            return WordKind.CREATE
        case {"link": str(), "destination_path": str()}:
            return WordKind.DOWNLOAD
        case _:
            return WordKind.LITERAL


def takes_checkpoint(action: SkillAction) -> bool:
    """Return whether an action's program can continue from a checkpoint of an earlier run."""
    if action.program is not None:
        return action.program.resume is not None
    return any(word_kind(value) is WordKind.RESUME for value in action.spec_params.values())


def created_name(word: str, stem: str) -> str:
    """Return the file name for a ``create_...`` word, e.g. ``create_onnx_file`` -> ``<stem>.onnx``."""
    parts = word.removeprefix("create_").split("_")
    suffix = next((_SUFFIXES[part] for part in parts if part in _SUFFIXES), ".out")
    if suffix in {".json", ".png"}:
        return f"{'_'.join(part for part in parts if part != 'file')}{suffix}"
    # create_onnx_file_2d stands beside create_onnx_file: what follows "file" keeps them apart.
    extra = parts[parts.index("file") + 1 :] if "file" in parts else []
    return "_".join([stem, *extra]) + suffix
