"""`depth_net evaluate`: score a checkpoint on the test split and write `results.json`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from depth_net.actions.prediction import choose_device, load_split, predict_images, show_progress, write_results
from depth_net.data.families import resolve_depth_range
from depth_net.errors import DataError
from depth_net.model.restored import restore_model
from depth_net.scoring import DepthMetrics
from depth_net.training.baseline import ConstantBaseline

if TYPE_CHECKING:
    from depth_net.config.experiment import ExperimentConfig
    from depth_net.status import StatusWriter

logger = logging.getLogger(__name__)


def run(config: ExperimentConfig, status: StatusWriter) -> None:
    """Evaluate `evaluate.checkpoint` on `dataset.test_dataset`.

    Writes the line ``Test metrics generated.`` with ``val/*`` values, the prefix of the reference, and
    ``<results>/results.json`` with the same numbers and what they were measured on.

    Raises:
        WeightsError: the checkpoint cannot be used.
        DataError: a sample cannot be read, or no pixel of the split has ground truth.
    """
    checkpoint = str(config.evaluate.checkpoint)
    status.running(f"Loading checkpoint: {checkpoint}")
    model = restore_model(config, checkpoint)
    device = choose_device(config.evaluate.gpu_ids)
    loader = load_split(config, "test", model.max_depth_m)
    depth_range = resolve_depth_range(config.dataset.min_depth, model.max_depth_m)
    metrics = DepthMetrics(model.model_type, min_depth_m=depth_range.min_m, max_depth_m=depth_range.max_m)
    baseline = ConstantBaseline(model.model_type, min_depth_m=depth_range.min_m, max_depth_m=depth_range.max_m)
    for image in show_progress(predict_images(model, loader, device), loader, "evaluate"):
        if image.target is not None:
            metrics.update([image.prediction], [image.target], [image.valid])
            baseline.update(image.target, image.valid)
    values = {name: float(value) for name, value in metrics.compute().items()}
    if not values["valid_fraction"] > 0:
        raise DataError(
            f"dataset.test_dataset: found no valid ground-truth pixel in {values['num_images']:.0f} images; expected "
            "depth within the range of the spec; fix: check dataset_name, min_depth and max_depth"
        )
    kpi = {f"val/{name}": value for name, value in values.items()} | {"val/d1_constant": float(baseline.compute())}
    about = {"checkpoint": checkpoint, "model_type": model.model_type.value}
    write_results(config.results_directory("evaluate"), {**kpi, **about})
    status.running("Test metrics generated.", kpi=kpi)
    logger.info("%s", "  ".join(f"{name} {value:.4f}" for name, value in kpi.items()))
