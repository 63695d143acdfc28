"""The samples of one split: annotation rows read, resized, cropped and normalised on demand.

A sample is a pure function of the seed, the epoch and the row, so a run can be repeated whatever the number of loading
processes. Decoded and resized samples are kept on disk (depth_net.data.decoded_store), and in memory too where the set
is small enough for ``cache_bytes``. Batches are made in depth_net.data.loaders.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypedDict

import numpy as np
import torch
from torch.utils.data import Dataset

from depth_net.config.choices import EvalCrop
from depth_net.config.dataset import AugmentationConfig, DataSource, SplitConfig, SplitName
from depth_net.data.annotations import Row, describe_bad_lines
from depth_net.data.augmentation import augment, changes_size, draw_zoom
from depth_net.data.decoded_store import Decoded, DecodedStore, open_store
from depth_net.data.families import (
    DatasetClass,
    DepthRange,
    GroundTruth,
    check_ground_truth_suffixes,
    load_ground_truth,
    require_family,
    resolve_depth_range,
)
from depth_net.data.picture_sizes import picture_size
from depth_net.data.readers import read_image
from depth_net.data.rows import read_rows
from depth_net.data.sources import resolve_source
from depth_net.data.transforms import (
    Planes,
    channels_first,
    crop_square,
    native_shape,
    normalize_image,
    resize_ground_truth,
    resize_image,
    resized_shape,
)
from depth_net.errors import DataError, SpecError
from depth_net.model.family import ModelType

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    from torch import Tensor

    from depth_net.config.experiment import ExperimentConfig

logger = logging.getLogger(__name__)

_MEGABYTE = 1 << 20
TINY_SET = 64
"""Up to here, loading processes and kept samples cost more than they save."""
SampleKey: TypeAlias = int | tuple[int, int]
"""A row number, or (epoch, row number); a bare row number means epoch 0."""
REPEATED = -1
"""The epoch of a sample that was given before."""


class Sample(TypedDict):
    """One image with its target. ``image`` is (3, H, W); the target is (1, H, W) in training, (1, native) otherwise."""

    image: Tensor
    """In training 8 bits, see `depth_net.training.normalization`; otherwise the input of the model."""
    target: Tensor
    """Metres for metric, disparity for relative models; 0 where not valid."""
    valid: Tensor
    """Boolean, shape of the target; all true for an image without ground truth."""
    image_size: list[int]
    """Native [height, width]."""
    image_path: str
    has_target: bool
    row: int
    """Number of the row, from 0; `REPEATED` for a sample that was given before and counts no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSettings:
    """How rows become samples."""

    split: SplitName
    crop_size: tuple[int, int]
    input_mean: tuple[float, ...]
    input_std: tuple[float, ...]
    limits: DepthRange
    normalize_depth: bool
    augmentation: AugmentationConfig
    cache_bytes: int
    disk_bytes: int | None
    """Most that the decoded set may take on disk; None leaves it to `open_store`."""
    seed: int
    whole_truth: bool = False
    """Every known value counts: neither boxes nor ranges."""
    native_size: bool = False
    """Images keep their size, rounded to patches."""

    @property
    def cover_size(self) -> tuple[int, int]:
        """What a resized image must cover: the crop, in training also the square that is cut from it."""
        height, width = self.crop_size
        return (height, max(height, width)) if self.split == "train" else self.crop_size

    def shape_of(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width at which the model sees an image of a size."""
        return native_shape(height, width) if self.native_size else resized_shape(height, width, self.cover_size)


class DepthDataset(Dataset[Sample]):
    """Samples of one split, over all its sources in order."""

    def __init__(self, rows: Sequence[tuple[DatasetClass, Row]], settings: SampleSettings) -> None:
        self.settings = settings
        self._rows = tuple(rows)
        self._cache: dict[int, Decoded] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: SampleKey) -> Sample:
        """Return one sample.

        Raises:
            DataError: the image or its ground truth cannot be read, or their sizes differ.
        """
        epoch, index = (0, key) if isinstance(key, int) else key
        decoded = self._decoded(index)
        if self.settings.split == "train":
            planes = self._training_planes(decoded, epoch=epoch, index=index)
        else:
            truth = decoded.truth or _absent_truth(decoded.native)
            planes = Planes(decoded.image, truth.target, truth.valid)
        sample = self._to_sample(planes, index, native=decoded.native)
        return {**sample, "row": REPEATED} if epoch == REPEATED else sample

    def shape_of(self, index: int) -> tuple[int, int]:
        """Return (height, width) of the image of a row once resized, from its first bytes where they tell it.

        Raises:
            DataError: the image cannot be read.
        """
        image = self._rows[index][1].image
        height, width = picture_size(image, is_image=True) or read_image(image).shape[:2]
        return self.settings.shape_of(height, width)

    @property
    def fits_cache(self) -> bool:
        """Whether all samples together fit into ``cache_bytes``, estimated from the size of the first one."""
        return self._needed_bytes <= self.settings.cache_bytes

    @cached_property
    def _needed_bytes(self) -> int:
        return len(self) * self._decode(0).nbytes

    @cached_property
    def _store(self) -> DecodedStore | None:
        if len(self) <= TINY_SET or self.settings.disk_bytes == 0:
            return None
        store = open_store(self._key(), needed=self._needed_bytes, limit=self.settings.disk_bytes)
        size = f"{self._needed_bytes / _MEGABYTE:.0f} MB"
        place = f"are kept in {store.folder}" if store else "are not kept on disk"
        logger.info("%s data: decoded samples (%s) %s", self.settings.split, size, place)
        return store

    def _key(self) -> Iterator[str]:
        """Give all that decides what is decoded, besides the content of the files."""
        settings = self.settings
        resizes = not (settings.split == "train" and changes_size(settings.augmentation))
        shape = (settings.cover_size, settings.native_size) if resizes else None
        truth = (settings.limits, settings.normalize_depth, settings.whole_truth)
        yield repr((settings.split == "train", shape, truth))
        before = None
        for entry, row in self._rows:
            if entry is not before:
                yield entry.rules
                before = entry
            yield f"{row.image}\n{row.depth}\n{row.mask}"

    @property
    def rows(self) -> tuple[tuple[DatasetClass, Row], ...]:
        """The dataset class and the annotation row of every sample."""
        return self._rows

    def _decoded(self, index: int) -> Decoded:
        if index in self._cache:
            return self._cache[index]
        if self._store is None:
            decoded = self._decode(index)
        else:
            entry, row = self._rows[index]
            decoded = self._store.get(index, entry.files_of(row), lambda: self._decode(index))
        if self.fits_cache:
            self._cache[index] = decoded
        return decoded

    def _decode(self, index: int) -> Decoded:
        """Read one row; resize it unless its size is random in every epoch."""
        settings = self.settings
        entry, row = self._rows[index]
        image = read_image(row.image)
        native = (image.shape[0], image.shape[1])
        truth = None
        if row.depth is not None:
            if settings.whole_truth:
                entry = replace(entry, crop=EvalCrop.NONE, limits=None)
            truth = load_ground_truth(row, entry, settings.limits, native, normalize=settings.normalize_depth)
            _require_same_size(row, native, truth)
        is_pure = entry.reads_by_itself(row)
        if settings.split == "train" and changes_size(settings.augmentation):
            return Decoded(image, truth, native, is_pure)
        shape = settings.shape_of(*native)
        if settings.split == "train" and truth is not None:
            truth = GroundTruth(*resize_ground_truth(truth, shape))
        return Decoded(resize_image(image, shape), truth, native, is_pure)

    def _training_planes(self, decoded: Decoded, *, epoch: int, index: int) -> Planes:
        settings = self.settings
        random = np.random.default_rng((settings.seed & 0xFFFFFFFF, epoch, index))
        truth = decoded.truth or _absent_truth(decoded.native)
        planes = Planes(decoded.image, truth.target, truth.valid)
        if changes_size(settings.augmentation):
            planes = self._magnify(planes, self._rows[index][0], draw_zoom(settings.augmentation, random))
        return augment(crop_square(planes, settings.crop_size[0], random), settings.augmentation, random)

    def _magnify(self, planes: Planes, entry: DatasetClass, zoom: float) -> Planes:
        """Resize by ``zoom`` beyond the crop; metric depth shrinks likewise, as if the camera had come nearer."""
        shape = resized_shape(planes.target.shape[0], planes.target.shape[1], self.settings.cover_size, zoom=zoom)
        target, valid = resize_ground_truth(GroundTruth(planes.target, planes.valid), shape)
        if entry.model_type is ModelType.METRIC and not self.settings.normalize_depth:
            target = target / np.float32(zoom)
            valid = valid & (target > self.settings.limits.min_m)
        return Planes(resize_image(planes.image, shape), target, valid)

    def _to_sample(self, planes: Planes, index: int, *, native: tuple[int, int]) -> Sample:
        row, settings = self._rows[index][1], self.settings
        if settings.split == "train":
            image: npt.NDArray[np.generic] = channels_first(planes.image)
        else:
            image = normalize_image(planes.image, settings.input_mean, settings.input_std)
        return Sample(
            image=torch.from_numpy(image),
            # Copies: an in-place change of a batch must not change the cache.
            target=torch.from_numpy(planes.target[None].copy()),
            valid=torch.from_numpy(planes.valid[None].copy()),
            image_size=[*native],
            image_path=str(row.image),
            has_target=row.depth is not None,
            row=index,
        )


def dataset_of(
    config: ExperimentConfig,
    split: SplitName,
    *,
    seed: int,
    max_depth_m: float | None = None,
    whole_truth: bool = False,
    native_size: bool = False,
) -> DepthDataset:
    """Read the annotation files of one split of a spec.

    Args:
        config: The spec.
        split: Training and validation samples, which are read in every epoch, are cached.
        seed: Start of all randomness.
        max_depth_m: Depth range of the model, which counts where the spec names none.
        whole_truth: Let every known value of the ground truth count, outside of boxes and ranges too.
        native_size: Keep the size of images, rounded to patches.

    Raises:
        SpecError: no source, a reader that does not exist or one that does not belong to the model's family.
        DataError: annotation lines that cannot be used.
    """
    section, dataset = config.dataset.split(split), config.dataset
    return build_dataset(
        section.data_sources,
        split=split,
        model_type=config.model.model_type,
        crop_size=(section.augmentation.crop_size[0], section.augmentation.crop_size[-1]),
        input_mean=section.augmentation.input_mean,
        input_std=section.augmentation.input_std,
        min_depth_m=dataset.min_depth,
        max_depth_m=dataset.max_depth if dataset.max_depth is not None else max_depth_m,
        normalize_depth=dataset.normalize_depth,
        augmentation=section.augmentation if split == "train" else None,
        cache_bytes=section.cache_mb * _MEGABYTE if split in ("train", "val") else 0,
        disk_bytes=_disk_bytes(section) if split in ("train", "val") else 0,
        seed=seed,
        whole_truth=whole_truth,
        native_size=native_size,
    )


def _disk_bytes(section: SplitConfig) -> int | None:
    return None if section.disk_cache_mb is None else section.disk_cache_mb * _MEGABYTE


def build_dataset(  # noqa: PLR0913 - the keys of the spec, one to one
    sources: Sequence[DataSource],
    *,
    split: SplitName,
    model_type: ModelType,
    crop_size: tuple[int, int],
    input_mean: Sequence[float],
    input_std: Sequence[float],
    min_depth_m: float | None,
    max_depth_m: float | None,
    normalize_depth: bool = False,
    augmentation: AugmentationConfig | None = None,
    cache_bytes: int = 0,
    disk_bytes: int | None = 0,
    seed: int,
    whole_truth: bool = False,
    native_size: bool = False,
) -> DepthDataset:
    """Read the annotation files of one split and describe how its samples are made.

    Args:
        sources: The parts, joined in this order.
        split: ``train`` crops and augments; ``train``, ``val`` and ``test`` need ground truth in every row.
        model_type: The model that will see the samples; every dataset name must belong to its family.
        crop_size: (height, width) that a resized image covers; training cuts squares of ``crop_size[0]``.
        input_mean: Mean of the red, green and blue values in [0, 1].
        input_std: Their standard deviation.
        min_depth_m: Depths up to this do not count, in metres; None means 0.001. Relative models ignore it.
        max_depth_m: Depths from this on do not count, in metres; None means 10.
        normalize_depth: Stretch the ground truth of each image to [0, 1].
        augmentation: What happens to training samples; nothing by default and in the other splits.
        cache_bytes: Keep decoded samples in memory if the whole set needs at most this much.
        disk_bytes: Keep them on disk if it needs at most this much; None means what `open_store` allows.
        seed: Start of all randomness.
        whole_truth: Every known value counts.
        native_size: Images keep their size, rounded to patches.

    Raises:
        SpecError: an unknown dataset name, one of the other family, or no source.
        DataError: annotation lines that cannot be used, or rows without the ground truth that the split needs.
    """
    if model_type is ModelType.RELATIVE and (min_depth_m is not None or max_depth_m is not None):
        min_depth_m, max_depth_m = None, None
    settings = SampleSettings(
        split=split,
        crop_size=(crop_size[0], crop_size[1]),
        input_mean=tuple(input_mean),
        input_std=tuple(input_std),
        limits=DepthRange(0.0, float("inf")) if whole_truth else resolve_depth_range(min_depth_m, max_depth_m),
        normalize_depth=normalize_depth,
        augmentation=augmentation or AugmentationConfig(),
        cache_bytes=cache_bytes,
        disk_bytes=disk_bytes,
        seed=seed,
        whole_truth=whole_truth,
        native_size=native_size,
    )
    return DepthDataset(read_sources(sources, split=split, model_type=model_type), settings)


def read_sources(
    sources: Sequence[DataSource], *, split: SplitName, model_type: ModelType
) -> tuple[tuple[DatasetClass, Row], ...]:
    """Read and check all annotation files of one split; see `build_dataset`."""
    if not sources:
        message = (
            f"dataset.{split}_dataset.data_sources: found nothing, expected at least one dataset_name with a data_file"
        )
        raise SpecError(message)
    for source in sources:
        if source.dataset_name:
            require_family(source.dataset_name, model_type)
    joined: list[tuple[DatasetClass, Row]] = []
    for source in sources:
        rows = read_rows(source, needs_depth=split != "infer")
        entry = resolve_source(source, model_type, [row.depth for row in rows if row.depth is not None])
        problems = _ground_truth_problems(entry, rows, required=split != "infer")
        if problems:
            raise DataError(describe_bad_lines(Path(source.data_file), problems, total=len(rows)))
        joined.extend((entry, row) for row in rows)
    return tuple(joined)


def _ground_truth_problems(entry: DatasetClass, rows: Sequence[Row], *, required: bool) -> tuple[str, ...]:
    missing = [f"line {row.line}: no ground truth beside {row.image}" for row in rows if required and row.depth is None]
    named = [(row.line, row.depth) for row in rows if row.depth is not None]
    return (*missing, *check_ground_truth_suffixes(entry, named))


def _require_same_size(row: Row, native: tuple[int, int], truth: GroundTruth) -> None:
    if truth.target.shape != native:
        height, width = truth.target.shape
        message = (
            f"annotation line {row.line}: {row.image} is {native[0]}x{native[1]} (height x width), its ground truth "
            f"{row.depth} is {height}x{width}; expected equal sizes; rescale one of them or remove the line"
        )
        raise DataError(message)


def _absent_truth(native: tuple[int, int]) -> GroundTruth:
    return GroundTruth(np.zeros(native, dtype=np.float32), np.ones(native, dtype=np.bool_))
