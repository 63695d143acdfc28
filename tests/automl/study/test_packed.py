from __future__ import annotations

import pickle
import sys

from automl.study.packed import PackedCurve, PackedValues, packed

MANY = {f"metric {number}": float(number) for number in range(20_000)}


def test_many_values_are_those_that_were_given() -> None:
    values = packed(MANY)

    assert isinstance(values, PackedValues)
    assert values == MANY
    assert {**values} == MANY
    assert values.get("metric 7") == 7.0
    assert values.get("another") is None
    assert pickle.loads(pickle.dumps(values)) == MANY  # noqa: S301 # our own


def test_names_are_shared_though_their_order_differs() -> None:
    first, second = packed(MANY), packed(dict(reversed(MANY.items())))

    assert first == second
    assert isinstance(first, PackedValues)
    assert isinstance(second, PackedValues)
    assert first._places is second._places  # noqa: SLF001 # what it is for
    assert sys.getsizeof(second._numbers) < 9 * len(MANY)  # noqa: SLF001 # what it is for


def test_few_values_stay_as_they_are() -> None:
    values = {"val/d1": 0.5}

    assert packed(values) is values


def test_a_curve_is_read_like_the_points_that_it_was_made_of() -> None:
    points = ((0, 0.25), (3, 0.5), (7, 0.75))

    curve = PackedCurve(points)

    assert curve == points
    assert points == curve
    assert curve[-1] == (7, 0.75)
    assert curve[::2] == (points[0], points[2])
    assert not PackedCurve(())
