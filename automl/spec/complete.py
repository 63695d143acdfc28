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
    filled: dict[str, JsonValue] = {}
    for path, word in skill.actions[action].spec_params.items():
        is_forced = word_kind(word) in {WordKind.OUTPUT_DIR, WordKind.RESUME, WordKind.PRETRAINED_UNLESS_RESUMED}
        value = _resolve(path, word, run, skill)
        if value is not None and (is_forced or spec.origins.get(path) not in {"override", "data"}):
            filled[path] = value
    completed = lay_over(spec, filled, "spec_params")
    return lay_over(completed, run.assignment, "trial")


def _resolve(path: str, word: JsonValue, run: ActionRun, skill: Skill) -> JsonValue:
    """Return the value for a special word, or None to keep the spec's own."""
    checkpoint, parent = run.resume_checkpoint, run.parent_checkpoint
    value: JsonValue = None
    match word_kind(word), word:
        case WordKind.OUTPUT_DIR, _:
            value = str(run.results_dir)
        case WordKind.CREATE, str():
            value = str(run.results_dir / created_name(word, skill.network_arch))
        case WordKind.RESUME, _ if checkpoint is not None:
            value = str(checkpoint)
        case WordKind.PRETRAINED_UNLESS_RESUMED, _ if checkpoint is not None:
            value = ""
        case ((WordKind.PARENT_OR_PRETRAINED | WordKind.PARENT), _) if parent is not None and _fits(path, parent):
            value = str(parent)
        case WordKind.PARENT_FOLDER, _ if parent is not None:
            value = str(parent.parent if parent.is_file() else parent)
        case WordKind.DOWNLOAD, {"destination_path": str(destination)} if Path(destination).is_file():
            value = destination
        case _:
            pass
    return value


def _fits(path: str, parent: Path) -> bool:
    """Return whether a key is for a file of the parent's kind: a TensorRT engine, an ONNX file or a checkpoint."""
    leaf = path.rpartition(".")[2]
    if "engine" in leaf:
        return parent.suffix in _ENGINES
    return (parent.suffix == ".onnx") if "onnx" in leaf else parent.suffix not in {*_ENGINES, ".onnx"}
