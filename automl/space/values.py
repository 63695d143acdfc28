"""The values that parameters take."""

from __future__ import annotations

from typing import TypeAlias

Scalar: TypeAlias = "bool | int | float | str | None"
"""A value that a parameter can take."""


def is_same(first: Scalar, second: Scalar) -> bool:
    """Return whether two values are the same in a spec: True and 1 are equal in Python and are not the same there."""
    return first == second and isinstance(first, bool) == isinstance(second, bool)
