"""Write a spec with every key and its default, one file per action."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from depth_net.config.actions import ConvertConfig
from depth_net.config.experiment import ExperimentConfig
from depth_net.config.tree import to_yaml

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

ACTIONS: Final = ("train", "evaluate", "inference", "export", "quantize", "convert")
_SHARED: Final = ("model_name", "encryption_key", "results_dir", "dataset", "model")
_STEREO: Final = ("stereo_backbone",)


def default_spec(action: str) -> dict[str, Any]:
    """Return the default spec of an action as a tree: what all actions share, and the action's own section."""
    if action == "convert":
        return ConvertConfig().to_tree()
    whole = ExperimentConfig().to_tree()
    return {key: whole[key] for key in (*_SHARED, action)}


def run(directory: Path) -> tuple[Path, ...]:
    """Write ``<action>.yaml`` for every action into ``directory`` and return the files.

    Raises:
        FileExistsError: one of the files exists; nothing is written then.
    """
    files = {action: directory / f"{action}.yaml" for action in ACTIONS}
    existing = [str(path) for path in files.values() if path.exists()]
    if existing:
        raise FileExistsError(f"already there: {', '.join(existing)}; choose another folder")
    directory.mkdir(parents=True, exist_ok=True)
    for action, path in files.items():
        path.write_text(to_yaml(default_spec(action)), encoding="utf-8")
    return tuple(files.values())
