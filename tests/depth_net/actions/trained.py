"""A spec with a checkpoint of a small model, ready for the actions after training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from depth_net.model.family import ModelType
from depth_net.spec import load_spec
from depth_net.status import StatusWriter
from tests.depth_net.model.tiny import make_model
from tests.depth_net.specs import write_spec

if TYPE_CHECKING:
    from pathlib import Path

    from depth_net.config.experiment import ExperimentConfig


def load_trained(
    folder: Path, action: str, *overrides: str, model_type: ModelType = ModelType.METRIC
) -> ExperimentConfig:
    """Return a spec whose `action` uses a checkpoint that was written beside it."""
    checkpoint = folder / "checkpoint.pth"
    if not checkpoint.exists():
        torch.save(make_model(model_type).state_dict(), checkpoint)
    key = "quantize.model_path" if action == "quantize" else f"{action}.checkpoint"
    spec = folder / "spec.yaml"
    if not spec.exists():
        write_spec(folder, model_type=model_type.value)
    return load_spec(spec, [f"{key}={checkpoint}", *overrides], action=action)


def open_status(folder: Path) -> StatusWriter:
    """Return a writer to `folder`/status.json."""
    return StatusWriter(folder / "status.json")
