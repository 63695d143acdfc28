"""Build a small skill folder in the public layout around the scripted trainer."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TRAINER = Path(__file__).with_name("scripted_trainer.py")


def scripted_command() -> str:
    """Return the command template that starts the scripted trainer with this interpreter."""
    return f"{shlex.quote(sys.executable)} {shlex.quote(str(TRAINER))} -e {{config_path}}"


def scripted_spec(
    results_dir: Path | str = "", *, lr: float = 0.01, num_epochs: int = 3, script: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a complete spec of the scripted trainer."""
    return {
        "results_dir": str(results_dir),
        "script": json.dumps(script or {}),
        "train": {
            "num_epochs": num_epochs,
            "resume_training_checkpoint_path": "",
            "optim": {"lr": lr, "momentum": 0.5},
        },
    }


def build_scripted_skill(
    folder: Path,
    *,
    faults: Sequence[Mapping[str, Any]] = (),
    script: Mapping[str, Any] | None = None,
    num_epochs: int = 3,
    lr: float = 0.01,
    container: tuple[str, str] | None = None,
) -> Path:
    """Write a skill folder and return it.

    Args:
        folder: Made if it does not exist.
        faults: Faults of the scripted trainer; see its first lines.
        script: The rest of the script.
        num_epochs: Epochs of the template.
        lr: Learning rate of the template: that of trial 0.
        container: Image that the skill names, and what starts the trainer in it.
    """
    (folder / "references").mkdir(parents=True, exist_ok=True)
    (folder / "schemas").mkdir(exist_ok=True)
    behaviour = {**(script or {}), "faults": [dict(fault) for fault in faults]}
    template = scripted_spec(lr=lr, num_epochs=num_epochs, script=behaviour)
    info = {
        "name": "scripted",
        "network_arch": "scripted",
        "automl_enabled": True,
        "container_image": container[0] if container else None,
        "actions": {
            "train": {
                "command": f"{container[1]} -e {{config_path}}" if container else scripted_command(),
                "config_format": "yaml",
                "mode": "config",
                "metric": behaviour.get("metric", "val/d1"),
                "metric_direction": "maximize",
                **({"metric_file": "metrics.json"} if behaviour.get("dialect") == "metric_file" else {}),
                "inputs": {"train.resume_training_checkpoint_path": {"type": "file", "optional": True}},
                "outputs": {"results_dir": {"type": "folder"}},
            }
        },
        "spec_params": {
            "train": {"results_dir": "output_dir", "train.resume_training_checkpoint_path": "resume_model"}
        },
        "spec_shorthand_keys": {"num_epochs": "train.num_epochs", "learning_rate": "train.optim.lr"},
    }
    (folder / "references/skill_info.yaml").write_text(yaml.safe_dump(info, sort_keys=False), encoding="utf-8")
    (folder / "references/spec_template_train.yaml").write_text(
        yaml.safe_dump(template, sort_keys=False), encoding="utf-8"
    )
    (folder / "schemas/train.schema.json").write_text(json.dumps(_schema(template), indent=1), encoding="utf-8")
    return folder


def _schema(template: dict[str, Any]) -> dict[str, Any]:
    optim = {
        "lr": _searched(0.0001, 1.0, template["train"]["optim"]["lr"]) | {"math_cond": "> 0.0"},
        "momentum": _searched(0.0, 0.99, template["train"]["optim"]["momentum"]),
    }
    train = {
        "num_epochs": {"type": "int", "default": template["train"]["num_epochs"], "minimum": 1},
        "resume_training_checkpoint_path": {"type": "string", "default": ""},
        "optim": _collection(optim, template["train"]["optim"]),
    }
    return {
        "type": "object",
        "x_tao_schema": {"model": "scripted", "network_arch": "scripted", "action": "train", "schema_action": "train"},
        "automl_default_parameters": ["train.optim.lr", "train.optim.momentum"],
        "automl_disabled_parameters": [],
        "default": template,
        "properties": {
            "results_dir": {"type": "string", "default": ""},
            "script": {"type": "string", "default": template["script"]},
            "train": _collection(train, template["train"]),
        },
    }


def _searched(low: float, high: float, default: float) -> dict[str, Any]:
    return {"type": "float", "automl_enabled": True, "minimum": low, "maximum": high, "default": default}


def _collection(properties: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    return {"type": "collection", "automl_enabled": False, "default": default, "properties": properties}
