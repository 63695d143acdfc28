"""What a data source of a spec says about its ground truth, joined with the rules of its dataset name.

The unit of depth is never assumed: it comes from ``dataset_name``, from ``depth_scale``, or from the names of the files
where they are those of a published data set.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from depth_net.config.choices import DepthKind, EvalCrop
from depth_net.data.families import DatasetClass, find_dataset_class, require_family
from depth_net.data.layouts import recognise
from depth_net.errors import SpecError
from depth_net.model.family import ModelType

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from depth_net.config.dataset import DataSource

_GENERIC: Final = {ModelType.METRIC: "MetricMonoDataset", ModelType.RELATIVE: "RelativeMonoDataset"}
_LENGTHS: Final = ("metres", "millimetres", "centimetres", "tum")
"""Names of scales that belong to depth; that of KITTI belongs to its disparities too."""


class UnstatedUnitError(SpecError):
    """Neither the spec nor the files say what the numbers of the ground truth are."""


def generic_class(model_type: ModelType) -> DatasetClass:
    """Return the class that reads any kind of file as it stands."""
    return find_dataset_class(_GENERIC[model_type])


def resolve_source(source: DataSource, model_type: ModelType, depths: Iterable[Path]) -> DatasetClass:
    """Return the rules by which the ground truth of a source is read.

    Args:
        source: A source without problems, see `depth_net.config.checks`.
        model_type: The family of the model.
        depths: The ground-truth files of the source; none for images alone.

    Raises:
        UnstatedUnitError: there is ground truth, and nothing says its unit.
        SpecError: the dataset name is unknown or of the other family, or the keys of the source contradict each other.
    """
    depths = tuple(depths)
    name = source.dataset_name
    if not name and source.per_unit is None and (model_type is ModelType.METRIC or _is_depth(source)):
        name = recognise(depths, model_type)
        if not name and depths:
            raise UnstatedUnitError(_describe_unstated(source, model_type))
    entry = require_family(name or _GENERIC[model_type], model_type)
    entry = _with_kind(entry, source, is_named=bool(source.dataset_name))
    crop = crop_of(entry, source.eval_crop)
    invalid = (*entry.invalid, *source.invalid)
    counts = source.zero_counts
    return replace(entry, per_unit=_per_unit(entry, source), crop=crop, invalid=invalid, zero_counts=counts)


def crop_of(entry: DatasetClass, stated: EvalCrop | None) -> EvalCrop:
    """Return the box that a spec states for a class, or the one of the class; Eigen's box of NYU is that of NYU."""
    if stated is EvalCrop.EIGEN and entry.name.startswith("NYUDV2"):
        return EvalCrop.NYU
    return entry.crop if stated is None else stated


def _is_depth(source: DataSource) -> bool:
    return source.depth_kind in (None, DepthKind.DEPTH)


def _describe_unstated(source: DataSource, model_type: ModelType) -> str:
    kinds = " and depth_kind (depth, disparity, inverse_depth)" if model_type is ModelType.RELATIVE else ""
    return f"{source.data_file}: nothing says the unit of the ground truth; set depth_scale{kinds}, or dataset_name"


def _with_kind(entry: DatasetClass, source: DataSource, *, is_named: bool) -> DatasetClass:
    kind, scale = source.depth_kind, source.depth_scale
    is_relative = entry.model_type is ModelType.RELATIVE
    is_length = scale is not None and scale.lower() in _LENGTHS
    if kind is None and is_relative and not is_named and scale is not None:
        if not is_length:
            raise SpecError(
                f"depth_kind: found nothing beside depth_scale {scale}; expected depth, disparity or inverse_depth, "
                "because the scale is used by all; set depth_kind"
            )
        kind = DepthKind.DEPTH
    kind = kind or entry.kind
    if entry.model_type is ModelType.METRIC and kind is DepthKind.DISPARITY:
        raise SpecError(
            "depth_kind: found disparity for a metric model; pixels become metres only with focal length and baseline; "
            "convert the files, or use model_type RelativeDepthAnything"
        )
    if kind is not entry.kind and entry.per_unit is not None:
        raise SpecError(
            f"depth_kind: found {kind} beside dataset_name {entry.name}, whose files hold {entry.kind}; remove one of "
            f"the two, or use dataset_name {_GENERIC[entry.model_type or ModelType.METRIC]}"
        )
    if kind is not DepthKind.DEPTH and is_length and scale != "metres":
        raise SpecError(
            f"depth_scale: found {scale}, a unit of depth, for values that are {kind}; set depth_kind=depth, or give a "
            "number"
        )
    if source.zero_counts and (kind is DepthKind.DEPTH or not is_relative):
        raise SpecError(
            f"zero_counts: found true for {kind} and {entry.model_type}; expected disparity or inverse_depth of a "
            "relative model, where 0 is infinitely far; remove zero_counts"
        )
    return replace(entry, kind=kind)


def _per_unit(entry: DatasetClass, source: DataSource) -> float | None:
    stated = source.per_unit
    if stated is None or entry.per_unit is None:
        return entry.per_unit if stated is None else stated
    if not math.isclose(stated, entry.per_unit, rel_tol=1e-6):
        raise SpecError(
            f"depth_scale: found {source.depth_scale}, value / {stated:g}, beside dataset_name {entry.name}, whose "
            f"files hold value / {entry.per_unit:g}; remove one of the two, or use dataset_name "
            f"{_GENERIC[entry.model_type or ModelType.METRIC]}"
        )
    return stated
