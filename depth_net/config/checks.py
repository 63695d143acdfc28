"""Checks across keys, and notices about a spec that are no errors.

They use the spec alone, and whether the weights that it names exist; data are checked by `depth_net.actions.check`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from depth_net.config.choices import DatasetFamily, IntervalUnit, Precision, Strategy
from depth_net.config.dataset import DEPTH_SCALES, stored_per_unit
from depth_net.config.problems import SpecProblem
from depth_net.effective import idle_keys
from depth_net.model.encoders import ENCODERS, PATCH
from depth_net.model.family import ModelType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from depth_net.config.actions import ConvertConfig, InferenceConfig
    from depth_net.config.dataset import DataSource, SplitConfig
    from depth_net.config.experiment import ExperimentConfig
    from depth_net.config.train import TrainConfig

_SPLITS: Final = {
    "train": ("train_dataset", "val_dataset"),
    "check": ("train_dataset", "val_dataset"),
    "evaluate": ("test_dataset",),
    "inference": ("infer_dataset",),
}
_REQUIRED: Final = {
    "evaluate": "checkpoint",
    "inference": "checkpoint",
    "export": "checkpoint",
    "quantize": "model_path",
}
_REPORTING: Final = ("train", *_REQUIRED)
"""Actions that write to a results folder."""


def spec_problems(config: ExperimentConfig, action: str) -> list[SpecProblem]:
    """Return everything in ``config`` that ``action`` cannot use."""
    return [
        *_family_problems(config, action),
        *_model_problems(config),
        *_range_problems(config, action),
        *_required_problems(config, action),
        *_results_problems(config, action),
        *(_inference_problems(config.inference) if action == "inference" else ()),
        *(_adapter_problems(config.train) if action in ("train", "check") else ()),
        *(_augmentation_problems(config) if "train_dataset" in _SPLITS.get(action, ()) else ()),
        *(problem for split in _SPLITS.get(action, ()) for problem in _split_problems(config, split)),
    ]


def convert_problems(config: ConvertConfig) -> list[SpecProblem]:
    """Return everything in the spec of ``convert`` that it cannot use."""
    problems = [
        SpecProblem(key, "nothing", "a folder", f"set {key}")
        for key in ("results_dir", "data_root")
        if not getattr(config, key)
    ]
    for key in ("depth_dir_pattern", "right_dir_pattern", "nocc_dir_pattern"):
        count, expected = len(getattr(config, key)), len(config.image_dir_pattern)
        if count not in (0, expected):
            found, wanted = f"{count} patterns", f"{expected}, one per image_dir_pattern"
            problems.append(SpecProblem(key, found, wanted, "make the lists equally long"))
    if (config.right_dir_pattern or config.nocc_dir_pattern) and not config.depth_dir_pattern:
        wanted = "patterns; without them a right image would be read as ground truth"
        fix = "set depth_dir_pattern"
        problems.append(SpecProblem("depth_dir_pattern", "nothing", wanted, fix))
    return problems


def spec_notices(config: ExperimentConfig, action: str) -> list[str]:
    """Return notices about keys that ``action`` corrects or ignores."""
    action = "train" if action == "check" else action
    notices = [
        f"{', '.join(paths)}: set without effect; {reason}" for reason, paths in idle_keys(config, action).items()
    ]
    if action in ("evaluate", "inference"):
        section = getattr(config, action)
        asked = section.num_gpus * section.num_nodes
        notices += [f"{action} runs on one device, not on {asked}; gpu_ids chooses it"] if asked > 1 else []
    return [*notices, *_training_notices(config)] if action == "train" else notices


def _training_notices(config: ExperimentConfig) -> list[str]:
    train, notices = config.train, []
    blocks, depth = int(train.freeze.partition(":")[2] or 0), ENCODERS[config.model.encoder.value].depth
    if blocks >= depth:
        notices.append(
            f"train.freeze {train.freeze} freezes the whole encoder: {config.model.encoder} has {depth} blocks"
        )
    if train.best_metric == "val/loss" and config.model.model_type is ModelType.RELATIVE:
        notices.append(
            "train.best_metric val/loss cannot tell a relative model that has collapsed from a good one; val/d1 can"
        )
    if train.checkpoint_interval > train.num_epochs and train.checkpoint_interval_unit is IntervalUnit.EPOCH:
        notices.append(
            f"train.checkpoint_interval {train.checkpoint_interval} is lowered to the {train.num_epochs} epochs"
        )
    if train.validation_interval > train.num_epochs:
        notices.append(
            f"train.validation_interval {train.validation_interval} is lowered to the {train.num_epochs} epochs"
        )
    if train.precision is Precision.FP16:
        notices.append(
            "train.precision fp16 often ends in a loss that is not finite; bf16 has its speed, fp32 its range"
        )
    return notices


def absent_weights(config: ExperimentConfig, action: str) -> list[SpecProblem]:
    """Return the weights that ``config`` names for ``action`` and that do not exist; opens no file."""
    named = {
        "model.mono_backbone.pretrained_path": config.model.mono_backbone.pretrained_path,
        "train.pretrained_model_path": config.train.pretrained_model_path,
        "train.resume_training_checkpoint_path": config.train.resume_training_checkpoint_path,
    }
    key = _REQUIRED.get(action)
    if key:
        named = {f"{action}.{key}": getattr(getattr(config, action), key)}
    return [
        SpecProblem(where, path, "weights that exist", "correct the path")
        for where, path in named.items()
        if path and not Path(path).expanduser().exists()
    ]


def _family_problems(config: ExperimentConfig, action: str) -> Iterator[SpecProblem]:
    if config.dataset.dataset_name is DatasetFamily.STEREO and action in _SPLITS:
        yield SpecProblem(
            "dataset.dataset_name",
            "StereoDataset",
            "MonoDataset; this trainer is monocular",
            "set dataset.dataset_name=MonoDataset",
        )


def _model_problems(config: ExperimentConfig) -> Iterator[SpecProblem]:
    backbone = config.model.mono_backbone
    for key, value in {"use_bn": backbone.use_bn, "use_clstoken": backbone.use_clstoken}.items():
        if value:
            yield SpecProblem(
                f"model.mono_backbone.{key}", "true", "false; no public weights have this layer", "remove the key"
            )


def _range_problems(config: ExperimentConfig, action: str) -> Iterator[SpecProblem]:
    if config.model.model_type is not ModelType.METRIC:
        return
    low, high = config.dataset.min_depth, config.dataset.max_depth
    if high is None and action in ("train", "check"):
        yield SpecProblem(
            "dataset.max_depth",
            "nothing",
            "the largest depth in metres, because a metric model scales its output to it",
            "set dataset.max_depth, e.g. 10.0 for NYU or 80.0 for KITTI",
        )
    if high is not None and low is not None and low >= high:
        yield SpecProblem(
            "dataset.min_depth",
            f"{low:g}",
            f"less than dataset.max_depth, which is {high:g}",
            "lower min_depth or raise max_depth",
        )


def _required_problems(config: ExperimentConfig, action: str) -> Iterator[SpecProblem]:
    key = _REQUIRED.get(action)
    if key and not getattr(getattr(config, action), key):
        yield SpecProblem(f"{action}.{key}", "nothing", "the path of a checkpoint", f"set {action}.{key}=PATH")


def _adapter_problems(train: TrainConfig) -> Iterator[SpecProblem]:
    if train.lora_rank and train.distributed_strategy is Strategy.FSDP:
        found, expected = f"{train.lora_rank} with train.distributed_strategy fsdp", "0, or ddp"
        yield SpecProblem("train.lora_rank", found, expected, "set train.distributed_strategy=ddp")


def _results_problems(config: ExperimentConfig, action: str) -> Iterator[SpecProblem]:
    if action in _REPORTING and not (config.results_dir or getattr(config, action).results_dir):
        yield SpecProblem(
            "results_dir", f"nothing, and no {action}.results_dir", "a folder to write to", "set results_dir=FOLDER"
        )


def _inference_problems(settings: InferenceConfig) -> Iterator[SpecProblem]:
    counts = {"intrinsics": ("fx, fy, cx and cy", 4), "colour_range": ("two values, the smaller one first", 2)}
    for key, (expected, count) in counts.items():
        values = getattr(settings, key)
        is_wrong = len(values) not in (0, count) or (key == "colour_range" and list(values) != sorted(set(values)))
        if is_wrong or (key == "intrinsics" and any(value <= 0 for value in values[:2])):
            yield SpecProblem(f"inference.{key}", f"{list(values)}", expected, "correct the numbers")
    if settings.depth_scale:
        yield from _scale_problems(settings.depth_scale, "inference.depth_scale")


def _scale_problems(scale: str, where: str) -> Iterator[SpecProblem]:
    try:
        stored_per_unit(scale)
    except (ValueError, ZeroDivisionError):
        expected = f"a positive number, a fraction such as 1/256, or one of {', '.join(DEPTH_SCALES)}"
        yield SpecProblem(where, scale, expected, "write metres per stored value")


def _split_problems(config: ExperimentConfig, name: str) -> Iterator[SpecProblem]:
    split: SplitConfig = getattr(config.dataset, name)
    if not split.data_sources:
        yield SpecProblem(
            f"dataset.{name}.data_sources",
            "nothing",
            "at least one {dataset_name, data_file}",
            "name a reader and its annotation file",
        )
    for index, source in enumerate(split.data_sources):
        yield from _source_problems(source, f"dataset.{name}.data_sources[{index}]")
    yield from _size_problems(split, name)


def _source_problems(source: DataSource, where: str) -> Iterator[SpecProblem]:
    if not source.data_file:
        yield SpecProblem(f"{where}.data_file", "nothing", "the path of an annotation file", "set data_file")
    if source.depth_scale is not None:
        yield from _scale_problems(source.depth_scale, f"{where}.depth_scale")
    try:
        _ = source.invalid
    except ValueError:
        found, expected = ", ".join(source.invalid_values), "numbers as they are stored, or sky"
        yield SpecProblem(f"{where}.invalid_values", found, expected, "correct the values")


def _augmentation_problems(config: ExperimentConfig) -> Iterator[SpecProblem]:
    settings = config.dataset.train_dataset.augmentation
    if not settings.enabled:
        return
    ranges: dict[str, tuple[float, ...]] = {
        "min_scale, max_scale": (settings.min_scale, settings.max_scale),
        "color_aug_saturation": settings.color_aug_saturation,
        "color_aug_hue_range": settings.color_aug_hue_range,
    }
    for key, values in ranges.items():
        if len(values) != len(("low", "high")) or values[0] > values[1]:
            yield SpecProblem(
                f"dataset.train_dataset.augmentation.{key}",
                " and ".join(map(str, values)),
                "two numbers, the smaller one first",
                "correct the range or set enabled to false",
            )


def _size_problems(split: SplitConfig, name: str) -> Iterator[SpecProblem]:
    sides = split.augmentation.crop_size
    if len(sides) != len(("height", "width")) or any(side % PATCH for side in sides):
        nearest = [max(PATCH, round(side / PATCH) * PATCH) for side in (*sides, *sides)][:2]
        yield SpecProblem(
            f"dataset.{name}.augmentation.crop_size",
            f"{list(sides)}",
            f"height and width, both multiples of {PATCH}",
            f"use {nearest}" if sides else "use [518, 518]",
        )
    for key in ("input_mean", "input_std"):
        values = getattr(split.augmentation, key)
        if len(values) != len("RGB") or min(values) < 0 or max(values) > 1 or (key == "input_std" and min(values) == 0):
            yield SpecProblem(
                f"dataset.{name}.augmentation.{key}",
                f"{list(values)}",
                "three numbers from 0 to 1, greater than 0 for input_std: pixels are divided by 255 first",
                "divide by 255, or remove the key to use the default",
            )
