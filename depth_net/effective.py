"""Which parameters this trainer reads, and under which circumstances they act.

The reference flags 45 parameters for a search and reads two of them always and three under some schedulers; a search
over the rest wastes its budget. Here the declaration of each key says whether it acts, and this module asks them.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from depth_net.config import ExperimentConfig
from depth_net.config.choices import Scheduler
from depth_net.config.coercion import hints, is_group
from depth_net.config.fields import Setting, declaration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from depth_net.model.family import ModelType

ACTION_SECTIONS: Final = ("train", "evaluate", "inference", "export", "quantize", "gen_trt_engine")
_SPLITS: Final = {
    "train": ("train_dataset", "val_dataset"),
    "evaluate": ("test_dataset",),
    "inference": ("infer_dataset",),
    "export": ("infer_dataset",),  # a few images, to compare the file with the checkpoint
    "quantize": (),
}
_TRAINING_ONLY: Final = "dataset.train_dataset.augmentation."
_SIZE: Final = ("crop_size", "input_mean", "input_std")
_METRIC_ONLY: Final = ("dataset.min_depth", "dataset.max_depth")


def effective_params(
    model_type: ModelType | None = None, scheduler: Scheduler | None = None, *, augmentation: bool | None = None
) -> frozenset[str]:
    """Return the dotted paths of all parameters that change a training run.

    Args:
        model_type: The family; None means whichever it may be.
        scheduler: The learning-rate scheduler; None means whichever it may be.
        augmentation: Whether ``dataset.train_dataset.augmentation.enabled`` is true; None means whichever it may be.
    """
    found = set()
    for path, declared in declared_leaves("train"):
        search = declared.search
        if search and search.scheduler and scheduler is not None and scheduler.value not in search.scheduler:
            continue
        if path.startswith(_TRAINING_ONLY) and augmentation is False and not path.endswith((*_SIZE, "enabled")):
            continue
        if path in _METRIC_ONLY and model_type is not None and model_type.name != "METRIC":
            continue
        found.add(path)
    if scheduler is not None:
        found -= _idle_under(scheduler)
    return frozenset(found)


def declared_leaves(action: str) -> Iterator[tuple[str, Setting]]:
    """Yield path and declaration of every key that ``action`` reads, in the order of the spec."""
    for path, declared in _leaves(ExperimentConfig):
        if declared.inert is None and _is_read(path, action):
            yield path, declared


def types_by_path() -> Mapping[str, Any]:
    """Return the type of every key by its dotted path."""
    return dict(_types(ExperimentConfig, ""))


def _idle_under(scheduler: Scheduler) -> set[str]:
    idle = set()
    if scheduler is not Scheduler.MULTI_STEP:
        idle.add("train.optim.lr_steps")
    if scheduler is Scheduler.ONE_CYCLE:
        idle.add("train.optim.warmup_fraction")
    return idle


def _is_read(path: str, action: str) -> bool:
    section, _, rest = path.partition(".")
    if section in ACTION_SECTIONS:
        return section == action
    if section != "dataset":
        return True
    split, _, key = rest.partition(".")
    if not split.endswith("_dataset") or split == "quant_calibration_dataset":
        return split != "quant_calibration_dataset" or action == "quantize"
    if split not in _SPLITS[action]:
        return False
    is_augmentation = key.startswith("augmentation.") and not key.endswith(_SIZE)
    return split == "train_dataset" or not is_augmentation


def _leaves(kind: type[Any], prefix: str = "") -> Iterator[tuple[str, Setting]]:
    for field in dataclasses.fields(kind):
        hint = hints(kind)[field.name]
        path = f"{prefix}{field.name}"
        if is_group(hint):
            yield from _leaves(hint, f"{path}.")
        else:
            yield path, declaration(field)


def _types(kind: type[Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, hint in hints(kind).items():
        path = f"{prefix}{name}"
        if is_group(hint):
            yield from _types(hint, f"{path}.")
        else:
            yield path, hint
