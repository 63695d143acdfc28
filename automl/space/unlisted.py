"""Parameters that no schema and no spec names: a user's range makes them, where the program takes any parameter."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from typing import TYPE_CHECKING

from automl.skill.fields import is_number
from automl.space.range_text import RangeTextError, read_values
from automl.space.ranges import make_parameter
from automl.spec.model import lay_over
from automl.spec.train_schema import LeafKind, SchemaLeaf, kind_of_value
from automl.spec.typed import typed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl.skill.model import JsonValue
    from automl.space.derived import UserRange
    from automl.space.parameters import Parameter
    from automl.spec.model import Spec

MIDDLE = "the middle of its range"
FIRST = "the first of its options"
"""Origins of a value that neither the user nor the program declares."""
_NUMBERS = {LeafKind.FLOAT, LeafKind.INT}


def with_middles(spec: Spec, search: Sequence[str]) -> Spec:
    """Return the spec with a value for each item of ``--search`` whose parameter it does not have.

    It is the middle of the range on its scale, or the first option.
    """
    middles: dict[str, JsonValue] = {}
    firsts: dict[str, JsonValue] = {}
    for path, separator, text in (item.partition("=") for item in search):
        if not separator or spec.has(path.strip()):
            continue
        with contextlib.suppress(RangeTextError, ValueError):  # `build_space` reports it
            asked = plain(read_values(text))
            leaf = SchemaLeaf(path=path.strip(), kind=kind_of_range(asked, None))
            made = make_parameter(leaf, None, asked=asked)
            if made.choices:
                firsts[leaf.path] = made.choices[0]
            else:
                middles[leaf.path] = _middle_of(made)
    return lay_over(lay_over(spec, middles, MIDDLE), firsts, FIRST)


def plain(asked: UserRange, value: JsonValue = None) -> UserRange:
    """Return what a user asks with options of the type of a value; without one, YAML decides."""
    options = [typed(option, None, value) for option in asked.choices]
    return replace(asked, choices=tuple(option for option in options if not isinstance(option, dict | list)))


def kind_of_range(asked: UserRange, value: JsonValue) -> LeafKind:
    """Return the type of the values of a user's range or options, and of the spec's value beside a range."""
    if not asked.choices:
        numbers = [number for number in (asked.low, asked.high, value) if is_number(number)]
        return LeafKind.INT if all(isinstance(number, int) for number in numbers) else LeafKind.FLOAT
    kinds = {kind_of_value(choice) for choice in asked.choices}
    return kinds.pop() if len(kinds) == 1 else LeafKind.FLOAT if kinds == _NUMBERS else LeafKind.OTHER


def _middle_of(parameter: Parameter) -> int | float:
    """Return the middle of a range on its scale: 64 of 16..256 on a logarithmic one."""
    low, high = parameter.bounds
    if parameter.log:
        return parameter.nearest(math.sqrt(low * high))
    if parameter.log_to_one:
        return parameter.nearest(1.0 - math.sqrt((1.0 - low) * (1.0 - high)))
    return parameter.nearest((low + high) / 2)
