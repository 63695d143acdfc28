"""Skill packages for tests: the synthetic ones of `tests/skills`, small ones on the fly, and the bank where it is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

SKILLS = Path(__file__).parents[2] / "skills"
GOOD = SKILLS / "good"
BAD = SKILLS / "bad"
EVERY_FEATURE = GOOD / "every_feature"

_BANK = os.environ.get("AUTOML_SKILL_BANK")
BANK = tuple(sorted(Path(_BANK).glob("*/references/skill_info.yaml"))) if _BANK else ()
needs_bank = pytest.mark.skipif(not BANK, reason="AUTOML_SKILL_BANK names no folder of skills")


def write_skill(
    folder: Path,
    *,
    info: dict[str, Any] | None = None,
    schema: dict[str, Any] | None = None,
    template: dict[str, Any] | None = None,
) -> Path:
    """Write a skill in the public layout; what is not given is a small working default.

    Args:
        folder: The skill's folder.
        info: Keys over the defaults of `skill_info.yaml`; None as a value removes the key.
        schema: The train schema; None for no file.
        template: The train template; None for no file.

    Returns:
        The folder.
    """
    base: dict[str, Any] = {
        "network_arch": "thing",
        "automl_enabled": True,
        "actions": {"train": {"command": "thing train -e {config_path}"}},
    }
    described = {key: value for key, value in {**base, **(info or {})}.items() if value is not None}
    (folder / "references").mkdir(parents=True, exist_ok=True)
    (folder / "references/skill_info.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
    if template is not None:
        text = yaml.safe_dump(template, sort_keys=False)
        (folder / "references/spec_template_train.yaml").write_text(text, encoding="utf-8")
    if schema is not None:
        (folder / "schemas").mkdir(exist_ok=True)
        (folder / "schemas/train.schema.json").write_text(json.dumps(schema), encoding="utf-8")
    return folder


def block(**properties: object) -> dict[str, Any]:
    """Return a collection node."""
    return {"type": "collection", "properties": properties}


def leaf(kind: str, default: object, **keywords: object) -> dict[str, Any]:
    """Return a flagged leaf node."""
    return {"type": kind, "default": default, "automl_enabled": True, **keywords}


def skill_with_download(folder: Path) -> Path:
    """Write a skill whose training starts from weights that are downloaded to ``folder/weights.pth`` first."""
    rule = {"link": "https://example.org/weights.pth", "destination_path": str(folder / "weights.pth")}
    info = {"spec_params": {"train": {"model.weights": rule}}}
    template = {"model": {"weights": ""}, "train": {"lr": 0.01}}
    return write_skill(folder / "skill", info=info, template=template)
