"""Check a spec's data before the first training step and report every problem at once.

Reads all annotation lines and a few samples per file, which takes a fraction of a second; nothing is trained and no
model is built. Keys of the spec alone are checked in depth_net.config; a few are checked again here.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from depth_net.config.choices import DepthKind, EvalCrop
from depth_net.config.dataset import DEPTH_SCALES
from depth_net.data.annotations import Row, count_without_depth
from depth_net.data.checked_files import Measured, remembered
from depth_net.data.families import (
    DatasetClass,
    DepthRange,
    check_ground_truth_suffixes,
    describe_family_mismatch,
    find_dataset_class,
    require_family,
    resolve_depth_range,
)
from depth_net.data.folders import images_without_depth
from depth_net.data.inspection import SampleFacts, inspect_rows, pick_rows, size_mismatches
from depth_net.data.layouts import recognise
from depth_net.data.rows import read_rows
from depth_net.data.sources import UnstatedUnitError, generic_class, resolve_source
from depth_net.data.transforms import nearest_valid_sizes
from depth_net.errors import DataError, SpecError
from depth_net.model.encoders import PATCH
from depth_net.model.family import ModelType

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from depth_net.config.dataset import DataSource, SplitConfig, SplitName
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
_SHOWN = 5
_LINES = ("lines whose files exist", "correct the lines")
_CANDIDATE_ROWS = 16
_FLOAT_UNITS = ("metres", "centimetres", "millimetres")
_COMPARED_SIZES = 5000
"""Number of lines whose sizes are compared, at 0.1 ms each."""


class Severity(StrEnum):
    """What a finding means for a run."""

    ERROR = "error"
    """Training would fail, or have no effect."""
    WARNING = "warning"
    """Training works; the result may not be what is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One problem or doubt, and how to fix it."""

    severity: Severity
    where: str
    found: str
    expected: str
    fix: str

    def __str__(self) -> str:
        heading = f"{self.severity}: {self.where}"
        return f"{heading}\n  found     {self.found}\n  expected  {self.expected}\n  fix       {self.fix}"


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


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All findings, and a summary of every readable source."""

    findings: tuple[Finding, ...]
    sources: tuple[SourceSummary, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that prevent a run."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)

    def raise_errors(self) -> None:
        """Raise one DataError that lists all errors; do nothing if there is none."""
        if self.errors:
            count = "1 problem" if len(self.errors) == 1 else f"{len(self.errors)} problems"
            raise DataError("\n\n".join([f"{count} with the data", *map(str, self.errors)]))


def require_usable_data(config: ExperimentConfig, *, splits: Sequence[SplitName] = ("train", "val")) -> CheckReport:
    """Return what the data of ``config`` are, with warnings.

    The number of devices is not yet known here, so batches are counted for one.

    Raises:
        DataError: training would fail or have no effect; all errors at once.
    """
    report = inspect_data(config, splits=splits)
    report.raise_errors()
    return report


def describe_run(config: ExperimentConfig) -> str:
    """Return what a training with this spec would be, as one line."""
    train, split = config.train, config.dataset.train_dataset
    weights = train.pretrained_model_path or config.model.mono_backbone.pretrained_path or "random weights"
    sides = "x".join(str(side) for side in split.augmentation.crop_size)
    precision = train.precision or "bf16 on a GPU that has it, else fp32"
    frozen = f"freeze {train.freeze}  " if train.freeze != "none" else ""
    adapters = f"LoRA rank {train.lora_rank}  " if train.lora_rank else ""
    return (
        f"train  {config.model.model_type} {config.model.encoder}  starts from {weights}  {frozen}{adapters}"
        f"{train.num_epochs} epochs  batch {split.batch_size}  crop {sides}  {precision}"
    )


def inspect_data(
    config: ExperimentConfig, *, splits: Sequence[SplitName] = ("train", "val"), devices: int = 1, samples: int = 16
) -> CheckReport:
    """Read annotation files and a few samples of each.

    Args:
        config: The spec.
        splits: Which splits the action reads.
        devices: Processes that share the batches.
        samples: Rows whose files are read, per annotation file.
    """
    findings = list(_range_findings(config))
    sources: list[SourceSummary] = []
    images: dict[SplitName, set[Path]] = {}
    for split in splits:
        section = config.dataset.split(split)
        findings.extend(_crop_findings(section, split))
        found_rows: list[Row] | None = []
        for index in range(len(section.data_sources)):
            outcome = _check_source(config, split, index, samples)
            findings.extend(outcome.findings)
            sources.extend(outcome.summaries)
            found_rows = None if found_rows is None or outcome.rows is None else [*found_rows, *outcome.rows]
        if found_rows is not None:
            findings.extend(_batch_findings(section, split, len(found_rows), devices))
            images[split] = {row.image.resolve() for row in found_rows}
    findings.extend(_overlap_findings({**_other_images(config, splits), **images}))
    return CheckReport(tuple(findings), tuple(sources))


@dataclass(frozen=True, slots=True)
class _SourceOutcome:
    findings: tuple[Finding, ...]
    summaries: tuple[SourceSummary, ...] = ()
    rows: tuple[Row, ...] | None = None
    """None if the file could not be read."""


def _check_source(config: ExperimentConfig, split: SplitName, index: int, samples: int) -> _SourceOutcome:
    source = config.dataset.split(split).data_sources[index]
    where = f"dataset.{split}_dataset.data_sources[{index}]"
    model_type = config.model.model_type
    findings = list(_name_findings(source.dataset_name, model_type, where)) if source.dataset_name else []
    try:
        rows = read_rows(source, needs_depth=split != "infer")
    except DataError as error:
        is_folder = Path(source.data_file).expanduser().is_dir()
        expected = ("images with their depth", "name another folder, or a list") if is_folder else _LINES
        file_finding = _error(f"{where}.data_file", str(error), *expected)
        return _SourceOutcome((*findings, file_finding))
    if findings:
        return _SourceOutcome(tuple(findings), (), rows)
    depths = [row.depth for row in rows if row.depth is not None]
    try:
        entry = resolve_source(source, model_type, depths)
    except UnstatedUnitError as error:
        return _SourceOutcome((_unstated_finding(error, rows, config, where),), (), rows)
    except SpecError as error:
        found, _, fix = str(error).rpartition("; ")
        return _SourceOutcome((_error(where, found, "one unit and one kind", fix),), (), rows)
    findings.extend(_column_findings(rows, entry, split, where))
    if findings:
        return _SourceOutcome(tuple(findings), (), rows)
    measured = _measure(rows, entry, _limits(config, entry), samples)
    facts = measured.facts
    named_like = recognise(depths, model_type)
    left_out = 0 if split == "infer" else count_without_depth(Path(source.data_file).expanduser())
    is_named = bool(source.dataset_name)
    summary = SourceSummary(where, entry, len(rows), facts, named_like, is_named=is_named, left_out=left_out)
    findings.extend(_folder_findings(source, split, where))
    findings.extend(_all_findings(rows, summary, measured, _limits(config, entry)))
    return _SourceOutcome(tuple(findings), (summary,), rows)


def _measure(rows: Sequence[Row], entry: DatasetClass, limits: DepthRange, samples: int) -> Measured:
    """Read a few rows, and compare sizes in many more, unless the former already differ."""
    sampled, compared = pick_rows(rows, samples), pick_rows(rows, _COMPARED_SIZES)

    def measure() -> Measured:
        facts = inspect_rows(sampled, entry, limits)
        return Measured(facts, () if facts.unreadable else size_mismatches(compared))

    if not all(map(entry.reads_by_itself, sampled)):
        return measure()
    lines = [row.line for row in (*sampled, *compared)]
    files = [file for row in (*sampled, *compared) for file in entry.files_of(row)]
    return remembered(f"{entry.rules} {limits} {len(sampled)} {lines}", files, measure)


def _all_findings(
    rows: Sequence[Row], summary: SourceSummary, measured: Measured, limits: DepthRange
) -> Iterator[Finding]:
    where, facts = summary.where, summary.facts
    yield from _sample_findings(facts, where)
    yield from _size_findings(measured.mismatches, min(len(rows), _COMPARED_SIZES), where)
    yield from _value_findings(facts, summary, limits)


def _folder_findings(source: DataSource, split: SplitName, where: str) -> Iterator[Finding]:
    folder = Path(source.data_file).expanduser()
    if split == "infer" or not folder.is_dir():
        return
    alone = images_without_depth(folder)
    if alone:
        found = f"{len(alone)} images without depth, such as {alone[0]}"
        yield _warning(f"{where}.data_file", found, "depth for every image", "they are left out")


def _unstated_finding(error: UnstatedUnitError, rows: Sequence[Row], config: ExperimentConfig, where: str) -> Finding:
    """Say what the values would be in each unit that they may have."""
    # As depth in metres, whatever the model is: the candidates are about the files.
    is_relative = config.model.model_type is ModelType.RELATIVE
    entry = require_family(generic_class(ModelType.METRIC).name, ModelType.METRIC)
    facts = inspect_rows(pick_rows(rows, _CANDIDATE_ROWS), entry, DepthRange(0.0, float("inf")))
    found = str(error).partition("; ")[0]
    if facts.unreadable and facts.percentiles is None:
        fix = "name files with one number per pixel"
        return _error(where, f"{found}, and {facts.unreadable[0]}", "readable ground truth", fix)
    kinds = " and depth_kind (disparity or inverse_depth as stored, or depth)" if is_relative else ""
    return _error(
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


def _name_findings(name: str, model_type: ModelType, where: str) -> Iterator[Finding]:
    try:
        entry = find_dataset_class(name)
    except SpecError as error:
        yield _error(f"{where}.dataset_name", str(error), "a monocular data set", "correct the name")
        return
    if entry.model_type not in (None, model_type):
        found, _, fix = describe_family_mismatch(entry, model_type).partition(": ")
        yield _error(f"{where}.dataset_name", found, f"a data set for {model_type}", fix)


def _column_findings(rows: Sequence[Row], entry: DatasetClass, split: SplitName, where: str) -> Iterator[Finding]:
    missing = [row for row in rows if row.depth is None]
    if missing and split != "infer":
        lines = ", ".join(str(row.line) for row in missing[:_SHOWN])
        yield _error(
            f"{where}.data_file",
            f"{len(missing)} of {len(rows)} lines without ground truth, first in lines {lines}",
            f"image and ground truth in every line of the {split} split",
            "add the second column or remove the lines",
        )
    wrong = check_ground_truth_suffixes(entry, [(row.line, row.depth) for row in rows if row.depth is not None])
    if wrong:
        shown = "; ".join(wrong[:_SHOWN])
        expected = " or ".join(sorted(entry.suffixes))
        fix = "choose the dataset_name that reads these files"
        yield _error(f"{where}.data_file", f"{len(wrong)} ground-truth files of another kind: {shown}", expected, fix)


def _sample_findings(facts: SampleFacts, where: str) -> Iterator[Finding]:
    if facts.unreadable:
        shown = "; ".join(facts.unreadable[:_SHOWN])
        found = f"{len(facts.unreadable)} of {facts.rows} sampled lines cannot be used: {shown}"
        yield _error(f"{where}.data_file", found, "readable images and ground truth of equal size", "repair the files")


def _size_findings(mismatches: Sequence[str], compared: int, where: str) -> Iterator[Finding]:
    if mismatches:
        found = f"{len(mismatches)} of {compared} lines whose files do not fit: {'; '.join(mismatches[:_SHOWN])}"
        yield _error(f"{where}.data_file", found, "image and ground truth of equal size", "repair or remove the lines")


def _value_findings(facts: SampleFacts, summary: SourceSummary, limits: DepthRange) -> Iterator[Finding]:
    entry, where = summary.entry, summary.where
    if facts.percentiles is None:
        if facts.image_sizes and facts.empty:
            yield _error(where, "no finite value in any sampled ground truth", "measured values", "repair the files")
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
        yield _error(where, found, f"values {_describe_rule(entry, limits)}", _unit_fix(summary))
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
        yield _warning(where, found, "some ground truth in every image", "remove them; they are skipped in training")
    if facts.valid_fraction < _LEAST_VALID:
        found = f"{100 * facts.valid_fraction:.2g} % of pixels have ground truth"
        yield _warning(where, found, "1 % or more", "use it, if it is sparse lidar; else check files and masks")
    if facts.levels and low != high:
        found = f"8-bit ground truth: {facts.levels} different values"
        yield _warning(where, found, "16 bits or floats", "use the files before they were made pictures, if there are")
    if low == high:
        yield _warning(where, f"the same value, {low:.4g}, nearly everywhere", "varying depth", "check the files")
    aspects = [width / height for height, width in facts.image_sizes]
    if entry.crop is EvalCrop.NYU and not all(_NYU_ASPECTS[0] <= aspect <= _NYU_ASPECTS[1] for aspect in aspects):
        found = f"the box of NYU Depth V2 in images of another shape, {facts.image_sizes[0]}"
        fix = "set eval_crop=none, or depth_scale=millimetres in place of dataset_name if these are other data"
        yield _warning(where, found, "images of 480x640", fix)
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
    yield _warning(where, found, "metres that fill the range", fix)


def _describe_rule(entry: DatasetClass, limits: DepthRange) -> str:
    if entry.gives_metres:
        return f"between {limits.min_m:g} and {limits.max_m:g} m"
    return "with a disparity below 1000" if entry.kind is not DepthKind.DEPTH else "that are depths above 0"


def _range_findings(config: ExperimentConfig) -> Iterator[Finding]:
    low, high = config.dataset.min_depth, config.dataset.max_depth
    if config.model.model_type is ModelType.RELATIVE:
        if low is not None or high is not None:
            found = f"min_depth {low}, max_depth {high} with a relative model"
            yield _warning("dataset", found, "no depth range; it is ignored", "remove both keys")
    elif high is None:
        found = "no max_depth with a metric model"
        yield _warning("dataset.max_depth", found, "the largest depth in metres; 10 is used", "set dataset.max_depth")
    if config.dataset.normalize_depth and config.model.model_type is ModelType.METRIC:
        found = "true with a metric model"
        fix = "set dataset.normalize_depth=false"
        yield _warning("dataset.normalize_depth", found, "false; targets in [0, 1] are no metres", fix)


def _crop_findings(section: SplitConfig, split: SplitName) -> Iterator[Finding]:
    where = f"dataset.{split}_dataset.augmentation.crop_size"
    sides = section.augmentation.crop_size
    if any(side % PATCH for side in sides):
        nearest = " or ".join(str(list(pair)) for pair in zip(*map(nearest_valid_sizes, sides), strict=True))
        yield _error(where, str(list(sides)), f"multiples of {PATCH}, the patch of the encoder", f"use {nearest}")
    elif split == "train" and len(set(sides)) > 1:
        expected = f"a square; training cuts {sides[0]}x{sides[0]} from the resized image"
        yield _warning(where, str(list(sides)), expected, f"use {[sides[0], sides[0]]} or keep it knowingly")


def _batch_findings(section: SplitConfig, split: SplitName, samples: int, devices: int) -> Iterator[Finding]:
    needed = section.batch_size * devices if split == "train" else devices
    if samples >= needed:
        return
    where = f"dataset.{split}_dataset.batch_size"
    if split == "train":
        expected = f"at least {section.batch_size} x {devices} device(s) = {needed} samples, one full step"
        fix = f"set batch_size to {samples // devices} or less" if samples >= devices else "use fewer devices"
    else:
        expected, fix = f"at least one sample for each of {devices} devices", "use fewer devices or add samples"
    yield _error(where, f"{samples} samples", expected, fix)


def _overlap_findings(images: dict[SplitName, set[Path]]) -> Iterator[Finding]:
    uses: dict[SplitName, str] = {"val": "validated", "test": "tested"}
    for split, use in uses.items():
        shared = images.get("train", set()) & images.get(split, set())
        if shared:
            found = (
                f"{len(shared)} images of the training split are {use} on too, of {len(images[split])} in the {split} "
                f"split, such as {min(shared)}"
            )
            fix = "write the splits again, e.g. with depth_net convert; scores on images of the training are too good"
            yield _warning(f"dataset.{split}_dataset", found, "disjoint splits", fix)


def _other_images(config: ExperimentConfig, splits: Sequence[SplitName]) -> dict[SplitName, set[Path]]:
    """Return the images of training and test where an action reads others, as far as their lists can be read."""
    images: dict[SplitName, set[Path]] = {}
    others: tuple[SplitName, ...] = ("train", "test")
    for split in others if "infer" not in splits else ():
        sources = [source for source in config.dataset.split(split).data_sources if source.data_file]
        if split not in splits and sources:
            with contextlib.suppress(DataError, OSError):
                rows = [row for source in sources for row in read_rows(source, needs_depth=True)]
                images[split] = {row.image.resolve() for row in rows}
    return images


def _limits(config: ExperimentConfig, entry: DatasetClass) -> DepthRange:
    if entry.model_type is ModelType.RELATIVE:
        return DepthRange()
    return resolve_depth_range(config.dataset.min_depth, config.dataset.max_depth)


def _error(where: str, found: str, expected: str, fix: str) -> Finding:
    return Finding(severity=Severity.ERROR, where=where, found=found, expected=expected, fix=fix)


def _warning(where: str, found: str, expected: str, fix: str) -> Finding:
    return Finding(severity=Severity.WARNING, where=where, found=found, expected=expected, fix=fix)
