"""The specs that we publish as templates: every key an action reads, with values to start a real training from.

They differ from the reference's defaults where those would not train a monocular model, or not well; see `_CHANGES`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from depth_net.config import ConvertConfig, ExperimentConfig
from depth_net.config.coercion import hints
from depth_net.config.fields import declaration
from depth_net.config.tree import apply_overrides, to_tree
from depth_net.effective import declared_leaves, types_by_path

if TYPE_CHECKING:
    import dataclasses

ACTIONS: Final = ("train", "evaluate", "inference", "export", "quantize", "convert")
_SOURCE: Final = "[{dataset_name: NYUDV2, data_file: ''}]"
_CHANGES: Final = (
    "model.encoder=vits",
    "dataset.min_depth=0.001",
    "dataset.max_depth=10.0",
    *(f"dataset.{split}_dataset.data_sources={_SOURCE}" for split in ("train", "val", "test", "infer")),
    "dataset.train_dataset.batch_size=8",
    "dataset.train_dataset.augmentation.v_flip_prob=0.0",
    "train.num_epochs=20",
    "train.precision=bf16",
    "train.optim.lr_scheduler=LambdaLR",
)
"""A small encoder, the most used data set, a batch that fits most GPUs, no pictures upside down once augmentation is
switched on, the published recipe's linear decay, and bf16, which a machine without it replaces by fp32 and says so."""


def published_spec(action: str) -> dict[str, Any]:
    """Return the published spec of an action as a tree; keys that the action does not read are left out."""
    if action == "convert":
        kept = {name: declaration(field) for name, field in _fields(ConvertConfig).items()}
        whole = _blank(to_tree(ConvertConfig()), {name: hints(ConvertConfig)[name] for name in kept}, "")
        return {name: whole[name] for name, declared in kept.items() if declared.inert is None}
    tree = to_tree(ExperimentConfig())
    apply_overrides(tree, _CHANGES, [])
    tree = _blank(tree, types_by_path(), "")
    published: dict[str, Any] = {}
    for path, _ in declared_leaves(action):
        *groups, name = path.split(".")
        source, target = tree, published
        for group in groups:
            source, target = source[group], target.setdefault(group, {})
        target[name] = source[name]
    return published


def _fields(kind: type[ConvertConfig]) -> dict[str, dataclasses.Field[Any]]:
    return dict(kind.__dataclass_fields__)


def _blank(tree: dict[str, Any], types: dict[str, Any] | Any, prefix: str) -> dict[str, Any]:  # noqa: ANN401 - types
    """Return ``tree`` with unset texts as empty texts, which is how templates write them."""
    blanked: dict[str, Any] = {}
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict):
            blanked[key] = _blank(value, types, f"{path}.")
        else:
            blanked[key] = "" if value is None and types.get(path) == (str | None) else value
    return blanked
