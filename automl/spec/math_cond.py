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

_TERM = re.compile(
    r"\s*(>=|<=|!=|>|<|/|\^)\s*(depends_on|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?:,|;|&&?|and\b)?"
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison.

    Attributes:
        operator: ``>``, ``>=``, ``<``, ``<=`` or ``!=``.
        constant: The other side; None for the parent's value.
    """

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
    """Parse a ``math_cond``.

    Args:
        text: The notation; None and the empty text ask nothing.
        has_parent: The schema node also has a ``depends_on``. Without an operator for it, the value may not exceed the
            parent's.

    Returns:
        The condition, or None if the text cannot be read.
    """
    if text is not None and not isinstance(text, str):
        return None
    terms = _terms(text or "")
    if terms is None:
        return None
    divisors = [number for operator, number in terms if operator == "/"]
    bases = [number for operator, number in terms if operator == "^"]
    comparisons = tuple(Comparison(operator, number) for operator, number in terms if operator not in {"/", "^"})
    if not _are_usable(divisors, bases) or (not has_parent and any(c.constant is None for c in comparisons)):
        return None
    has_operator = any(comparison.constant is None for comparison in comparisons)
    is_quotient = has_parent and bool(divisors) and not has_operator
    if has_parent and not has_operator and not is_quotient:
        comparisons = (*comparisons, Comparison("<=", None))
    divisor = divisors[0] if divisors else None
    return MathCondition(
        text=text or "",
        comparisons=comparisons,
        multiple_of=None if is_quotient else divisor,
        power_of=int(bases[0]) if bases and bases[0] is not None else None,
        quotient_of=divisor if is_quotient else None,
    )


def _terms(text: str) -> list[tuple[str, float | None]] | None:
    terms: list[tuple[str, float | None]] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TERM.match(text, position)
        if match is None:
            return None
        terms.append((match[1], None if match[2] == "depends_on" else float(match[2])))
        position = match.end()
    return terms


def _are_usable(divisors: list[float | None], bases: list[float | None]) -> bool:
    if len(divisors) + len(bases) > 1:
        return False
    has_divisor = all(number is not None and 0 < number < math.inf for number in divisors)
    has_base = all(
        number is not None and number > 1 and number == int(number) for number in bases if number != math.inf
    )
    return has_divisor and has_base and math.inf not in bases
