"""Parameters that bind each other by their names: ``scale_min`` and ``scale_max``, the smallest rate and the rate.

They count where the spec's own values keep them and the schema says nothing about the two. Where one range reaches
beyond the other's value, they meet halfway: drawn one after the other, values would gather at the far end.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from automl.skill.fields import is_number
from automl.space.activity import along
from automl.space.conditions import Relation, RelationKind
from automl.space.derived import family_of
from automl.spec.train_schema import LeafKind, SchemaLeaf

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from automl.space.parameters import Parameter
    from automl.space.reasons import Facts

SMALLEST_RATE = "smallest rate"
"""The family of the rates that a schedule ends or begins with in `automl/architectures/any.yaml`."""
_RATES = ("lr", "learning_rate", "base_lr", "max_lr", "lr0")
_LARGER = {"min": "max", "minimum": "maximum", "low": "high", "lower": "upper", "smallest": "largest"}
_SMALLER_WORD = re.compile(
    rf"(?:(?<![a-zA-Z])(?:{'|'.join(_LARGER)})|(?<=[a-z\d])(?:{'|'.join(map(str.title, _LARGER))}))(?![a-z])"
)


def pairs(searched: Mapping[str, Parameter], facts: Facts, bound: Collection[Relation]) -> Iterator[Relation]:
    """Yield that the larger of two is at least the smaller one, where one of them is searched and may break it.

    Args:
        searched: The space.
        facts: With the spec's values.
        bound: What binds parameters already.
    """
    known = {frozenset((relation.path, relation.parent)) for relation in bound}
    for path in dict.fromkeys([*facts.schema.leaves, *searched]):
        low = facts.spec.get(path) if facts.spec.has(path) else None
        if not is_number(low):
            continue
        for larger, leads in _larger(path, low, facts):
            high = facts.spec.get(larger) if facts.spec.has(larger) else None
            if frozenset((path, larger)) in known or not is_number(high) or low > high:
                continue
            if larger in searched and (not leads if path in searched else _ends(searched[larger])[0] < low):
                yield Relation(path=larger, kind=RelationKind.AT_LEAST, parent=path)
            elif path in searched and (larger in searched or _ends(searched[path])[1] > high):
                yield Relation(path=path, kind=RelationKind.AT_MOST, parent=larger)


def _ends(parameter: Parameter) -> tuple[float, float]:
    return (-math.inf, math.inf) if parameter.choices else parameter.bounds


def _larger(path: str, value: float, facts: Facts) -> Iterator[tuple[str, bool]]:
    """Yield the parameters that have to be at least as large as this one, and whether it follows them."""
    block, dot, name = path.rpartition(".")
    for word in _SMALLER_WORD.finditer(name):
        larger = _LARGER[word[0].lower()]
        larger = larger.title() if word[0][0].isupper() else larger
        yield f"{block}{dot}{name[: word.start()]}{larger}{name[word.end() :]}", False
    leaf = facts.schema.leaves.get(path) or SchemaLeaf(path=path, kind=LeafKind.FLOAT)
    if family_of(facts.rules.families, leaf, value).name == SMALLEST_RATE:
        yield from [(rate, True) for name in _RATES if (rate := along(facts, path, name))][:1]


def apart(
    parameters: Mapping[str, Parameter], found: Collection[Relation], given: Collection[str]
) -> dict[str, Parameter]:
    """Return the parameters, those of a pair with ranges that meet between their values; ``given`` ranges stay."""
    made = dict(parameters)
    for relation in found:
        if relation.kind is not RelationKind.AT_LEAST:
            continue  # a smallest rate follows the rate, which keeps its range
        small, large = made.get(relation.parent or ""), made.get(relation.path)
        if small and large and not {small.path, large.path} & set(given):
            middle = _middle(small, large)
            made[small.path], made[large.path] = _ended(small, "high", middle), _ended(large, "low", middle)
    return made


def _middle(small: Parameter, large: Parameter) -> float | None:
    """Return where two ranges meet; None where neither reaches beyond the other's value."""
    low, high = small.default, large.default
    if small.choices or large.choices or not is_number(low) or not is_number(high) or low == high:
        return None
    if small.bounds[1] <= high and large.bounds[0] >= low:
        return None
    return math.sqrt(low * high) if small.log and large.log else (low + high) / 2


def _ended(parameter: Parameter, end: Literal["low", "high"], middle: float | None) -> Parameter:
    if middle is None or not parameter.bounds[0] < middle < parameter.bounds[1]:
        return parameter
    number = parameter.nearest(middle)
    low, high = parameter.bounds
    return replace(
        parameter,
        low=number if end == "low" else low,
        high=number if end == "high" else high,
        derived=(*parameter.derived, end),
        reason=f"{parameter.reason}; {end} end {number:g}, between the values of both",
    )
