"""Specs and data of a training run of a second or two, for tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from tests.depth_net.data.builders import write_nyu

if TYPE_CHECKING:
    from pathlib import Path

METRIC = "MetricDepthAnything"
RELATIVE = "RelativeDepthAnything"


def write_spec(folder: Path, *, model_type: str = METRIC, images: int = 6) -> Path:
    """Write data and a spec that trains the tiny encoder on it for two epochs of three steps; return the spec."""
    reader = "NYUDV2" if model_type == METRIC else "NYUDV2Relative"
    train = write_nyu(folder / "train", images)
    val = write_nyu(folder / "val", 3)
    tree: dict[str, Any] = {
        "results_dir": str(folder / "results"),
        "dataset": {
            "train_dataset": _split(reader, train, batch_size=2),
            "val_dataset": _split(reader, val, batch_size=2),
            "test_dataset": _split(reader, val, batch_size=2),
            "infer_dataset": _split(reader, val, batch_size=2),
        },
        "model": {"model_type": model_type, "encoder": "vit_tiny"},
        "train": {"num_epochs": 2, "seed": 1, "panels": False, "optim": {"lr": 1e-4, "lr_scheduler": "LambdaLR"}},
    }
    if model_type == METRIC:
        tree["dataset"].update(min_depth=0.1, max_depth=10.0)
    spec = folder / "spec.yaml"
    spec.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return spec


def read_status(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of ``status.json`` in a results folder."""

    def refuse(word: str) -> float:
        raise AssertionError(f"{word} is not strict JSON")

    text = (folder / "status.json").read_text(encoding="utf-8")
    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def _split(reader: str, file: Path, *, batch_size: int) -> dict[str, Any]:
    return {
        "data_sources": [{"dataset_name": reader, "data_file": str(file)}],
        "batch_size": batch_size,
        "workers": 0,
        "augmentation": {"crop_size": [42, 42]},
    }
