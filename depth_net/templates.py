"""The specs that we write: templates with values to start a real training from, and every key with its default.

Templates differ from the reference's defaults where those would not train a monocular model, or not well; see
`_CHANGES`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from depth_net.config.actions import ConvertConfig
from depth_net.config.experiment import ExperimentConfig
from depth_net.config.fields import inert_reason, is_group, kind_of, list_choices
from depth_net.config.tree import apply_overrides, to_yaml
from depth_net.effective import declared_leaves

if TYPE_CHECKING:
    from pathlib import Path

    from depth_net.config.fields import Section

ACTIONS: Final = ("train", "evaluate", "inference", "export", "quantize", "convert")
_SOURCE: Final = "[{data_file: ''}]"
_CHANGES: Final = (
    "model.encoder=vits",
    "dataset.min_depth=0.001",
    "dataset.max_depth=10.0",
    *(f"dataset.{split}_dataset.data_sources={_SOURCE}" for split in ("train", "val", "test", "infer")),
    "dataset.train_dataset.batch_size=8",
    "train.num_epochs=20",
    "train.precision=bf16",
    "train.optim.lr_scheduler=LambdaLR",
)
"""A small encoder, sources whose data set the user or their files name, a batch that fits most GPUs, the published
recipe's linear decay, and bf16, which a machine without it replaces by fp32
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
        tree = ExperimentConfig.model_validate(tree).to_tree()
    published: dict[str, Any] = {}
    for path, field in declared_leaves(action):
        *groups, name = path.split(".")
        source, target = tree, published
        for group in groups:
            source, target = source[group], target.setdefault(group, {})
        if name not in source:
            continue  # a key of our own, which is left out where it is not set
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
        path.write_text(_commented_spec(action), encoding="utf-8")
    return tuple(files.values())


def _commented_spec(action: str) -> str:
    """Return the spec of an action with a comment above each key of its own section; the reference has the others.

    A key that specs have only where it is set stands there as a comment.
    """
    spec = default_spec(action)
    if action == "convert":
        return _commented(ConvertConfig, spec)
    section = kind_of(ExperimentConfig.model_fields[action].annotation)
    own = _indented(_commented(section, spec.pop(action)))
    return f"{to_yaml(spec)}{action}:\n{own}"


def _commented(kind: type[Section], values: dict[str, Any]) -> str:
    parts = []
    for key, field in kind.model_fields.items():
        inner = kind_of(field.annotation)
        if is_group(inner):
            parts.append(f"{key}:\n{_indented(_commented(inner, values[key]))}")
            continue
        choices = f" One of {words}." if (words := list_choices(field)) else ""
        unread = f" Not read: {inert_reason(field)}." if inert_reason(field) else ""
        line = to_yaml({key: values[key]}) if key in values else f"# {key}:\n"
        parts.append(f"# {field.description}{choices}{unread}\n{line}")
    return "".join(parts)


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())
