"""What the values of sampled ground truth say: their unit, and whether the unit and the range of a spec fit them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from depth_net.actions.findings import Finding, bad, doubt
from depth_net.config.choices import DepthKind, EvalCrop
from depth_net.config.dataset import DEPTH_SCALES
from depth_net.data.families import DatasetClass, DepthRange, require_family
from depth_net.data.inspection import SampleFacts, inspect_rows, pick_rows
from depth_net.data.sources import UnstatedUnitError, generic_class
from depth_net.model.family import ModelType

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from depth_net.config.experiment import ExperimentConfig
    from depth_net.data.annotations import Row

_LEAST_VALID = 0.01
_LEAST_WITHIN = 0.5
"""Less of the known values within the range means another unit, for files without a unit of their own."""
_LEAST_LARGE = 300.0
"""Whole numbers from here on are no metres and no pixels by mistake: half of a room is farther than 0.3 m."""
_USUAL_MEDIAN_M = {"room": 2.5, "street": 15.0}
_AS_NEAR = math.log(1.5)
"""Units whose distances from the usual median differ by less than this factor are equally possible."""
_NYU_ASPECTS = (1.3, 1.37)
_MANY_ABOVE = 0.25
_FAR_BELOW = 0.1
_CANDIDATE_ROWS = 16
_FLOAT_UNITS = ("metres", "centimetres", "millimetres")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """One annotation file that could be read."""

    where: str
    entry: DatasetClass
    samples: int
    facts: SampleFacts
    named_like: str
    """The dataset name that its files are named like; empty if none."""
    is_named: bool
    """Whether the spec names the class."""
    left_out: int = 0
    """Lines that say that their image has no ground truth."""

    def __str__(self) -> str:
        entry, facts = self.entry, self.facts
        sizes = ", ".join(f"{height}x{width}" for height, width in facts.image_sizes[:_SHOWN])
        is_recognised = not self.is_named and entry.name == self.named_like
        name = f"{entry.name} (by its file names)" if is_recognised else entry.name
        left_out = f" ({self.left_out} more without ground truth left out)" if self.left_out else ""
        line = f"{self.where}  {name}  {self.samples} samples{left_out}  {sizes}"
        if facts.percentiles is None:
            return f"{line}  no ground truth"
        low, middle, high = facts.percentiles
        unit = entry.unit.rpartition(" ")[2]
        made_of_zeros = "counted" if entry.zero_counts else "left out"
        zeros = f"  0 in {100 * facts.zero_fraction:.2g} % ({made_of_zeros})" if facts.zero_fraction else ""
        return (
            f"{line}  p5/p50/p95 {low:.4g}/{middle:.4g}/{high:.4g} {unit}  valid {100 * facts.valid_fraction:.1f} %"
            f"{zeros}  unit {entry.unit}  {entry.kind}  crop {entry.crop}"
        )


def value_findings(facts: SampleFacts, summary: SourceSummary, limits: DepthRange) -> Iterator[Finding]:
    """Yield what is wrong, or doubtful, with the values of a source."""
    entry, where = summary.entry, summary.where
    if facts.percentiles is None:
        if facts.image_sizes and facts.empty:
            yield bad(where, "no finite value in any sampled ground truth", "measured values", "repair the files")
        return
    seen = (
        f"values with p5/p50/p95 {_shown(facts.percentiles)}, {100 * facts.valid_fraction:.1f} % of pixels valid, "
        f"{100 * facts.within_fraction:.0f} % of the known values within the range"
    )
    is_wide = facts.integers and facts.stored[1] >= _LEAST_LARGE and entry.per_unit is None
    if facts.within_fraction < (_LEAST_WITHIN if is_wide else _LEAST_VALID) or not facts.valid_fraction:
        unit = f"{entry.name} takes {entry.unit}"
        candidates = _candidates(facts, limits.max_m, entry.model_type or ModelType.METRIC)
        found = f"{seen}; {unit}; median depth by unit: {candidates}"
        yield bad(where, found, f"values {_describe_rule(entry, limits)}", _unit_fix(summary))
    else:
        yield from _doubt_findings(facts, entry, limits, where)


def _unit_fix(summary: SourceSummary) -> str:
    if summary.named_like not in ("", summary.entry.name):
        return f"set dataset_name={summary.named_like}, whose files have these names, or depth_scale"
    if summary.entry.model_type is ModelType.RELATIVE:
        return "set depth_scale and depth_kind, or the dataset_name that the files belong to"
    return "set depth_scale, or the dataset_name that the files belong to, or change dataset.min_depth and max_depth"


def _doubt_findings(facts: SampleFacts, entry: DatasetClass, limits: DepthRange, where: str) -> Iterator[Finding]:
    low, _, high = facts.percentiles or (0.0, 0.0, 0.0)
    if facts.empty:
        found = f"{facts.empty} of {facts.rows} sampled images have no valid pixel"
        yield doubt(where, found, "some ground truth in every image", "remove them; they are skipped in training")
    if facts.valid_fraction < _LEAST_VALID:
        found = f"{100 * facts.valid_fraction:.2g} % of pixels have ground truth"
        yield doubt(where, found, "1 % or more", "use it, if it is sparse lidar; else check files and masks")
    if facts.levels and low != high:
        found = f"8-bit ground truth: {facts.levels} different values"
        yield doubt(where, found, "16 bits or floats", "use the files before they were made pictures, if there are")
    if low == high:
        yield doubt(where, f"the same value, {low:.4g}, nearly everywhere", "varying depth", "check the files")
    aspects = [width / height for height, width in facts.image_sizes]
    if entry.crop is EvalCrop.NYU and not all(_NYU_ASPECTS[0] <= aspect <= _NYU_ASPECTS[1] for aspect in aspects):
        found = f"the box of NYU Depth V2 in images of another shape, {facts.image_sizes[0]}"
        fix = "set eval_crop=none, or depth_scale=millimetres in place of dataset_name if these are other data"
        yield doubt(where, found, "images of 480x640", fix)
    if entry.gives_metres:
        yield from _far_findings(facts, entry, limits, where)


def _far_findings(facts: SampleFacts, entry: DatasetClass, limits: DepthRange, where: str) -> Iterator[Finding]:
    """Doubt a range that the values do not fit; the unit may be the cause, or the range."""
    high = (facts.percentiles or (0.0, 0.0, 0.0))[2]
    if facts.above_fraction > _MANY_ABOVE:
        found = f"{100 * facts.above_fraction:.0f} % of the values reach max_depth {limits.max_m:g} m or more"
        fix = f"raise dataset.max_depth towards {high:.3g} if {entry.unit} is right, else set depth_scale"
    elif high < _FAR_BELOW * limits.max_m:
        found = f"95 % of the values are below {high:.3g} m, max_depth is {limits.max_m:g} m"
        fix = f"lower dataset.max_depth if {entry.unit} is right, else set depth_scale"
    else:
        return
    found = f"{found}; median depth by unit: {_candidates(facts, limits.max_m, entry.model_type or ModelType.METRIC)}"
    yield doubt(where, found, "metres that fill the range", fix)


def _describe_rule(entry: DatasetClass, limits: DepthRange) -> str:
    if entry.gives_metres:
        return f"between {limits.min_m:g} and {limits.max_m:g} m"
    return "with a disparity below 1000" if entry.kind is not DepthKind.DEPTH else "that are depths above 0"


def unstated_finding(error: UnstatedUnitError, rows: Sequence[Row], config: ExperimentConfig, where: str) -> Finding:
    """Say what the values would be in each unit that they may have."""
    # As depth in metres, whatever the model is: the candidates are about the files.
    is_relative = config.model.model_type is ModelType.RELATIVE
    entry = require_family(generic_class(ModelType.METRIC).name, ModelType.METRIC)
    facts = inspect_rows(pick_rows(rows, _CANDIDATE_ROWS), entry, DepthRange(0.0, float("inf")))
    found = str(error).partition("; ")[0]
    if facts.unreadable and facts.percentiles is None:
        fix = "name files with one number per pixel"
        return bad(where, f"{found}, and {facts.unreadable[0]}", "readable ground truth", fix)
    kinds = " and depth_kind (disparity or inverse_depth as stored, or depth)" if is_relative else ""
    return bad(
        where,
        f"{found}; stored values have p5/p50/p95 {_shown(facts.stored)}; median depth by unit: "
        f"{_candidates(facts, config.dataset.max_depth, config.model.model_type)}",
        "the unit of the files",
        f"set depth_scale{kinds}, or the dataset_name that the files belong to",
    )


def _shown(values: tuple[float, float, float]) -> str:
    return "/".join(f"{value:.4g}" for value in values)


def _candidates(facts: SampleFacts, max_depth_m: float | None, model_type: ModelType) -> str:
    """Return the median depth in each unit, the nearest to what is usual in the scene first, and as disparity.

    A unit is called likely only where no other is about as near.
    """
    scene = "street" if facts.is_street(max_depth_m) else "room"
    usual, median = _USUAL_MEDIAN_M[scene], facts.stored[1]
    names = DEPTH_SCALES if facts.integers else {key: DEPTH_SCALES[key] for key in _FLOAT_UNITS}
    ratio = max(median, 1e-9) / usual
    units = sorted((abs(math.log(ratio / per_unit)), name, per_unit) for name, per_unit in names.items())
    near = sum(distance <= units[0][0] + _AS_NEAR for distance, _, _ in units)
    words = f", {'likely' if near == 1 else 'possible'} for a {scene}"
    depths = [
        f"{name} (value / {per_unit:g}) {median / per_unit:.3g} m{words if rank < near else ''}"
        for rank, (_, name, per_unit) in enumerate(units)
    ]
    if model_type is ModelType.RELATIVE:
        depths.append(f"as disparity: as stored {median:.4g} px; kitti (value / 256) {median / 256:.3g} px")
    return "; ".join(depths)
