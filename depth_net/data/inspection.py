"""Measure what the images and the ground truth of a few rows of an annotation file contain.

`depth_net.actions.check` decides which of these numbers are wrong for a spec.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from depth_net.config.choices import EvalCrop
from depth_net.data.families import DatasetClass, DepthRange, ground_truth_from, in_units
from depth_net.data.picture_sizes import FileKind, Size, file_kind, picture_size
from depth_net.data.readers import PICTURE, read_image, read_mask
from depth_net.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from depth_net.data.annotations import Row
    from depth_net.data.readers import DepthArray

_PERCENTILES = (5, 50, 95)
_VALUES_PER_SAMPLE = 20_000
_MOST_OF_8_BITS = 255
_STREET_ASPECT = 2.0
"""Width over height of images from cars; those of rooms are 4:3 to 16:9."""
_STREET_DEPTH_M = 30.0
"""A depth range from here on is one of streets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFacts:
    """Measurements of a few rows of one annotation file."""

    rows: int
    """Number of rows that were read."""
    unreadable: tuple[str, ...]
    """One sentence per row whose files cannot be read or do not fit each other."""
    image_sizes: tuple[tuple[int, int], ...]
    """Different native (height, width), in the order met."""
    percentiles: tuple[float, float, float] | None
    """5th, 50th and 95th percentile of the known values, in metres, pixels or 1/m; None without any."""
    stored: tuple[float, float, float]
    """The same of the values as stored."""
    valid_fraction: float
    """Share of pixels that count, by the rules of the data set."""
    within_fraction: float
    """Share of the known pixels that count."""
    empty: int
    """Rows in which no pixel counts."""
    zero_fraction: float
    """Share of pixels that are stored as 0."""
    above_fraction: float
    """Share of the known values at or above the upper limit."""
    integers: bool
    """All known values are whole numbers as stored."""
    levels: int
    """Number of different values of ground truth of 8 bits; 0 for other files."""

    def is_street(self, max_depth_m: float | None) -> bool:
        """Tell whether images look as if taken from a car, by their shape or the range of the spec."""
        wide = any(width >= _STREET_ASPECT * height for height, width in self.image_sizes)
        return wide or (max_depth_m is not None and max_depth_m >= _STREET_DEPTH_M)


def pick_rows(rows: Sequence[Row], count: int) -> list[Row]:
    """Return up to ``count`` rows, spread evenly over the file."""
    if len(rows) <= count:
        return list(rows)
    return [rows[round(position)] for position in np.linspace(0, len(rows) - 1, count)]


def inspect_rows(rows: Sequence[Row], entry: DatasetClass, limits: DepthRange) -> SampleFacts:
    """Read images and ground truth of ``rows`` and count.

    Args:
        rows: Rows to read, all of them.
        entry: The rules of their data set.
        limits: Depths that count for a metric model.
    """
    tallies: list[_Tally] = []
    unreadable: list[str] = []
    sizes: dict[tuple[int, int], None] = {}
    for row in rows:
        try:
            size, tally = _inspect_row(row, entry, limits)
        except DataError as error:
            unreadable.append(f"line {row.line}: {error}")
            continue
        sizes[size] = None
        if tally is not None:
            tallies.append(tally)
    return _summarize(tallies, entry, (len(rows), tuple(unreadable), tuple(sizes)))


def size_mismatches(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return one sentence per row whose image and ground truth differ in size, by their first bytes, or are empty."""
    mismatches = []
    for row in rows:
        empty = [path for path in (row.image, row.depth) if path is not None and not path.stat().st_size]
        if empty:
            mismatches.append(f"line {row.line}: {empty[0]} is empty")
        if empty or row.depth is None:
            continue
        image, depth = picture_size(row.image, is_image=True), picture_size(row.depth)
        if image is not None and depth is not None and image != depth:
            mismatches.append(f"line {row.line}: {_describe_mismatch(row, image, depth)}")
    return tuple(mismatches)


def _describe_mismatch(row: Row, image: Size, depth: Size) -> str:
    sizes = f"{image[0]}x{image[1]} (height x width), its ground truth {row.depth} is {depth[0]}x{depth[1]}"
    return f"{row.image} is {sizes}"


@dataclass(frozen=True, slots=True)
class _Tally:
    values: DepthArray
    """Known values as stored, thinned out, shape (n,)."""
    pixels: int
    known: int
    valid: int
    within: int
    """Known pixels that count, whatever the crop."""
    zeros: int
    above: float
    has_8_bits: bool


def _inspect_row(row: Row, entry: DatasetClass, limits: DepthRange) -> tuple[tuple[int, int], _Tally | None]:
    image = read_image(row.image)
    size = (image.shape[0], image.shape[1])
    if row.depth is None:
        return size, None
    raw = _values_of(row, row.depth, entry, size)
    if raw.shape != size:
        message = _describe_mismatch(row, size, (raw.shape[0], raw.shape[1]))
        raise DataError(message)
    truth = ground_truth_from(raw, entry, limits)
    anywhere = ground_truth_from(raw, replace(entry, crop=EvalCrop.NONE), limits).valid
    known = (
        np.isfinite(raw) & ((raw != 0) | entry.zero_counts) & ~np.isin(raw, np.asarray(entry.invalid, dtype=np.float32))
    )
    if row.mask is not None:
        known &= read_mask(row.mask)
    finite = raw[known]
    upper = limits.max_m if entry.gives_metres else np.inf
    above = float((in_units(finite, entry) >= upper).mean()) if finite.size else 0.0
    thinned = finite[:: max(1, finite.size // _VALUES_PER_SAMPLE)]
    zeros = int((raw == 0).sum())
    valid, within = int(truth.valid.sum()), int((anywhere & known).sum())
    has_8_bits = file_kind(row.depth) in (FileKind.GREY, FileKind.PICTURE) and not (finite > _MOST_OF_8_BITS).any()
    return size, _Tally(thinned, raw.size, int(known.sum()), valid, within, zeros, above, has_8_bits)


def _values_of(row: Row, depth: Path, entry: DatasetClass, size: tuple[int, int]) -> DepthArray:
    try:
        return entry.values_of(depth, size)
    except DataError as error:
        if PICTURE in str(error) and file_kind(row.image) is not FileKind.PICTURE:
            message = f"the columns seem to be swapped: {depth} is a picture and {row.image} is none"
            raise DataError(message) from error
        raise


def _summarize(
    tallies: Sequence[_Tally],
    entry: DatasetClass,
    counts: tuple[int, tuple[str, ...], tuple[tuple[int, int], ...]],
) -> SampleFacts:
    values = np.concatenate([tally.values for tally in tallies]) if tallies else np.empty(0, dtype=np.float32)
    rows, unreadable, sizes = counts
    stored = _percentiles(values)
    low, middle, high = (float(value) for value in in_units(np.asarray(stored, dtype=np.float32), entry))
    pixels, known, valid = (sum(getattr(tally, key) for tally in tallies) for key in ("pixels", "known", "valid"))
    integers = bool(values.size) and bool((values == np.rint(values)).all())
    has_levels = integers and any(tally.has_8_bits for tally in tallies)
    return SampleFacts(
        rows=rows,
        unreadable=unreadable,
        image_sizes=sizes,
        percentiles=(low, middle, high) if values.size else None,
        stored=stored,
        valid_fraction=valid / max(1, pixels),
        within_fraction=sum(tally.within for tally in tallies) / max(1, known),
        empty=sum(tally.valid == 0 for tally in tallies),
        zero_fraction=sum(tally.zeros for tally in tallies) / max(1, pixels),
        above_fraction=float(np.mean([tally.above for tally in tallies])) if tallies else 0.0,
        integers=integers,
        levels=len(np.unique(values)) if has_levels else 0,
    )


def _percentiles(values: DepthArray) -> tuple[float, float, float]:
    low, middle, high = np.percentile(values, _PERCENTILES) if values.size else (0.0, 0.0, 0.0)
    return float(low), float(middle), float(high)
