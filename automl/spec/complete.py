"""Fill a spec with what belongs to one run of an action: its directory, its checkpoints, its assignment.

The two routes of the policy go through here alike: a study of one trial has an empty assignment and nothing else
differs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.spec.model import lay_over
from automl.spec.special import WordKind, created_name, word_kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.skill.model import JsonValue, Skill
    from automl.spec.model import Spec

_ENGINES = {".engine", ".trt", ".plan"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRun:
    """What one run of an action gets.

    Attributes:
        results_dir: Its own directory.
        assignment: Parameter path -> value of the trial; empty for trial 0 without a search.
        resume_checkpoint: Checkpoint of this run to go on from.
        parent_checkpoint: The model that another action made: what evaluate, export, ... work on.
    """

    results_dir: Path
    assignment: Mapping[str, JsonValue] = field(default_factory=lambda: MappingProxyType({}))
    resume_checkpoint: Path | None = None
    parent_checkpoint: Path | None = None


def complete_spec(spec: Spec, skill: Skill, action: str, run: ActionRun) -> Spec:
    """Return the spec that the action's file will hold.

    Values that the user set are kept, except the output directory and pretrained weights of a run that is resumed.

    Raises:
        ConfigurationError: a key of the skill leads through a value of the spec.
    """
    words = {
        path: (value, kind)
        for path, value in skill.actions[action].spec_params.items()
        if (kind := word_kind(value)) is not WordKind.LITERAL
    }
    filled: dict[str, JsonValue] = {}
    for path, (value, kind) in words.items():
        is_users = spec.origins.get(path) in {"override", "data"}
        resolved = _resolve(path, value, run, skill)
        is_forced = kind is WordKind.OUTPUT_DIR or (kind is WordKind.RESUME and resolved is not None)
        is_forced = is_forced or (kind is WordKind.PRETRAINED_UNLESS_RESUMED and run.resume_checkpoint is not None)
        if resolved is not None and (is_forced or not is_users):
            filled[path] = resolved
    completed = lay_over(spec, filled, "spec_params")
    return lay_over(completed, run.assignment, "trial")


def _resolve(path: str, word: JsonValue, run: ActionRun, skill: Skill) -> JsonValue:
    """Return the value for a special word, or None to keep the spec's own."""
    parent = _fitting_parent(path, run.parent_checkpoint)
    values: dict[WordKind, JsonValue] = {
        WordKind.OUTPUT_DIR: str(run.results_dir),
        WordKind.CREATE: str(run.results_dir / created_name(str(word), skill.network_arch)),
        WordKind.RESUME: _text(run.resume_checkpoint),
        WordKind.PRETRAINED_UNLESS_RESUMED: "" if run.resume_checkpoint is not None else None,
        WordKind.PARENT_OR_PRETRAINED: parent,
        WordKind.PARENT: parent,
        WordKind.PARENT_FOLDER: _folder(run.parent_checkpoint),
        WordKind.DOWNLOAD: _downloaded(word),
    }
    return values.get(word_kind(word))


def _fitting_parent(path: str, parent: Path | None) -> str | None:
    """Return the parent if its kind fits the key: a TensorRT engine, an ONNX file or a checkpoint."""
    if parent is None:
        return None
    leaf = path.rpartition(".")[2]
    if "engine" in leaf:
        return str(parent) if parent.suffix in _ENGINES else None
    if "onnx" in leaf:
        return str(parent) if parent.suffix == ".onnx" else None
    return str(parent) if parent.suffix not in {*_ENGINES, ".onnx"} else None


def _folder(parent: Path | None) -> str | None:
    if parent is None:
        return None
    return str(parent.parent if parent.is_file() else parent)


def _downloaded(value: JsonValue) -> str | None:
    destination = value.get("destination_path") if isinstance(value, dict) else None
    return destination if isinstance(destination, str) and Path(destination).is_file() else None


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
