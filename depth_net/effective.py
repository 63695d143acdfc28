"""Which parameters this trainer reads, and under which conditions they have an effect.

The reference flags 45 parameters for a search and reads two of them always and three under some schedulers; a search
over the rest wastes its budget. Here the declaration of each key states whether it has an effect; this module evaluates
the declarations for a search and for the notice about keys of a spec without effect.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final

from depth_net.config.actions import ConvertConfig
from depth_net.config.choices import ExportFormat, Scheduler
from depth_net.config.experiment import ExperimentConfig
from depth_net.config.fields import inert_reason, leaves, search_of
from depth_net.model.family import ModelType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic.fields import FieldInfo

    from depth_net.config.fields import Search

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
_ONNX_ONLY: Final = tuple(
    f"export.{key}" for key in ("onnx_file", "opset_version", "batch_size", "verbose", "dynamic_hw")
)
_OFF: Final[tuple[object, ...]] = (None, "", False, 0, (), {})
"""Values that request nothing."""


def declared_leaves(action: str) -> Iterator[tuple[str, FieldInfo]]:
    """Yield path and declaration of every key that ``action`` reads, in the order of the spec."""
    is_convert = action == "convert"
    for path, field in leaves(ConvertConfig if is_convert else ExperimentConfig):
        if inert_reason(field) is None and (is_convert or _is_read(path, action)):
            yield path, field


def idle_keys(config: ExperimentConfig, action: str) -> Mapping[str, tuple[str, ...]]:
    """Return the keys that a spec sets and that change nothing in ``action``, by the reason.

    A key counts as set where its value is neither the default nor one that requests nothing, such as 0 or false. Keys
    of other actions and of splits that the action does not read are left out: one spec often serves several actions.
    """
    found: dict[str, list[str]] = {}
    for path, field in leaves(ExperimentConfig):
        value = attrgetter(path)(config)
        if value == field.default or value in _OFF or not _belongs(path, action):
            continue
        reason = inert_reason(field) or _reason_to_idle(path, search_of(field), config)
        if reason:
            found.setdefault(reason, []).append(path)
    return {reason: tuple(paths) for reason, paths in found.items()}


def _belongs(path: str, action: str) -> bool:
    """Tell whether a path lies in a part of the spec that ``action`` reads."""
    section, *rest = path.split(".")
    if section in ACTION_SECTIONS:
        return section == action
    is_split = section == "dataset" and rest[0].endswith("_dataset") and rest[0] != "quant_calibration_dataset"
    return not is_split or rest[0] in _SPLITS[action]


def _reason_to_idle(path: str, search: Search | None, config: ExperimentConfig) -> str:
    """Return why a key has no effect under the other values of the spec; empty if it has one."""
    split, _, name = path.rpartition(".augmentation.")
    if split and name not in _SIZE:
        if split != "dataset.train_dataset":
            return "only training images are changed at random"
        enabled = config.dataset.train_dataset.augmentation.enabled
        return "" if enabled or name == "enabled" else f"{_TRAINING_ONLY}enabled is false"
    if path in _ONNX_ONLY and config.export.format is not ExportFormat.ONNX:
        return "export.format is not onnx"
    scheduler, train = config.train.optim.lr_scheduler, config.train
    needs = {
        "train.relative_loss": (config.model.model_type is ModelType.RELATIVE, "only relative models read it"),
        "train.optim.layer_decay": (train.freeze != "encoder" or bool(train.lora_rank), "the encoder is frozen"),
        "train.optim.warmup_fraction": (
            scheduler is not Scheduler.ONE_CYCLE,
            "OneCycleLR has a warm-up of its own",
        ),
    }
    if path in needs and not needs[path][0]:
        return needs[path][1]
    schedulers = search.scheduler if search else ()
    if path == "train.optim.lr_steps":
        schedulers = (Scheduler.MULTI_STEP.value,)
    return f"only {' and '.join(schedulers)} reads it" if schedulers and scheduler.value not in schedulers else ""


def _is_read(path: str, action: str) -> bool:
    """Tell whether ``action`` reads a key: of augmentation, splits other than the training split read the size only."""
    split, _, name = path.rpartition(".augmentation.")
    return _belongs(path, action) and (split in ("", "dataset.train_dataset") or name in _SIZE)
