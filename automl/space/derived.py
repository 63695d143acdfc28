"""Finite ends of a range: those of user and schema where they can be used, else derived from the spec's own value.

What kind of parameter it is decides how (the families of `automl.architectures`): rates lie within factors of the
value, decays near 1 within factors of their distance to 1, probabilities and strengths inside what is sensible. An end
that was derived is no fact, and says so. Costly parameters stay within four times the cost of the template.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from automl.architectures.model import Family, Scale
from automl.skill.fields import is_number
from automl.spec.train_schema import LeafKind

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from automl.space.values import Scalar
    from automl.spec.train_schema import SchemaLeaf

NO_FAMILY = Family(name="", names=())
# Unless --search asks for more, a parameter may change memory or time by this much.
COST_LIMIT = 4.0
_WORTH_SAYING = 1.999
_TINY = 1e-12
# Of what has to stay near its value, 0 says nothing of a range beyond this.
_MOST_AROUND_0 = 1000
_PHRASES = {2.0: ("half", "twice"), 4.0: ("a quarter", "four times"), 10.0: ("a tenth", "ten times")}
_PHRASES |= {100.0: ("a hundredth", "a hundred times"), math.sqrt(2): ("0.71", "1.41 times")}


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRange:
    """What a user asks for one parameter; None keeps the schema's end and the usual scale, no choices mean a range.

    Attributes:
        log_to_one: The range is searched on the logarithm of the distance to 1.
        is_elastic: Its ends are no limits: they may move out as derived ones do, inside the schema.
        when: The parameter acts only while each of these other ones has one of its values.
    """

    low: float | None = None
    high: float | None = None
    log: bool | None = None
    choices: tuple[Scalar, ...] = ()
    log_to_one: bool = False
    is_elastic: bool = False
    when: tuple[tuple[str, tuple[Scalar, ...]], ...] = ()


class RangeError(ValueError):
    """A parameter has no usable range; the message completes the sentence "it is left out: ..."."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The numbers from ``low`` to ``high``, without an end that is open; an infinite end is no bound."""

    low: float
    high: float
    is_low_open: bool
    is_high_open: bool

    @property
    def is_finite(self) -> bool:
        """Whether both ends are bounds."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def contains(self, value: float) -> bool:
        """Return whether a number lies in it."""
        is_above = value > self.low or (value == self.low and not self.is_low_open)
        return is_above and (value < self.high or (value == self.high and not self.is_high_open))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The ends of a range, which of them were derived, and why they are as they are."""

    low: float
    high: float
    note: str
    derived: tuple[str, ...] = ()


def family_of(families: Collection[Family], leaf: SchemaLeaf, value: object) -> Family:
    """Return the family of a parameter whose value in the spec is known; an unnamed one where none holds."""
    return next((one for one in families if one.holds(leaf.path, leaf.kind.value, value)), NO_FAMILY)


def values_beside(leaf: SchemaLeaf, value: Scalar, family: Family, asked: UserRange) -> tuple[Scalar, ...]:
    """Return the spec's value if it stands for off, none or all: a choice beside the range, and no number in it."""
    if asked.low is not None or asked.high is not None:
        return ()
    is_listed = any(type(value) in {type(one), int, float} and value == one for one in family.off)
    is_all = leaf.kind is LeafKind.INT and is_number(value) and value == -1
    is_none = value is None and (leaf.is_nullable or None in family.off)
    return (value,) if is_listed or is_all or is_none else ()


def finite_number(value: Scalar) -> float | None:
    """Return a number of the spec; None for what is none, not finite, or an int beyond floats."""
    try:
        return float(value) if is_number(value) and math.isfinite(value) else None
    except OverflowError:
        return None


def finite_ends(leaf: SchemaLeaf, interval: Interval, centre: float | None, asked: UserRange, family: Family) -> Ends:
    """Return finite, closed ends inside an interval, which the user may have narrowed.

    Raises:
        RangeError: none follow, or nothing lies between them.
    """
    if family.stays_near and not centre and interval.high > _MOST_AROUND_0:
        raise RangeError(f"no finite range follows from its value {centre or 0:g}; give one, path=low..high")
    sensible = _sensible(interval, centre, family)
    needs_low, needs_high = _needed(interval, sensible, asked, family)
    if not needs_low and not needs_high:
        of_user = asked.low is not None or asked.high is not None
        ends = Ends(low=interval.low, high=interval.high, note=f"range of the {'user' if of_user else 'schema'}")
    else:
        low, high, note = _around(leaf, interval, sensible, centre, family)
        low, high = low if needs_low else interval.low, high if needs_high else interval.high
        derived = [
            name
            for name, is_own in (
                ("low", needs_low and low > interval.low + _TINY),
                ("high", needs_high and high < interval.high - _TINY),
            )
            if is_own
        ]
        ends = Ends(low=low, high=high, note=note, derived=tuple(derived))
    return _closed(_affordable(ends, centre, asked, family), interval, centre, leaf)


def _sensible(interval: Interval, centre: float | None, family: Family) -> tuple[float, float]:
    """Return what is sensible for a family; the spec's own value always is."""
    low, high = max(family.low, family.domain[0]), min(family.high, family.domain[1])
    if family.stays_near and centre:
        low, high = (
            max(low, math.floor(centre / (family.below or 2.0))),
            min(high, math.ceil(centre * (family.above or 2.0))),
        )
    if centre is not None:
        low, high = min(low, centre), max(high, centre)
    return max(low, interval.low), min(high, interval.high)


def _needed(interval: Interval, sensible: tuple[float, float], asked: UserRange, family: Family) -> tuple[bool, bool]:
    """Tell which ends have to be derived: the schema has none, or one that says nothing, such as 0 for a rate."""
    low = math.isinf(interval.low) or sensible[0] > interval.low
    high = math.isinf(interval.high) or sensible[1] < interval.high
    match family.scale:
        case Scale.LOG if interval.low <= 0 or math.isinf(interval.high):
            low = high = True
        case Scale.LOG_TO_ONE if interval.high >= 1 or math.isinf(interval.low):
            low = high = True
        case Scale.LINEAR if not _is_bounded(family):
            low = high = low or high
        case _:
            pass
    return low and asked.low is None, high and asked.high is None


def _is_bounded(family: Family) -> bool:
    return math.isfinite(family.low) and math.isfinite(family.high)


def _around(
    leaf: SchemaLeaf, interval: Interval, sensible: tuple[float, float], centre: float | None, family: Family
) -> tuple[float, float, str]:
    prefix = f"{family.name}: " if family.name else ""
    if family.scale is Scale.LINEAR and _is_bounded(family):
        shown = f" {family.unit}" if family.unit else ""
        return *sensible, f"{prefix}{sensible[0]:g} to {sensible[1]:g}{shown} is sensible"
    if centre is None or (centre <= 0 and family.scale is not Scale.LINEAR):
        return _without_value(leaf, interval, sensible, centre, family)
    kept = min(max(centre, interval.low), interval.high)
    if family.scale is Scale.LINEAR:
        return _linear(leaf, interval, sensible, kept, family)
    below, above = family.below or 10.0, family.above or 10.0
    words = f"{_PHRASES[below][0]} to {_PHRASES[above][1]}"
    if family.scale is Scale.LOG:
        low, high, note = kept / below, kept * above, f"{words} the value {kept:g}"
    else:
        low, high = 1.0 - (1.0 - kept) * below, 1.0 - (1.0 - kept) / above
        note = f"1 - value from {words} {1.0 - kept:.3g}"
    low, high = max(low, sensible[0]), min(high, sensible[1])
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RangeError(f"no finite range lies around its value {kept:g}; give one, path=low..high")
    return low, high, f"{prefix}{note}, inside the schema"


def _without_value(
    leaf: SchemaLeaf, interval: Interval, sensible: tuple[float, float], centre: float | None, family: Family
) -> tuple[float, float, str]:
    """Return a range where the spec has no value to lie around."""
    if family.usual:
        low, high = max(family.usual[0], interval.low), min(family.usual[1], interval.high)
        if low <= high:
            return low, high, f"{family.name}: {low:g} to {high:g} is usual"
    if family.scale is Scale.LOG and 0 < interval.high < math.inf and not (-math.inf < interval.low < 0):
        high = min(interval.high, sensible[1])
        return max(interval.low, high * 1e-5), high, f"{family.name}: five decades up to the maximum {high:g}"
    # One finite bound of the right sign gives the order of magnitude.
    bound = interval.low if interval.low > 0 else interval.high if interval.high < 0 else None
    if bound is None or family.scale is not Scale.LINEAR:
        what = "its schema" if centre is None else f"its value {centre:g}"
        raise RangeError(f"no finite range follows from {what}; give one, path=low..high")
    return _linear(leaf, interval, sensible, bound, family)


def _linear(
    leaf: SchemaLeaf, interval: Interval, sensible: tuple[float, float], centre: float, family: Family
) -> tuple[float, float, str]:
    if centre == 0:
        raise RangeError("no finite range follows from its value 0; give one, path=low..high")
    below, above = family.below or 2.0, family.above or 2.0
    ends = sorted((centre / below, centre * above)) if centre > 0 else sorted((centre * above, centre / below))
    if not (math.isfinite(max(ends[0], interval.low)) and math.isfinite(min(ends[1], interval.high))):
        raise RangeError(f"no finite range lies around its value {centre:g}; give one, path=low..high")
    if leaf.kind is LeafKind.INT:
        # At least one step on each side, where the schema allows it.
        ends = [min(math.floor(ends[0]), centre - 1), max(math.ceil(ends[1]), centre + 1)]
        ends[0] = max(ends[0], 1) if centre >= 1 else ends[0]  # 0 often stands for something else
    prefix = f"{family.name}: " if family.name else ""
    rest = ", inside the schema" if interval.is_finite else "; the schema has no finite bound"
    note = f"{prefix}{_PHRASES[below][0]} to {_PHRASES[above][1]} the value {centre:g}{rest}"
    return max(ends[0], sensible[0]), min(ends[1], sensible[1]), note


def _affordable(ends: Ends, centre: float | None, asked: UserRange, family: Family) -> Ends:
    exponent = max(family.memory, family.time, family.together)
    if not exponent or centre is None or centre <= 0:
        return ends
    factor = COST_LIMIT ** (1.0 / max(exponent, 1.0))
    ends = replace(ends, derived=())  # what costs more does not grow by itself
    low = ends.low if asked.low is not None else max(ends.low, centre / factor)
    high = ends.high if asked.high is not None else min(ends.high, centre * factor)
    if (low, high) == (ends.low, ends.high) or low > high:
        return ends
    note = f"{ends.note}; within {factor:g} times the template's value for its cost, --search asks for more"
    return replace(ends, low=low, high=high, note=note)


def cost_of(family: Family, values: Sequence[Scalar], default: Scalar) -> str:
    """Return by how much values change a trial's memory and time beside the default, where that is more than twice."""
    base, costs = family.cost(default), [family.cost(value) for value in values]
    known = [cost for cost in costs if cost is not None]
    if base is None or not all(base) or not known:
        return ""
    found = []
    for index, name in enumerate(("memory", "time")):
        factors = [cost[index] / base[index] for cost in known]
        if max(factors) > _WORTH_SAYING or min(factors) < 1 / _WORTH_SAYING:
            found.append(f"{name} x{min(factors):.2g} to x{max(factors):.2g}")
    how = f"measured with {family.measured_with}" if family.measured_with else f"estimated for a {family.name}"
    unknown = [str(value) for value, cost in zip(values, costs, strict=True) if cost is None]
    rest = f", not for {', '.join(unknown)}" if unknown else ""
    return f"{', '.join(found)} of the template's ({how}{rest})" if found else ""


def _closed(ends: Ends, interval: Interval, centre: float | None, leaf: SchemaLeaf) -> Ends:
    low, high = ends.low, ends.high
    if interval.is_low_open and low == interval.low:
        low = _closed_low(low, high, centre, leaf)
    if interval.is_high_open and high == interval.high:
        high = math.ceil(high) - 1 if leaf.kind is LeafKind.INT else high - _step_inside(low, high, high)
    if low > high:
        raise RangeError(f"no value lies in its range {low:g}..{high:g}")
    return replace(ends, low=low, high=high)


def _closed_low(low: float, high: float, centre: float | None, leaf: SchemaLeaf) -> float:
    if leaf.kind is LeafKind.INT:
        return math.floor(low) + 1
    if low == 0:
        # A hundredth of the value in use is small for it, and never 0.
        return min(centre / 100 if centre is not None and centre > 0 else high / 1000, high)
    return low + _step_inside(low, high, low)


def _step_inside(low: float, high: float, end: float) -> float:
    return max(abs(high - low) * 1e-6, abs(end) * _TINY)
