"""Check a spec's data before the first training step and report every problem at once.

Reads all annotation lines and a few samples per file, which takes a fraction of a second; nothing is trained and no
model is built. Keys of the spec alone are checked in depth_net.config; a few are checked again here.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from depth_net.actions.findings import Finding, Severity, bad, doubt
from depth_net.actions.value_findings import SourceSummary, unstated_finding, value_findings
from depth_net.data.annotations import Row, count_without_depth
from depth_net.data.checked_files import Measured, remembered
from depth_net.data.families import (
    DatasetClass,
    DepthRange,
    check_ground_truth_suffixes,
    describe_family_mismatch,
    find_dataset_class,
    resolve_depth_range,
)
from depth_net.data.folders import images_without_depth
from depth_net.data.inspection import SampleFacts, inspect_rows, pick_rows, size_mismatches
from depth_net.data.layouts import recognise
from depth_net.data.rows import read_rows
from depth_net.data.sources import UnstatedUnitError, resolve_source
from depth_net.data.transforms import nearest_valid_sizes
from depth_net.errors import DataError, SpecError
from depth_net.model.encoders import PATCH
from depth_net.model.family import ModelType

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from depth_net.config.dataset import DataSource, SplitConfig, SplitName
    from depth_net.config.experiment import ExperimentConfig

_SHOWN = 5
_LINES = ("lines whose files exist", "correct the lines")
_COMPARED_SIZES = 5000
"""Number of lines whose sizes are compared, at 0.1 ms each."""


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
        file_finding = bad(f"{where}.data_file", str(error), *expected)
        return _SourceOutcome((*findings, file_finding))
    if findings:
        return _SourceOutcome(tuple(findings), (), rows)
    depths = [row.depth for row in rows if row.depth is not None]
    try:
        entry = resolve_source(source, model_type, depths)
    except UnstatedUnitError as error:
        return _SourceOutcome((unstated_finding(error, rows, config, where),), (), rows)
    except SpecError as error:
        found, _, fix = str(error).rpartition("; ")
        return _SourceOutcome((bad(where, found, "one unit and one kind", fix),), (), rows)
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
    yield from value_findings(facts, summary, limits)


def _folder_findings(source: DataSource, split: SplitName, where: str) -> Iterator[Finding]:
    folder = Path(source.data_file).expanduser()
    if split == "infer" or not folder.is_dir():
        return
    alone = images_without_depth(folder)
    if alone:
        found = f"{len(alone)} images without depth, such as {alone[0]}"
        yield doubt(f"{where}.data_file", found, "depth for every image", "they are left out")


def _name_findings(name: str, model_type: ModelType, where: str) -> Iterator[Finding]:
    try:
        entry = find_dataset_class(name)
    except SpecError as error:
        yield bad(f"{where}.dataset_name", str(error), "a monocular data set", "correct the name")
        return
    if entry.model_type not in (None, model_type):
        found, _, fix = describe_family_mismatch(entry, model_type).partition(": ")
        yield bad(f"{where}.dataset_name", found, f"a data set for {model_type}", fix)


def _column_findings(rows: Sequence[Row], entry: DatasetClass, split: SplitName, where: str) -> Iterator[Finding]:
    missing = [row for row in rows if row.depth is None]
    if missing and split != "infer":
        lines = ", ".join(str(row.line) for row in missing[:_SHOWN])
        yield bad(
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
        yield bad(f"{where}.data_file", f"{len(wrong)} ground-truth files of another kind: {shown}", expected, fix)


def _sample_findings(facts: SampleFacts, where: str) -> Iterator[Finding]:
    if facts.unreadable:
        shown = "; ".join(facts.unreadable[:_SHOWN])
        found = f"{len(facts.unreadable)} of {facts.rows} sampled lines cannot be used: {shown}"
        yield bad(f"{where}.data_file", found, "readable images and ground truth of equal size", "repair the files")


def _size_findings(mismatches: Sequence[str], compared: int, where: str) -> Iterator[Finding]:
    if mismatches:
        found = f"{len(mismatches)} of {compared} lines whose files do not fit: {'; '.join(mismatches[:_SHOWN])}"
        yield bad(f"{where}.data_file", found, "image and ground truth of equal size", "repair or remove the lines")


def _range_findings(config: ExperimentConfig) -> Iterator[Finding]:
    low, high = config.dataset.min_depth, config.dataset.max_depth
    if config.model.model_type is ModelType.RELATIVE:
        if low is not None or high is not None:
            found = f"min_depth {low}, max_depth {high} with a relative model"
            yield doubt("dataset", found, "no depth range; it is ignored", "remove both keys")
    elif high is None:
        found = "no max_depth with a metric model"
        yield doubt("dataset.max_depth", found, "the largest depth in metres; 10 is used", "set dataset.max_depth")
    if config.dataset.normalize_depth and config.model.model_type is ModelType.METRIC:
        found = "true with a metric model"
        fix = "set dataset.normalize_depth=false"
        yield doubt("dataset.normalize_depth", found, "false; targets in [0, 1] are no metres", fix)


def _crop_findings(section: SplitConfig, split: SplitName) -> Iterator[Finding]:
    where = f"dataset.{split}_dataset.augmentation.crop_size"
    sides = section.augmentation.crop_size
    if any(side % PATCH for side in sides):
        nearest = " or ".join(str(list(pair)) for pair in zip(*map(nearest_valid_sizes, sides), strict=True))
        yield bad(where, str(list(sides)), f"multiples of {PATCH}, the patch of the encoder", f"use {nearest}")
    elif split == "train" and len(set(sides)) > 1:
        expected = f"a square; training cuts {sides[0]}x{sides[0]} from the resized image"
        yield doubt(where, str(list(sides)), expected, f"use {[sides[0], sides[0]]} or keep it knowingly")


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
    yield bad(where, f"{samples} samples", expected, fix)


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
            yield doubt(f"dataset.{split}_dataset", found, "disjoint splits", fix)


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
