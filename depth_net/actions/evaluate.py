"""`depth_net evaluate`: score a checkpoint on the test split and write `results.json`.

``val/*`` are the scores of a training's validation, whatever rules the spec asks for; scores by those rules have the
name of the protocol, such as ``kitti/abs_rel``.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch

from depth_net.actions.prediction import choose_device, load_split, predict_images, show_progress, write_results
from depth_net.actions.score_table import table_lines
from depth_net.config.choices import DepthKind
from depth_net.data.families import crop_box, resolve_depth_range
from depth_net.data.sources import crop_of
from depth_net.errors import DataError, SpecError
from depth_net.model.family import ModelType
from depth_net.model.restored import restore_model
from depth_net.paper_scores import PaperScores, Truth
from depth_net.protocols import rules_of
from depth_net.scoring import DepthMetrics
from depth_net.training.baseline import ConstantBaseline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from depth_net.actions.prediction import PredictedImage
    from depth_net.config.experiment import ExperimentConfig
    from depth_net.data.annotations import Row
    from depth_net.data.families import DatasetClass, DepthRange
    from depth_net.model.depth_anything import DepthAnything
    from depth_net.protocols import Rules
    from depth_net.status import StatusWriter

logger = logging.getLogger(__name__)


def run(config: ExperimentConfig, status: StatusWriter) -> None:
    """Evaluate `evaluate.checkpoint` on `dataset.test_dataset`.

    Writes the line ``Test metrics generated.`` with ``val/*`` values, the prefix of the reference, and
    ``<results>/results.json`` with the same numbers, what they were measured on, and the scores as papers report them.

    Raises:
        WeightsError: the checkpoint cannot be used.
        SpecError: the rules do not fit the data.
        DataError: a sample cannot be read, or no pixel of the split has ground truth.
    """
    checkpoint, settings = str(config.evaluate.checkpoint), config.evaluate
    status.running(f"Loading checkpoint: {checkpoint}")
    model = restore_model(config, checkpoint)
    limits = resolve_depth_range(config.dataset.min_depth, model.max_depth_m)
    rules = rules_of(settings, model.model_type, limits.max_m, limits.min_m)
    scores = PaperScores(model.model_type, rules, settings.ranges)
    kpi = _measure(config, model, limits, scores)
    about = {"checkpoint": checkpoint, "model_type": model.model_type.value}
    document = scores.document()
    write_results(config.results_directory("evaluate"), {**kpi, **about, **document})
    status.running("Test metrics generated.", kpi=kpi)
    for line in (str(rules), *table_lines(document)):
        logger.info("%s", line)
    logger.info("%s", "  ".join(f"{name} {value:.4f}" for name, value in kpi.items()))


def _measure(
    config: ExperimentConfig, model: DepthAnything, limits: DepthRange, scores: PaperScores
) -> dict[str, float]:
    """Score all images, and return the values of the status line."""
    rules, has_rules = scores.rules, config.evaluate.asks_for_own_rules
    device = choose_device(config.evaluate.gpu_ids)
    loader = load_split(config, "test", model.max_depth_m, whole_truth=has_rules)
    rows = loader.dataset.rows  # type: ignore[attr-defined]  # a DepthDataset
    _require_fitting(rows, rules, config)
    metrics = DepthMetrics(model.model_type, min_depth_m=limits.min_m, max_depth_m=limits.max_m)
    baseline = ConstantBaseline(model.model_type, min_depth_m=limits.min_m, max_depth_m=limits.max_m)
    images = predict_images(model, loader, device, flip_average=rules.flip_average)
    shown = show_progress(images, len(rows), "evaluate")
    for image, (entry, _), scene in zip(shown, rows, _scenes_of(rows), strict=True):
        if image.target is None:
            continue
        valid = image.valid & _counts_in_validation(image.target, entry, limits) if has_rules else image.valid
        metrics.update([image.prediction], [image.target], [valid])
        baseline.update(image.target, valid)
        scores.update(image.prediction, _truth_of(image, image.target, entry, rules), scene)
    values = {name: float(value) for name, value in metrics.compute().items()}
    _require_valid(values, scores)
    kpi = {f"val/{name}": value for name, value in values.items()} | {"val/d1_constant": float(baseline.compute())}
    named = {f"{rules.name}/{name}": value for name, value in scores.headline().items()}
    return kpi | named if has_rules else kpi


def _require_valid(values: dict[str, float], scores: PaperScores) -> None:
    if not values["valid_fraction"] > 0:
        raise DataError(
            f"dataset.test_dataset: found no valid ground-truth pixel in {values['num_images']:.0f} images; expected "
            "depth within the range of the spec; fix: check dataset_name, min_depth and max_depth"
        )
    if not scores.total:
        raise DataError(
            f"evaluate: found no pixel that counts under the rules {scores.rules}; fix: check evaluate.eval_crop, "
            "evaluate.min_depth and evaluate.max_depth"
        )


def _require_fitting(rows: Sequence[tuple[DatasetClass, Row]], rules: Rules, config: ExperimentConfig) -> None:
    """Refuse rules in metres for ground truth that has none."""
    if config.evaluate.asks_for_own_rules and config.dataset.normalize_depth:
        raise SpecError(
            f"evaluate: found the rules {rules.name} beside dataset.normalize_depth=true, which takes the unit away; "
            "set dataset.normalize_depth=false"
        )
    pixels = next((entry.name for entry, _ in rows if entry.kind is DepthKind.DISPARITY), "")
    if pixels and rules.max_depth_m is not None:
        raise SpecError(
            f"evaluate: found a largest depth of {rules.max_depth_m:g} m ({rules.name}) for {pixels}, whose "
            "disparities in pixels have no metres; leave out evaluate.max_depth, or use evaluate.protocol=da2"
        )


def _truth_of(image: PredictedImage, target: Tensor, entry: DatasetClass, rules: Rules) -> Truth:
    box = torch.from_numpy(crop_box(crop_of(entry, rules.crop), target.shape[0], target.shape[1]))
    counts = image.valid & box.to(target.device)
    per_inverse_metre = 1 / entry.inverse_scale
    in_metres = entry.kind is not DepthKind.DISPARITY
    return Truth(values=target, counts=counts, in_metres=in_metres, per_inverse_metre=per_inverse_metre)


def _counts_in_validation(target: Tensor, entry: DatasetClass, limits: DepthRange) -> Tensor:
    """Return what counts in a training's validation, of ground truth that holds every known value."""
    box = torch.from_numpy(crop_box(entry.crop, target.shape[0], target.shape[1])).to(target.device)
    if entry.model_type is ModelType.METRIC:
        return box & (target > limits.min_m) & (target < limits.max_m)
    if entry.limits is None:
        return box
    return box & (target < 1 / entry.limits.min_m) & (target > 1 / entry.limits.max_m)


def _scenes_of(rows: Sequence[tuple[DatasetClass, Row]]) -> list[str]:
    """Return the first folder in which the paths of the images differ, for each row; empty where they do not."""
    folders = [row.image.absolute().parent.parts for _, row in rows]
    shared = 0
    while len({folder[: shared + 1] for folder in folders}) == 1 and len(folders[0]) > shared:
        shared += 1
    return ["".join(folder[shared : shared + 1]) for folder in folders]
