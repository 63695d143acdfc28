"""Measure what the images and the ground truth of a few rows of an annotation file contain.

`depth_net.actions.check` decides which of these numbers are wrong for a spec.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from depth_net.data.families import DatasetClass, DepthRange, Encoding, ground_truth_from
from depth_net.data.picture_sizes import Size, picture_size
from depth_net.data.readers import read_image
from depth_net.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from depth_net.data.annotations import Row
    from depth_net.data.readers import DepthArray

_PERCENTILES = (5, 50, 95)
_VALUES_PER_SAMPLE = 20_000
_LEAST_MILLIMETRES = 300.0
"""Half of an indoor scene is farther than 0.3 m."""
_MOST_VALID = 0.5
"""Whole numbers that count as they are, such as large disparities, are no millimetres by mistake."""


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
    """5th, 50th and 95th percentile of the finite values as stored (after the reader's unit); None without any."""
    valid_fraction: float
    """Share of pixels that count, by the rules of the data set."""
    empty: int
    """Rows in which no pixel counts."""
    zero_fraction: float
    """Share of zeros among the pixels that count."""
    above_fraction: float
    """Share of the finite values at or above the upper limit."""
    integers: bool
    """All finite values are whole numbers."""

    @property
    def looks_like_millimetres(self) -> bool:
        """Whole numbers of the size of room depths in millimetres, most of which do not count as they are."""
        large = self.percentiles is not None and self.percentiles[1] >= _LEAST_MILLIMETRES
        return self.integers and large and self.valid_fraction < _MOST_VALID


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
        limits: Depths that count, for `Encoding.DEPTH_M`.
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
    return _summarize(tallies, len(rows), tuple(unreadable), tuple(sizes))


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
    """Finite values, thinned out, shape (n,)."""
    pixels: int
    valid: int
    zeros: int
    above: float


def _inspect_row(row: Row, entry: DatasetClass, limits: DepthRange) -> tuple[tuple[int, int], _Tally | None]:
    image = read_image(row.image)
    size = (image.shape[0], image.shape[1])
    if row.depth is None:
        return size, None
    raw = entry.read(row.depth)
    if raw.shape != size:
        message = _describe_mismatch(row, size, (raw.shape[0], raw.shape[1]))
        raise DataError(message)
    truth = ground_truth_from(raw, entry, limits)
    finite = raw[np.isfinite(raw)]
    upper = limits.max_m if entry.encoding is Encoding.DEPTH_M else np.inf
    above = float((finite >= upper).mean()) if finite.size else 0.0
    thinned = finite[:: max(1, finite.size // _VALUES_PER_SAMPLE)]
    zeros = int((truth.target[truth.valid] == 0).sum())
    return size, _Tally(thinned, raw.size, int(truth.valid.sum()), zeros, above)


def _summarize(
    tallies: Sequence[_Tally], rows: int, unreadable: tuple[str, ...], sizes: tuple[tuple[int, int], ...]
) -> SampleFacts:
    values = np.concatenate([tally.values for tally in tallies]) if tallies else np.empty(0, dtype=np.float32)
    # Unknown pixels are often stored as 0; they do not indicate the unit.
    known = values[values != 0] if (values != 0).any() else values
    valid = sum(tally.valid for tally in tallies)
    low, middle, high = (
        (float(value) for value in np.percentile(known, _PERCENTILES)) if known.size else (0.0, 0.0, 0.0)
    )
    return SampleFacts(
        rows=rows,
        unreadable=unreadable,
        image_sizes=sizes,
        percentiles=(low, middle, high) if known.size else None,
        valid_fraction=valid / max(1, sum(tally.pixels for tally in tallies)),
        empty=sum(tally.valid == 0 for tally in tallies),
        zero_fraction=sum(tally.zeros for tally in tallies) / max(1, valid),
        above_fraction=float(np.mean([tally.above for tally in tallies])) if tallies else 0.0,
        integers=bool(known.size) and bool((known == np.rint(known)).all()),
    )
