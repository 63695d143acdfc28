"""Values of parameters."""

from __future__ import annotations

from automl.space.values import is_same


def test_booleans_are_not_numbers() -> None:
    assert not is_same(True, 1)  # noqa: FBT003 # the point of the test
    assert is_same(1, 1.0)
