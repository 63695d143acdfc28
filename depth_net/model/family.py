"""The two families of monocular depth models, under the names that specs use."""

from __future__ import annotations

from enum import StrEnum


class ModelType(StrEnum):
    """What a model predicts."""

    RELATIVE = "RelativeDepthAnything"
    """Disparity up to scale and shift: near is large, >= 0, unbounded."""
    METRIC = "MetricDepthAnything"
    """Depth in metres, in (0, max_depth)."""
