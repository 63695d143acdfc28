"""The dataset names of a spec: how each reads its ground truth, what the numbers mean, and which pixels count.

The first ten names and their rules are those of the container, with four exceptions, because the original rules spoil
training: infinite and NaN values never count; 0 counts in no kind of file unless the source says so; the
box of NYU Depth V2 lies in the coordinates of the ground truth, scaled to its size, not in those of the crop; a picture
is refused where the container takes its red channel. What a spec says beyond the name is in depth_net.data.sources.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from depth_net.config.choices import DepthKind, EvalCrop
from depth_net.config.dataset import DEPTH_SCALES
from depth_net.data import readers
from depth_net.data.picture_sizes import has_8_bits
from depth_net.errors import DataError, SpecError
from depth_net.model.family import ModelType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from depth_net.data.annotations import Row
    from depth_net.data.readers import DepthArray

MaskArray: TypeAlias = npt.NDArray[np.bool_]
"""True where the ground truth counts, shape (H, W)."""

DEFAULT_MIN_DEPTH_M = 1e-3
DEFAULT_MAX_DEPTH_M = 10.0
MAX_DISPARITY = 1000.0
"""Disparities from here on mark unknown pixels, and so do those below 0, and 0 unless a source says otherwise."""

_BOXES = {
    EvalCrop.NYU: (45 / 480, 471 / 480, 41 / 640, 601 / 640),
    EvalCrop.EIGEN: (0.3324324, 0.91351351, 0.0359477, 0.96405229),
    EvalCrop.GARG: (0.40810811, 0.99189189, 0.03594771, 0.96405229),
}
"""Top, bottom, left and right edge as shares of height and width.

Source: Eigen et al. 2014 (arXiv:1406.2283), whose box of NYU Depth V2 is rows 45:471 and columns 41:601 of 480x640, and
Garg et al. 2016 (arXiv:1603.04992); the two of KITTI as the published evaluations round them.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetClass:
    """One dataset name and its rules, with what a source adds to them.

    Attributes:
        name: The name.
        model_type: The family that it is for; None for both: a relative model gets 1/m of depth.
        kind: What the values are.
        read: Reads the values as stored.
        suffixes: Ground-truth files it reads, in lower case with the dot.
        per_unit: The stored value of one metre (pixel, 1/m); None where the files have no unit of their own, and a
            source that states none means 1.
        crop: Box outside of which nothing counts.
        invalid: Stored values that do not count.
        zero_counts: A disparity of 0 counts.
        has_no_header: The files are raw floats of the size of the image; ``read`` is not used.
        limits: Range of metres, both ends excluded, that replaces the one of the spec.
        inverse_scale: A relative model gets 1 / (inverse_scale * metres).
    """

    name: str
    model_type: ModelType | None = None
    kind: DepthKind = DepthKind.DEPTH
    read: Callable[[Path], DepthArray] = readers.read_values
    suffixes: frozenset[str]
    per_unit: float | None = None
    crop: EvalCrop = EvalCrop.NONE
    invalid: tuple[float, ...] = ()
    zero_counts: bool = False
    has_no_header: bool = False
    limits: DepthRange | None = None
    inverse_scale: float = 1.0

    @property
    def gives_metres(self) -> bool:
        """Whether the target is in metres: that of a metric model is, that of a relative one is disparity."""
        return self.model_type is ModelType.METRIC

    @property
    def unit(self) -> str:
        """How stored values become metres, pixels or 1/m, for messages."""
        name = {DepthKind.DEPTH: "m", DepthKind.DISPARITY: "px", DepthKind.INVERSE_DEPTH: "1/m"}[self.kind]
        return f"value / {self.per_unit:g} {name}" if self.per_unit not in (None, 1.0) else f"value in {name}"

    @property
    def rules(self) -> str:
        """All that decides what is made of a row's files, as one text that is the same in every process."""
        named = [
            (each.name, getattr(self, each.name)) for each in fields(self) if each.name not in ("read", "suffixes")
        ]
        return f"{self.read.__name__} {named}"

    def values_of(self, path: Path, size: tuple[int, int]) -> DepthArray:
        """Read the values of a file as stored, for an image of (height, width) ``size``."""
        return readers.read_raw_floats(path, size) if self.has_no_header else self.read(path)

    def files_of(self, row: Row) -> tuple[Path, ...]:
        """Return all files that the content of a row depends on."""
        beside = [readers.diode_mask(row.depth)] if row.depth is not None and self.read is readers.read_diode else []
        return (*(path for path in (row.image, row.depth, row.mask) if path is not None), *beside)

    def reads_by_itself(self, row: Row) -> bool:
        """Tell whether a row depends on its own files alone; 16-bit pictures depend on others beside them."""
        pictures = [row.image, *([row.depth] if row.depth is not None and self.read is readers.read_fsd else [])]
        return all(map(has_8_bits, pictures))


@dataclass(frozen=True, slots=True)
class DepthRange:
    """Depths that count, both ends excluded, in metres."""

    min_m: float = DEFAULT_MIN_DEPTH_M
    max_m: float = DEFAULT_MAX_DEPTH_M


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """Target and mask of one image at native size."""

    target: DepthArray
    """Metres or disparity, shape (H, W); 0 where not valid."""
    valid: MaskArray


_RELATIVE, _METRIC = ModelType.RELATIVE, ModelType.METRIC
_PFM, _PNG, _NPY, _RAW = (frozenset({suffix}) for suffix in (".pfm", ".png", ".npy", ".jpg"))
_HDF5 = frozenset({".h5", ".hdf5"})
_ANY = _PFM | _PNG | _NPY | _HDF5 | {".npz", ".tif", ".tiff", ".exr"}
_ONE = 1.0


def _disparity_class(
    name: str,
    read: Callable[[Path], DepthArray] = readers.read_values,
    suffixes: frozenset[str] = _PFM | _PNG,
    per_unit: float | None = None,
) -> DatasetClass:
    return DatasetClass(
        name=name, model_type=_RELATIVE, kind=DepthKind.DISPARITY, read=read, suffixes=suffixes, per_unit=per_unit
    )


def _nyu(name: str, model_type: ModelType, limits: DepthRange | None) -> DatasetClass:
    crop = EvalCrop.NYU
    return DatasetClass(
        name=name, model_type=model_type, suffixes=_PNG, per_unit=DEPTH_SCALES["millimetres"], crop=crop, limits=limits
    )


_CLASSES = (
    _disparity_class("RelativeMonoDataset", suffixes=_ANY),
    DatasetClass(name="MetricMonoDataset", model_type=_METRIC, suffixes=_ANY),
    _nyu("NYUDV2", _METRIC, None),
    _nyu("NYUDV2Relative", _RELATIVE, DepthRange()),
    DatasetClass(
        name="ThreeDVLM",
        model_type=_RELATIVE,
        read=readers.read_npy,
        suffixes=_NPY,
        per_unit=_ONE,
        inverse_scale=1000.0,
    ),
    _disparity_class("FSD", readers.read_fsd, _PNG, _ONE),
    _disparity_class("NvCLIP", readers.read_unflipped_disparity, _PFM),
    _disparity_class("IssacStereo", readers.read_pfm, _PFM),
    _disparity_class("Crestereo", readers.read_picture_values, _PNG, 32.0),
    _disparity_class("Middlebury"),
    DatasetClass(name="KITTI", suffixes=_PNG, per_unit=DEPTH_SCALES["kitti"]),
    DatasetClass(name="VKITTI2", suffixes=_PNG, per_unit=DEPTH_SCALES["centimetres"], invalid=(65535.0,)),
    DatasetClass(name="Hypersim", read=readers.read_hypersim, suffixes=_HDF5, per_unit=_ONE),
    DatasetClass(name="DIODE", read=readers.read_diode, suffixes=_NPY, per_unit=_ONE),
    DatasetClass(name="ETH3D", suffixes=_RAW, per_unit=_ONE, has_no_header=True),
    DatasetClass(name="TUM", suffixes=_PNG, per_unit=DEPTH_SCALES["tum"]),
)
_ALIASES = {"baserelativemonodataset": "relativemonodataset", "basemetricmonodataset": "metricmonodataset"}
_BY_NAME = {entry.name.lower(): entry for entry in _CLASSES}

DATASET_NAMES = tuple(entry.name for entry in _CLASSES)
"""The names, without the two aliases BaseRelativeMonoDataset and BaseMetricMonoDataset."""


def find_dataset_class(name: str) -> DatasetClass:
    """Look up a dataset name, in any case.

    Raises:
        SpecError: no dataset has this name; the message suggests the nearest and lists all.
    """
    key = name.strip().lower()
    entry = _BY_NAME.get(_ALIASES.get(key, key))
    if entry is not None:
        return entry
    nearest = difflib.get_close_matches(key, [*_BY_NAME, *_ALIASES], n=1)
    suggestion = f"did you mean {_BY_NAME[_ALIASES.get(nearest[0], nearest[0])].name}? " if nearest else ""
    known = ", ".join(DATASET_NAMES)
    message = f"dataset_name: found '{name}', which is no monocular data set; {suggestion}expected one of {known}"
    raise SpecError(message)


def require_family(name: str, model_type: ModelType) -> DatasetClass:
    """Look up a dataset name that fits ``model_type``.

    Raises:
        SpecError: the name is unknown, or belongs to the other family; the message names the right pair.
    """
    entry = find_dataset_class(name)
    if entry.model_type in (None, model_type):
        return replace(entry, model_type=model_type)
    raise SpecError(describe_family_mismatch(entry, model_type))


def describe_family_mismatch(entry: DatasetClass, model_type: ModelType) -> str:
    """Return which dataset name or which model type fits ``entry`` and ``model_type``."""
    twin = _twin(entry, model_type)
    encoded = "disparity" if entry.model_type is _RELATIVE else "depth in metres"
    return (
        f"dataset_name {entry.name} gives {encoded}, which model_type {model_type} does not learn: "
        f"use dataset_name {twin} with {model_type}, or model_type {entry.model_type} with {entry.name}"
    )


def ground_truth_from(
    raw: DepthArray, entry: DatasetClass, limits: DepthRange, *, normalize: bool = False
) -> GroundTruth:
    """Turn the numbers of a ground-truth file into a target and its mask.

    Args:
        raw: The values as stored, shape (H, W).
        entry: The rules of the data set for one family.
        limits: Range of metres for a metric model. `NYUDV2Relative` always uses (0.001, 10), as the container does.
        normalize: Stretch the valid values of this image to [0, 1]; only for pseudo ground truth without a unit.

    Returns:
        The target, 0 outside the mask.
    """
    known = np.isfinite(raw)
    if entry.invalid:
        known &= ~np.isin(raw, np.asarray(entry.invalid, dtype=np.float32))
    target, counts = _decode(in_units(raw, entry), entry, limits)
    valid = known & counts & crop_box(entry.crop, raw.shape[0], raw.shape[1])
    target = np.where(valid, target, np.float32(0.0))
    return GroundTruth(_stretch(target, valid) if normalize else target, valid)


def in_units(raw: DepthArray, entry: DatasetClass) -> DepthArray:
    """Return stored values as metres, pixels of disparity or 1/m."""
    return raw if entry.per_unit in (None, 1.0) else raw / np.float32(entry.per_unit)


def load_ground_truth(
    row: Row, entry: DatasetClass, limits: DepthRange, size: tuple[int, int], *, normalize: bool = False
) -> GroundTruth:
    """Read the ground truth of a row that has some, and its mask; see `ground_truth_from`.

    Raises:
        DataError: a file cannot be read, or the mask has another size.
    """
    if row.depth is None:
        raise DataError(f"annotation line {row.line}: no ground truth beside {row.image}")
    truth = ground_truth_from(entry.values_of(row.depth, size), entry, limits, normalize=normalize)
    if row.mask is None:
        return truth
    mask = readers.read_mask(row.mask)
    if mask.shape != truth.valid.shape:
        raise DataError(
            f"{row.mask}: expected a mask of the size of {row.depth}, {truth.valid.shape}; found {mask.shape}"
        )
    valid = truth.valid & mask
    return GroundTruth(np.where(valid, truth.target, np.float32(0.0)), valid)


def crop_box(crop: EvalCrop, height: int, width: int) -> MaskArray:
    """Return which pixels of an image count, shape (height, width)."""
    if crop is EvalCrop.NONE:
        return np.ones((height, width), dtype=np.bool_)
    top, bottom, left, right = _BOXES[crop]
    rounded = round if crop is EvalCrop.NYU else int
    mask = np.zeros((height, width), dtype=np.bool_)
    mask[rounded(top * height) : rounded(bottom * height), rounded(left * width) : rounded(right * width)] = True
    return mask


def check_ground_truth_suffixes(entry: DatasetClass, paths: Sequence[tuple[int, Path]]) -> tuple[str, ...]:
    """Return one problem per ``(line, path)`` whose kind of file ``entry`` does not read."""
    expected = " or ".join(sorted(entry.suffixes))
    return tuple(
        f"line {line}: {entry.name} reads {expected}, found {path}"
        for line, path in paths
        if path.suffix.lower() not in entry.suffixes
    )


def resolve_depth_range(min_depth_m: float | None, max_depth_m: float | None) -> DepthRange:
    """Fill a missing end with 0.001 m or 10 m.

    Raises:
        SpecError: the range is empty or starts below 0.
    """
    lower = DEFAULT_MIN_DEPTH_M if min_depth_m is None else min_depth_m
    upper = DEFAULT_MAX_DEPTH_M if max_depth_m is None else max_depth_m
    if not 0 <= lower < upper:
        message = (
            f"dataset.min_depth, dataset.max_depth: found {lower} and {upper} m; expected 0 <= min_depth < max_depth"
        )
        raise SpecError(message)
    return DepthRange(lower, upper)


def _decode(values: DepthArray, entry: DatasetClass, limits: DepthRange) -> tuple[DepthArray, MaskArray]:
    """Return metres for a metric model, disparity for a relative one, and which of them count."""
    if entry.model_type is _METRIC:
        metres = values if entry.kind is DepthKind.DEPTH else _inverse(values)
        return metres, (metres > limits.min_m) & (metres < limits.max_m)
    if entry.kind is not DepthKind.DEPTH:
        return values, (values >= 0 if entry.zero_counts else values > 0) & (values < MAX_DISPARITY)
    scale, within = np.float32(entry.inverse_scale), entry.limits
    inverse = _inverse(values * scale)
    counts = (values > 0) & (inverse < MAX_DISPARITY)
    return inverse, counts if within is None else counts & (values > within.min_m) & (values < within.max_m)


def _inverse(values: DepthArray) -> DepthArray:
    """Return 1 / value, 0 where the value is not a positive number."""
    inverse = np.zeros_like(values)
    return np.divide(np.float32(1.0), values, out=inverse, where=np.isfinite(values) & (values > 0))


def _stretch(target: DepthArray, valid: MaskArray) -> DepthArray:
    if not valid.any():
        return target
    low, high = target[valid].min(), target[valid].max()
    span = high - low if high > low else np.float32(1.0)
    return np.where(valid, (target - low) / span, np.float32(0.0)).astype(np.float32)


def _twin(entry: DatasetClass, model_type: ModelType) -> str:
    """The name that reads the same files for the other family."""
    if entry.name.startswith("NYUDV2"):
        return "NYUDV2" if model_type is _METRIC else "NYUDV2Relative"
    return "MetricMonoDataset" if model_type is _METRIC else "RelativeMonoDataset"
