"""The dataset names of a spec: how each reads its ground truth, what the numbers mean, and which pixels count.

The names and rules are those of the container, with three exceptions, because the original rules spoil training:
infinite and NaN values never count; the zeros that `ThreeDVLM` writes for missing depth do not count; the Eigen box
lies in the coordinates of the ground truth, scaled to its size, not in those of the crop.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from depth_net.data import readers
from depth_net.errors import SpecError
from depth_net.model.family import ModelType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from depth_net.data.readers import DepthArray

MaskArray: TypeAlias = npt.NDArray[np.bool_]
"""True where the ground truth counts, shape (H, W)."""

DEFAULT_MIN_DEPTH_M = 1e-3
DEFAULT_MAX_DEPTH_M = 10.0
MAX_DISPARITY = 1000.0
"""Disparities from here on mark unknown pixels."""

_EIGEN_FRAME = (480, 640)
_EIGEN_ROWS = (45, 471)
_EIGEN_COLUMNS = (41, 601)


class Encoding(StrEnum):
    """What the numbers of a ground-truth file are, once read."""

    DISPARITY = "disparity"
    DEPTH_M = "depth_m"
    """Metres, used as they are."""
    DEPTH_AS_DISPARITY = "depth_as_disparity"
    """Metres, turned into 1/m for a relative model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetClass:
    """One dataset name and its rules."""

    name: str
    model_type: ModelType
    encoding: Encoding
    read: Callable[[Path], DepthArray]
    suffixes: frozenset[str]
    """Ground-truth files it reads, in lower case with the dot."""
    eigen_box: bool = False
    inverse_scale: float = 1.0
    """Disparity is 1 / (inverse_scale * depth in metres); only for `Encoding.DEPTH_AS_DISPARITY`."""


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
_PFM, _PNG = frozenset({".pfm"}), frozenset({".png"})


def _disparity_class(name: str, read: Callable[[Path], DepthArray], suffixes: frozenset[str]) -> DatasetClass:
    return DatasetClass(name=name, model_type=_RELATIVE, encoding=Encoding.DISPARITY, read=read, suffixes=suffixes)


_CLASSES = (
    _disparity_class("RelativeMonoDataset", readers.read_disparity, _PFM | _PNG),
    DatasetClass(
        name="MetricMonoDataset",
        model_type=_METRIC,
        encoding=Encoding.DEPTH_M,
        read=readers.read_disparity,
        suffixes=_PFM | _PNG,
    ),
    DatasetClass(
        name="NYUDV2",
        model_type=_METRIC,
        encoding=Encoding.DEPTH_M,
        read=readers.read_millimetres,
        suffixes=_PNG,
        eigen_box=True,
    ),
    DatasetClass(
        name="NYUDV2Relative",
        model_type=_RELATIVE,
        encoding=Encoding.DEPTH_AS_DISPARITY,
        read=readers.read_millimetres,
        suffixes=_PNG,
        eigen_box=True,
    ),
    DatasetClass(
        name="ThreeDVLM",
        model_type=_RELATIVE,
        encoding=Encoding.DEPTH_AS_DISPARITY,
        read=readers.read_npy_depth,
        suffixes=frozenset({".npy"}),
        inverse_scale=1000.0,
    ),
    _disparity_class("FSD", readers.read_fsd, _PNG),
    _disparity_class("NvCLIP", readers.read_unflipped_disparity, _PFM),
    _disparity_class("IssacStereo", readers.read_pfm, _PFM),
    _disparity_class("Crestereo", readers.read_crestereo, _PNG),
    _disparity_class("Middlebury", readers.read_disparity, _PFM | _PNG),
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
    if entry.model_type is model_type:
        return entry
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
        raw: What ``entry.read`` returned, shape (H, W).
        entry: The rules of the data set.
        limits: Range of `Encoding.DEPTH_M`. `NYUDV2Relative` always uses (0.001, 10), as the container does.
        normalize: Stretch the valid values of this image to [0, 1]; only for pseudo ground truth without a unit.

    Returns:
        The target, 0 outside the mask.
    """
    target, valid = _decode(raw, entry, limits)
    if entry.eigen_box:
        valid = valid & eigen_box(raw.shape[0], raw.shape[1])
    target = np.where(valid, target, np.float32(0.0))
    return GroundTruth(_stretch(target, valid) if normalize else target, valid)


def load_ground_truth(path: Path, entry: DatasetClass, limits: DepthRange, *, normalize: bool = False) -> GroundTruth:
    """Read one ground-truth file; see `ground_truth_from`."""
    return ground_truth_from(entry.read(path), entry, limits, normalize=normalize)


def eigen_box(height: int, width: int) -> MaskArray:
    """The evaluation box of NYU Depth V2: rows 45:471, columns 41:601 of 480x640, scaled to ``height`` x ``width``.

    Source: crop of Eigen et al. 2014 (arXiv:1406.2283).
    """
    mask = np.zeros((height, width), dtype=np.bool_)
    top, bottom = (round(edge * height / _EIGEN_FRAME[0]) for edge in _EIGEN_ROWS)
    left, right = (round(edge * width / _EIGEN_FRAME[1]) for edge in _EIGEN_COLUMNS)
    mask[top:bottom, left:right] = True
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


def _decode(raw: DepthArray, entry: DatasetClass, limits: DepthRange) -> tuple[DepthArray, MaskArray]:
    match entry.encoding:
        case Encoding.DISPARITY:
            return raw, np.isfinite(raw) & (raw < MAX_DISPARITY)
        case Encoding.DEPTH_M:
            return raw, (raw > limits.min_m) & (raw < limits.max_m)
        case Encoding.DEPTH_AS_DISPARITY:
            return _invert(raw, entry)


def _invert(raw: DepthArray, entry: DatasetClass) -> tuple[DepthArray, MaskArray]:
    valid: MaskArray = np.isfinite(raw) & (raw > 0)
    if entry.eigen_box:
        valid &= (raw > DEFAULT_MIN_DEPTH_M) & (raw < DEFAULT_MAX_DEPTH_M)
    inverse = np.zeros_like(raw)
    np.divide(np.float32(1.0), raw * np.float32(entry.inverse_scale), out=inverse, where=valid)
    return inverse, valid & (inverse < MAX_DISPARITY)


def _stretch(target: DepthArray, valid: MaskArray) -> DepthArray:
    if not valid.any():
        return target
    low, high = target[valid].min(), target[valid].max()
    span = high - low if high > low else np.float32(1.0)
    return np.where(valid, (target - low) / span, np.float32(0.0)).astype(np.float32)


def _twin(entry: DatasetClass, model_type: ModelType) -> str:
    """The name that reads the same files for the other family."""
    if entry.eigen_box:
        return "NYUDV2" if model_type is _METRIC else "NYUDV2Relative"
    return "MetricMonoDataset" if model_type is _METRIC else "RelativeMonoDataset"
