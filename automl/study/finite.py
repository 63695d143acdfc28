"""Which numbers a study computes with."""

from __future__ import annotations

LARGEST = 1e150
"""The squares of larger numbers overflow, and no metric is as large unless its training has diverged."""


def is_finite(value: float) -> bool:
    """Tell whether a measured number counts as one: it is finite, and so are the squares of differences."""
    return abs(value) <= LARGEST
