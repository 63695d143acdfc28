"""The checkpoint that a training starts from, where its spec names one that is a whole model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl.spec.special import PRETRAINED_KINDS, word_kind

if TYPE_CHECKING:
    from automl.skill.model import Skill
    from automl.spec.model import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class StartingPoint:
    """What a training starts from.

    Attributes:
        checkpoint: A whole model; None if there is none.
        reason: Why there is none, in words.
    """

    checkpoint: Path | None = None
    reason: str = ""


def starting_point(skill: Skill, spec: Spec, action: str = "train") -> StartingPoint:
    """Find the checkpoint that the first trial starts from.

    Keys of the skill's special words for pretrained weights count, except those of a backbone alone: without its head a
    model cannot be evaluated.
    """
    words = skill.actions[action].spec_params
    keys = [path for path, value in words.items() if word_kind(value) in PRETRAINED_KINDS]
    named = {path: str(spec.get(path)) for path in keys if spec.has(path) and spec.get(path)}
    whole = {path: value for path, value in named.items() if "backbone" not in path}
    for path, value in whole.items():
        if Path(value).exists():
            return StartingPoint(checkpoint=Path(value).absolute())
        return StartingPoint(reason=f"{path} is {value}, which is not there")
    if named:
        return StartingPoint(reason=f"{next(iter(named))} holds a backbone, and no whole model")
    listed = f" ({', '.join(keys)})" if keys else ""
    return StartingPoint(reason=f"the training names no checkpoint to start from{listed}")
