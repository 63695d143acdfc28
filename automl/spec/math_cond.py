"""Parse the ``math_cond`` notation of train schemas into conditions on one value.

``> 0.0 <= 1.0`` is two comparisons, ``> depends_on`` compares with the parent's value, ``/ 8`` asks for multiples of 8
(or, for a child without a comparison, for the parent's value divided by 8), ``^ 2`` for powers of 2, 1 included.
A text that is anything else is unreadable: its parameter cannot be searched, because no value could be trusted.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automl.skill.model import JsonValue

_SCALES = {"/", "^"}
_MAX_CHARACTERS = 500
_TERM = re.compile(
    r"\s*(>=|<=|!=|>|<|/|\^)\s*(depends_on|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?:,|;|&&?|and\b)?"
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison: ``>``, ``>=``, ``<``, ``<=`` or ``!=``, with a constant or, where that is None, the parent."""

    operator: str
    constant: float | None


@dataclass(frozen=True, slots=True)
class MathCondition:
    """What a ``math_cond`` and a ``depends_on`` together ask of a value.

    Attributes:
        text: As written.
        comparisons: All of them hold.
        multiple_of: The value is a multiple of this; None for any value.
        power_of: The value is a power of this whole number, exponent 0 included; None for any value.
        quotient_of: The value is the parent's, divided by this and rounded down; None for a free value.
    """

    text: str
    comparisons: tuple[Comparison, ...] = ()
    multiple_of: float | None = None
    power_of: int | None = None
    quotient_of: float | None = None


def parse_math_cond(text: JsonValue, *, has_parent: bool) -> MathCondition | None:
    """Parse a ``math_cond``; return None if it cannot be read. None and the empty text ask nothing.

    Where the schema node also has a parent, a ``depends_on``, and no operator for it, the value may not exceed the
    parent's.
    """
    terms = _terms("" if text is None else text)
    if terms is None:
        return None
    comparisons = tuple(Comparison(operator, number) for operator, number in terms if operator not in _SCALES)
    scales = {operator: number for operator, number in terms if operator in _SCALES}
    has_operator = any(comparison.constant is None for comparison in comparisons)
    if len(scales) < len(terms) - len(comparisons) or len(scales) > 1 or (has_operator and not has_parent):
        return None
    if not all(_is_usable(operator, number) for operator, number in scales.items()):
        return None
    divisor, base = scales.get("/"), scales.get("^")
    is_quotient = has_parent and divisor is not None and not has_operator
    if has_parent and not has_operator and not is_quotient:
        comparisons = (*comparisons, Comparison("<=", None))
    return MathCondition(
        text=str(text or ""),
        comparisons=comparisons,
        multiple_of=None if is_quotient else divisor,
        power_of=None if base is None else int(base),
        quotient_of=divisor if is_quotient else None,
    )


def _terms(text: JsonValue) -> list[tuple[str, float | None]] | None:
    """Return (operator, number), with None for the parent's value; None for a text that cannot be read."""
    if not isinstance(text, str) or len(text) > _MAX_CHARACTERS:
        return None
    terms: list[tuple[str, float | None]] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TERM.match(text, position)
        if match is None:
            return None
        terms.append((match[1], None if match[2] == "depends_on" else float(match[2])))
        position = match.end()
    return terms


def _is_usable(operator: str, number: float | None) -> bool:
    if number is None or not 0 < number < math.inf:
        return False
    return operator == "/" or (number > 1 and number.is_integer())
