"""The specs that we write: templates with values to start a real training from, and every key with its default.

Templates differ from the reference's defaults where those would not train a monocular model, or not well; see
`_CHANGES`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from depth_net.config.actions import ConvertConfig
from depth_net.config.experiment import ExperimentConfig
from depth_net.config.fields import kind_of
from depth_net.config.tree import apply_overrides, to_yaml
from depth_net.effective import declared_leaves

if TYPE_CHECKING:
    from pathlib import Path

ACTIONS: Final = ("train", "evaluate", "inference", "export", "quantize", "convert")
_SOURCE: Final = "[{data_file: ''}]"
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
"""A small encoder, sources whose data set the user or their files name, a batch that fits most GPUs, no vertical flips
once augmentation is enabled, the published recipe's linear decay, and bf16, which a machine without it replaces by fp32
with a notice."""

_SHARED: Final = ("model_name", "encryption_key", "results_dir", "dataset", "model")
"""What a spec of defaults holds besides the action's own section."""


def published_spec(action: str) -> dict[str, Any]:
    """Return the published spec of an action as a tree; keys that the action does not read are left out.

    Texts that are not set are empty texts, which is how templates write them.
    """
    tree = (ConvertConfig if action == "convert" else ExperimentConfig)().to_tree()
    if action != "convert":
        apply_overrides(tree, _CHANGES, [])
    published: dict[str, Any] = {}
    for path, field in declared_leaves(action):
        *groups, name = path.split(".")
        source, target = tree, published
        for group in groups:
            source, target = source[group], target.setdefault(group, {})
        is_unset_text = source[name] is None and kind_of(field.annotation) is str
        target[name] = "" if is_unset_text else source[name]
    return published


def write_templates(directory: Path) -> None:
    """Write ``spec_template_<action>.yaml`` for every action."""
    directory.mkdir(parents=True, exist_ok=True)
    for action in ACTIONS:
        (directory / f"spec_template_{action}.yaml").write_text(to_yaml(published_spec(action)), encoding="utf-8")


def default_spec(action: str) -> dict[str, Any]:
    """Return the default spec of an action as a tree: what all actions share, and the action's own section."""
    if action == "convert":
        return ConvertConfig().to_tree()
    whole = ExperimentConfig().to_tree()
    return {key: whole[key] for key in (*_SHARED, action)}


def write_default_specs(directory: Path) -> tuple[Path, ...]:
    """Write ``<action>.yaml`` with every key and its default for every action, and return the files.

    Raises:
        FileExistsError: one of the files exists; nothing is written then.
    """
    files = {action: directory / f"{action}.yaml" for action in ACTIONS}
    existing = [str(path) for path in files.values() if path.exists()]
    if existing:
        raise FileExistsError(f"already there: {', '.join(existing)}; choose another folder")
    directory.mkdir(parents=True, exist_ok=True)
    for action, path in files.items():
        text = _commented_convert_spec() if action == "convert" else to_yaml(default_spec(action))
        path.write_text(text, encoding="utf-8")
    return tuple(files.values())


def _commented_convert_spec() -> str:
    """Return the spec of ``convert`` with a comment above each key; those of the other actions are in the reference."""
    fields = ConvertConfig.model_fields
    parts = [f"# {fields[key].description}\n{to_yaml({key: value})}" for key, value in default_spec("convert").items()]
    return "".join(parts)
