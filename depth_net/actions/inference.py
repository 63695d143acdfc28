"""`depth_net inference`: pictures, depth files and point clouds of images and videos.

Files keep the folder and the name of their source below the results folder, whatever characters those have. The
extension alone is replaced for raw predictions; the reference replaces every "png" or "jpg" anywhere in the path.
Of a video, pictures and maps become videos; other files are written for every frame.
"""

from __future__ import annotations

import itertools
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from depth_net.actions.depth_files import camera_of, require_possible, write_depth_png, write_points, write_raw
from depth_net.actions.prediction import (
    choose_device,
    load_split,
    predict_batch,
    predict_images,
    show_progress,
    write_results,
)
from depth_net.actions.side_by_side import draw_map, draw_side_by_side, write_picture
from depth_net.actions.tiles import refine
from depth_net.actions.video_file import VideoFile
from depth_net.colours import scale_of
from depth_net.config.choices import ColourMap, Output, Resolution
from depth_net.data.readers import read_image
from depth_net.data.rows import VIDEO_SUFFIXES
from depth_net.data.transforms import native_shape, normalize_image, resized_shape
from depth_net.data.video import Video
from depth_net.model.family import ModelType
from depth_net.model.restored import restore_model
from depth_net.scoring import align

if TYPE_CHECKING:
    from collections.abc import Iterator

    from depth_net.actions.prediction import PredictedImage
    from depth_net.colours import DepthArray, ImageArray, Scale
    from depth_net.config.experiment import ExperimentConfig
    from depth_net.model.depth_anything import DepthAnything
    from depth_net.status import StatusWriter

logger = logging.getLogger(__name__)

PICTURES: Final = "inference_images"
_FOLDERS: Final = {
    Output.PICTURES: PICTURES,
    Output.COLOUR: "inference_colour",
    Output.DEPTH_PNG: "inference_depth_png",
    Output.NPY: "inference_npy",
    Output.PFM: "inference_pfm",
    Output.EXR: "inference_exr",
    Output.PLY: "inference_ply",
}
_RAW: Final = (Output.NPY, Output.PFM, Output.EXR)
_KEPT_SHARE: Final = 0.9
"""Of the colour range of the frame before, so that a video does not flicker."""


def run(config: ExperimentConfig, status: StatusWriter) -> None:
    """Predict every image and video of `dataset.infer_dataset` with `inference.checkpoint`.

    ``<results>/results.json`` lists the files of each image.

    Raises:
        WeightsError: the checkpoint cannot be used.
        SpecError: a file is asked for that this model or this machine cannot give.
        DataError: an image or a video cannot be read, or its depth does not fit into the files.
    """
    checkpoint = str(config.inference.checkpoint)
    require_possible(config.inference, config.model.model_type)
    sources = config.dataset.infer_dataset.data_sources
    videos = [Video(Path(source.data_file).expanduser()) for source in sources if _is_video(source.data_file)]
    status.running(f"Loading checkpoint: {checkpoint}")
    model = restore_model(config, checkpoint)
    writer = _Writer(config=config, model=model, folder=config.results_directory("inference"))
    written: list[dict[str, object]] = []
    if len(videos) < len(sources):
        written += _predict_images(writer)
    for video in videos:
        written.append(_predict_video(writer, video))
    about = {"checkpoint": checkpoint, "model_type": model.model_type.value, "num_images": len(written)}
    counts = {"num_pixels_clipped": writer.clipped} if Output.DEPTH_PNG in config.inference.files else {}
    write_results(writer.folder, {**about, **counts, "images": written})
    if writer.clipped:
        logger.warning("depth_png: %d pixels were clipped to what 16 bits hold", writer.clipped)
    logger.info("%d images and videos: %s", len(written), writer.folder)


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


@dataclass(kw_only=True)
class _Writer:
    """Writes the files of predictions.

    Attributes:
        config: The spec.
        model: The model, whose family decides what colours and files mean.
        folder: Of the results.
        taken: Places of raw files, by output.
        clipped: Pixels that 16 bits could not hold.
    """

    config: ExperimentConfig
    model: DepthAnything
    folder: Path
    taken: dict[Output, dict[Path, Path]] = field(default_factory=dict)
    clipped: int = 0

    @property
    def in_metres(self) -> bool:
        """Whether predictions are metres."""
        return self.model.model_type is ModelType.METRIC

    def scale(self, values: DepthArray, valid: np.ndarray | None) -> Scale:
        """Return the colours of a map."""
        settings = self.config.inference
        colours = settings.colour_map or ColourMap.SPECTRAL
        return scale_of(values, valid, in_metres=self.in_metres, colours=colours, limits=settings.colour_range)

    def refined(self, image: PredictedImage, picture: ImageArray) -> DepthArray:
        """Return the prediction as an array, with the details of tiles if the spec asks for them."""
        prediction, split = image.prediction.float(), self.config.dataset.infer_dataset
        if self.config.inference.resolution is Resolution.TILES:
            mean, std = split.augmentation.input_mean, split.augmentation.input_std
            native = torch.from_numpy(normalize_image(picture, mean, std)).to(prediction.device)
            tile = (split.augmentation.crop_size[0], split.augmentation.crop_size[-1])
            prediction = refine(self.model, native, prediction, tile, split.batch_size)
        return np.asarray(prediction.cpu().numpy(), dtype=np.float32)

    def write_pictures(self, image: PredictedImage, picture: ImageArray, prediction: DepthArray) -> dict[str, Path]:
        """Write the pictures of one image and return them by what they are."""
        files, place = self.config.inference.files, place_of(image.path)
        found: dict[str, Path] = {}
        if Output.PICTURES in files:
            found["picture"] = self.folder / PICTURES / place
            write_picture(found["picture"], self._side_by_side(image, picture, prediction))
        if Output.COLOUR in files:
            found["colour"] = self.place(Output.COLOUR, place, ".png")
            write_picture(found["colour"], draw_map(prediction, self.scale(prediction, None)))
        return found

    def write_files(self, image: PredictedImage, picture: ImageArray, prediction: DepthArray) -> dict[str, Path]:
        """Write what is no picture of one image and return it by what it is."""
        settings, place = self.config.inference, place_of(image.path)
        found: dict[str, Path] = {}
        for kind in _RAW:
            if kind in settings.files:
                found[kind.value] = self.place(kind, place, f".{kind.value}")
                write_raw(found[kind.value], prediction, kind)
        if Output.DEPTH_PNG in settings.files:
            found["depth_png"] = self.place(Output.DEPTH_PNG, place, ".png")
            self.clipped += write_depth_png(found["depth_png"], prediction, settings)
        if Output.PLY in settings.files:
            found["ply"] = self.place(Output.PLY, place, ".ply")
            camera = camera_of(settings.intrinsics, settings.field_of_view, prediction.shape)
            write_points(found["ply"], prediction, picture, camera)
        return found

    def place(self, kind: Output, place: Path, suffix: str) -> Path:
        """Return where a file of a kind lies, whose source lies at ``place``."""
        return self.folder / _FOLDERS[kind] / raw_place(place, suffix, self.taken.setdefault(kind, {}))

    def _side_by_side(self, image: PredictedImage, picture: ImageArray, prediction: DepthArray) -> ImageArray:
        valid = image.valid.cpu().numpy()
        if image.target is None:
            return draw_side_by_side(picture, prediction, None, valid, self.scale(prediction, None))
        target = np.asarray(image.target.float().cpu().numpy(), dtype=np.float32)
        if not self.in_metres:
            aligned = align(torch.from_numpy(prediction).double(), image.target.cpu().double(), image.valid.cpu())
            prediction = np.asarray(aligned.numpy(), dtype=np.float32)
        scale = self.scale(target, valid) if valid.any() else self.scale(prediction, None)
        return draw_side_by_side(picture, prediction, target, valid, scale)


def _predict_images(writer: _Writer) -> Iterator[dict[str, object]]:
    config, split = writer.config, writer.config.dataset.infer_dataset
    sources = tuple(source for source in split.data_sources if not _is_video(source.data_file))
    images_alone = split.model_copy(update={"data_sources": sources})
    dataset = config.dataset.model_copy(update={"infer_dataset": images_alone})
    config = config.model_copy(update={"dataset": dataset})
    is_native = config.inference.resolution is Resolution.NATIVE
    device = choose_device(config.inference.gpu_ids)
    loader = load_split(config, "infer", writer.model.max_depth_m, native_size=is_native)
    total = len(loader.dataset)  # type: ignore[arg-type]  # a DepthDataset
    for image in show_progress(predict_images(writer.model, loader, device), total, "inference"):
        picture = read_image(image.path)
        prediction = writer.refined(image, picture)
        files = {
            "image": image.path,
            **writer.write_pictures(image, picture, prediction),
            **writer.write_files(image, picture, prediction),
        }
        yield {name: _readable(path) for name, path in files.items()}


def _predict_video(writer: _Writer, video: Video) -> dict[str, object]:
    split, settings = writer.config.dataset.infer_dataset, writer.config.inference
    crop = (split.augmentation.crop_size[0], split.augmentation.crop_size[-1])

    def shape_of(height: int, width: int) -> tuple[int, int]:
        is_native = settings.resolution is Resolution.NATIVE
        return native_shape(height, width) if is_native else resized_shape(height, width, crop)

    device = choose_device(settings.gpu_ids)
    writer.model.to(device).eval()
    batches = video.batches(split.batch_size, shape_of, split.augmentation.input_mean, split.augmentation.input_std)
    pairs = (zip(predict_batch(writer.model, batch, device), frames, strict=True) for batch, frames in batches)
    predicted = itertools.chain.from_iterable(pairs)
    drawn = [kind for kind in (Output.PICTURES, Output.COLOUR) if kind in settings.files]
    place = place_of(video.path)
    films = {kind: VideoFile(writer.place(kind, place, ".mp4"), video.frames_per_s) for kind in drawn}
    count, scale = 0, None
    for image, frame in show_progress(predicted, len(video), f"inference {video.path.name}"):
        prediction = writer.refined(image, frame)
        scale = _steadied(writer.scale(prediction, None), scale)
        for kind, film in films.items():
            if kind is Output.COLOUR:
                film.add(draw_map(prediction, scale))
            else:
                film.add(draw_side_by_side(frame, prediction, None, image.valid.cpu().numpy(), scale))
        writer.write_files(image, frame, prediction)
        count += 1
    for film in films.values():
        film.close()
    names = {"picture" if kind is Output.PICTURES else kind.value: _readable(film.path) for kind, film in films.items()}
    return {"image": _readable(video.path), "num_frames": count, **names}


def _steadied(scale: Scale, before: Scale | None) -> Scale:
    if before is None:
        return scale
    low, high = (
        _KEPT_SHARE * old + (1 - _KEPT_SHARE) * new for old, new in ((before.low, scale.low), (before.high, scale.high))
    )
    return type(scale)(low=low, high=high, in_metres=scale.in_metres, colours=scale.colours)


def _is_video(path: str) -> bool:
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def _readable(path: Path) -> str:
    """Return a path as text; bytes of its name that are no text are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
