"""`depth_net inference`: a picture panel per image, and the raw prediction if the spec requests it.

Files keep the folder and the name of their source below the results folder, whatever characters those have. The
extension alone is replaced for raw predictions; the reference replaces every "png" or "jpg" anywhere in the path.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from depth_net.actions.prediction import choose_device, load_split, predict_images, show_progress, write_results
from depth_net.actions.side_by_side import draw_side_by_side, write_picture
from depth_net.data.readers import read_image, write_pfm
from depth_net.model.restored import restore_model

if TYPE_CHECKING:
    from depth_net.actions.prediction import PredictedImage
    from depth_net.config.experiment import ExperimentConfig
    from depth_net.status import StatusWriter

logger = logging.getLogger(__name__)

PICTURES = "inference_images"
PFM = "inference_pfm"
NPY = "inference_npy"


def run(config: ExperimentConfig, status: StatusWriter) -> None:
    """Predict every image of `dataset.infer_dataset` with `inference.checkpoint`.

    ``<results>/results.json`` lists the files of each image.

    Raises:
        WeightsError: the checkpoint cannot be used.
        DataError: an image cannot be read.
    """
    checkpoint = str(config.inference.checkpoint)
    status.running(f"Loading checkpoint: {checkpoint}")
    model = restore_model(config, checkpoint)
    device = choose_device(config.inference.gpu_ids)
    loader = load_split(config, "infer", model.max_depth_m)
    folder = config.results_directory("inference")
    written: list[dict[str, str]] = []
    taken: dict[Path, Path] = {}
    for image in show_progress(predict_images(model, loader, device), loader, "inference"):
        files = _write(image, folder, taken, pfm=config.inference.save_raw_pfm, npy=config.inference.save_raw_npy)
        written.append({name: _readable(path) for name, path in files.items()})
    about = {"checkpoint": checkpoint, "model_type": model.model_type.value, "num_images": len(written)}
    write_results(folder, {**about, "images": written})
    logger.info("%d images: %s", len(written), folder / PICTURES)


def place_of(source: Path) -> Path:
    """Where a source lies below a folder of results: its path without the root and without climbing up."""
    parts = [part for part in source.parts if part not in (source.anchor, "..", ".")]
    return Path(*parts)


def raw_place(place: Path, suffix: str, taken: dict[Path, Path]) -> Path:
    """Where a raw prediction lies: ``a.pfm`` of ``a.png``, or ``a.jpg.pfm`` of ``a.jpg`` if ``a.pfm`` is ``a.png``'s.

    Args:
        place: Of the source below a folder of results.
        suffix: Of the raw prediction, with the dot.
        taken: Places of this run and whose they are; the answer is added.
    """
    short = place.with_suffix(suffix)
    return short if taken.setdefault(short, place) == place else place.with_name(place.name + suffix)


def _readable(path: Path) -> str:
    """Return a path as text; bytes of its name that are no text are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _write(image: PredictedImage, folder: Path, taken: dict[Path, Path], *, pfm: bool, npy: bool) -> dict[str, Path]:
    """Write the files of one image and return them by what they are."""
    prediction = image.prediction.float().cpu().numpy()
    target = None if image.target is None else image.target.float().cpu().numpy()
    place = place_of(image.path)
    files = {"image": image.path, "picture": folder / PICTURES / place}
    picture = draw_side_by_side(read_image(image.path), prediction, target, image.valid.cpu().numpy())
    write_picture(files["picture"], picture)
    if pfm:
        files["pfm"] = folder / PFM / raw_place(place, ".pfm", taken)
        files["pfm"].parent.mkdir(parents=True, exist_ok=True)
        write_pfm(files["pfm"], prediction)
    if npy:
        files["npy"] = folder / NPY / raw_place(place, ".npy", taken)
        files["npy"].parent.mkdir(parents=True, exist_ok=True)
        np.save(files["npy"], prediction)
    return files
