"""Give a parameter its range or its options, its scale and its step, and state what was derived.

The ends come from `automl.space.derived`, the scale from the family of the parameter; without one, ranges of two
decades or more are logarithmic. Bounds are inclusive; an excluded bound is moved inside by a visible, harmless step.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from automl.architectures.model import Scale
from automl.shown_command import shown
from automl.skill.fields import is_number
from automl.space.derived import (
    NO_FAMILY,
    Interval,
    RangeError,
    UserRange,
    cost_of,
    finite_ends,
    finite_number,
    values_beside,
)
from automl.space.parameters import Parameter, ParameterType
from automl.spec.train_schema import LeafKind, SchemaLeaf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl.architectures.model import Family
    from automl.skill.model import JsonValue
    from automl.space.derived import Ends
    from automl.space.values import Scalar

_LOG_RATIO = 100.0
_LOG_RATIO_INT = 64.0
_LOG_RATIO_FAMILY = 4.0
_LARGEST_INT, _LARGEST_FLOAT = 2**31 - 1, 1e18
_GAP = 1e-6
# A grid of multiples has at least so many values up to the spec's own.
_FEWEST_MULTIPLES = 4


def schema_interval(leaf: SchemaLeaf) -> Interval:
    """Return the bounds of the schema, tightened by the comparisons of ``math_cond`` with constants."""
    # Sentinels such as 2147483647 or 1e308 say "no bound".
    largest = _LARGEST_INT if leaf.kind is LeafKind.INT else _LARGEST_FLOAT
    low, is_low_open = -math.inf, False
    if leaf.minimum is not None and leaf.minimum > -largest:
        low, is_low_open = leaf.minimum, leaf.is_minimum_open
    high, is_high_open = math.inf, False
    if leaf.maximum is not None and leaf.maximum < largest:
        high, is_high_open = leaf.maximum, leaf.is_maximum_open
    for comparison in leaf.math_cond.comparisons if leaf.math_cond is not None else ():
        bound = comparison.constant
        is_open = comparison.operator in {">", "<", "!="}
        match comparison.operator:
            case ">" | ">=" if bound is not None:
                low, is_low_open = max((low, is_low_open), (bound, is_open))
            case "<" | "<=" if bound is not None and (bound < high or (bound == high and is_open)):
                high, is_high_open = bound, is_open
            case "!=":
                is_low_open, is_high_open = is_low_open or bound == low, is_high_open or bound == high
            case _:
                pass
    return Interval(low, high, is_low_open, is_high_open)


def make_parameter(
    leaf: SchemaLeaf,
    value: JsonValue,
    *,
    asked: UserRange | None = None,
    cap: float | None = None,
    family: Family = NO_FAMILY,
) -> Parameter:
    """Return a parameter for a leaf of the schema and the merged spec's value, inside which the user may have asked.

    ``cap`` is the highest useful value for outside reasons, e.g. the number of samples for a batch size.

    Raises:
        RangeError: there is no range, or nothing in it.
    """
    default = value if not isinstance(value, dict | list) else None
    asked = asked or UserRange()
    if leaf.kind is LeafKind.LIST:
        raise RangeError(f"a list has no range; search one element: {shown('--search', f'{leaf.path}[0]=low..high')}")
    if leaf.kind is LeafKind.BOOL and not leaf.choices:
        options = asked.choices or (False, True)
        return Parameter(
            path=leaf.path,
            type=ParameterType.BOOL,
            choices=options,
            cost=cost_of(family, options, default),
            default=default,
            reason="on or off",
        )
    if asked.choices or leaf.choices:
        made = _from_choices(leaf, asked.choices, default)
        return replace(made, cost=cost_of(family, made.choices, default))
    if leaf.kind not in {LeafKind.FLOAT, LeafKind.INT}:
        options_of = shown("--search", f"{leaf.path}={{a,b}}")
        raise RangeError(f"a {leaf.declared_type or leaf.kind.value} has no range; give options: {options_of}")
    return _from_range(leaf, default, asked, cap, family)


def _from_choices(leaf: SchemaLeaf, asked: tuple[Scalar, ...], default: Scalar) -> Parameter:
    options = asked or leaf.choices
    weights = leaf.weights if leaf.weights and not asked else (1.0,) * len(options)
    pairs = zip(options, weights, strict=True)
    if refused := [option for option in asked if option != default and not _is_usable(option, leaf, is_asked=True)]:
        raise RangeError(f"its option {refused[0]!r} cannot be used")
    kept = [(o, weight) for o, weight in pairs if weight > 0 and (asked or _is_usable(o, leaf))]
    note = "options of the user" if asked else "options of the schema"
    weightless = sum(weight <= 0 for weight in weights)
    dropped = len(options) - len(kept) - weightless
    if dropped:
        note += f", {dropped} unusable one{'s' if dropped > 1 else ''} left out"
    if weightless:
        note += f", {weightless} of weight 0 left out"
    is_new = default not in (None, "", "???") and not any(o == default and type(o) is type(default) for o, _ in kept)
    if is_new and not asked and _is_sane(default):
        # Templates and enums of the same skill disagree; the template's value is known to work.
        kept.append((default, sum(weight for _, weight in kept) / max(len(kept), 1) or 1.0))
        note += ", with the template's own value added"
    if default is None and leaf.is_nullable and not asked and all(option is not None for option, _ in kept):
        kept.insert(0, (None, sum(weight for _, weight in kept) / max(len(kept), 1)))
        note += ", or none"
    if not kept:
        raise RangeError("none of its options can be used")
    is_equal = len({weight for _, weight in kept}) == 1
    kind = {LeafKind.INT: ParameterType.INT, LeafKind.FLOAT: ParameterType.FLOAT, LeafKind.BOOL: ParameterType.BOOL}
    return Parameter(
        path=leaf.path,
        type=kind.get(leaf.kind, ParameterType.CATEGORICAL),
        choices=tuple(option for option, _ in kept),
        weights=() if is_equal else tuple(weight for _, weight in kept),
        default=default,
        reason=note if is_equal else f"{note}, weights as prior",
    )


def _is_sane(option: Scalar) -> bool:
    """Return whether an option is not corrupted: text with line breaks or blanks around it is."""
    return not isinstance(option, str) or option == option.strip()


def _is_usable(option: Scalar, leaf: SchemaLeaf, *, is_asked: bool = False) -> bool:
    if leaf.kind is LeafKind.BOOL:
        return isinstance(option, bool)
    if leaf.kind not in {LeafKind.INT, LeafKind.FLOAT}:
        return is_asked or _is_sane(option)
    if not is_number(option) or not schema_interval(leaf).contains(option):
        return False
    condition = leaf.math_cond
    if condition is None:
        return True
    is_forbidden = any(c.operator == "!=" and c.constant == option for c in condition.comparisons)
    return not is_forbidden and (condition.multiple_of is None or option % condition.multiple_of == 0)


def _from_range(leaf: SchemaLeaf, default: Scalar, asked: UserRange, cap: float | None, family: Family) -> Parameter:
    beside = values_beside(leaf, default, family, asked)
    widest = schema_interval(leaf)
    interval = _tightened(widest, asked)
    if leaf.kind is LeafKind.INT and interval.low == -1 and asked.low is None:
        # -1 stands for all or none; it is no number of a range.
        interval = replace(interval, low=0 if beside == (0,) else 1, is_low_open=False)
    centre = None if beside else finite_number(default)
    ends = _capped(finite_ends(leaf, interval, centre, asked, family), cap)
    if beside:
        ends = replace(ends, note=f"{_shown(beside[0])} or a value: {ends.note}")
    base = leaf.math_cond.power_of if leaf.math_cond is not None else None
    if base is None and asked.low is None and asked.high is None:
        base = family.powers
    if base is not None:
        return replace(_powers(leaf, default, base, ends), cost=cost_of(family, (ends.low, ends.high), centre))
    within = widest if asked.is_elastic else interval
    reach = max(within.low, family.domain[0]), min(within.high, family.domain[1])
    if asked.is_elastic:
        movable = (("low", ends.low > reach[0]), ("high", ends.high < reach[1]))
        ends = replace(ends, derived=tuple(end for end, is_movable in movable if is_movable))
    step = _step(leaf, family, ends, [n for n in (centre, asked.low, asked.high) if n is not None])
    low, high = _on_grid(leaf, ends, step)
    scale = _scale(leaf, (low, high), interval, asked, family)
    return Parameter(
        path=leaf.path,
        type=ParameterType.INT if leaf.kind is LeafKind.INT else ParameterType.FLOAT,
        low=low,
        high=high,
        log=scale is Scale.LOG,
        log_to_one=scale is Scale.LOG_TO_ONE,
        step=step,
        beside=beside,
        derived=ends.derived,
        reach=reach,
        unit=family.unit,
        cost=cost_of(family, (low, high), centre),
        default=default,
        reason=f"{ends.note}; multiples of {step:g}" if step is not None else ends.note,
    )


def _capped(ends: Ends, cap: float | None) -> Ends:
    if cap is None or cap >= ends.high:
        return ends
    if cap < ends.low:
        raise RangeError(f"its smallest value {ends.low:g} is above the {cap:g} samples of a device")
    derived = tuple(end for end in ends.derived if end != "high")
    return replace(ends, high=cap, derived=derived, note=f"{ends.note}; capped at {cap:g} by the number of samples")


def _step(leaf: SchemaLeaf, family: Family, ends: Ends, on_it: Sequence[float]) -> float | None:
    """Return the distance of neighbouring values: the schema's, or the largest of the family's that fits.

    The spec's value and a user's ends are on such a grid, and there are some values up to the first.
    """
    step = leaf.math_cond.multiple_of if leaf.math_cond is not None else None
    if leaf.kind is LeafKind.INT and step is not None and step != int(step):
        raise RangeError(f"whole numbers cannot be multiples of {step:g}")
    if step is not None or leaf.kind is not LeafKind.INT or not on_it:
        return step
    fits = (m for m in family.multiples if all(number % m == 0 for number in on_it))
    return next((m for m in fits if on_it[0] / m >= _FEWEST_MULTIPLES and ends.high - ends.low >= m), None)


def _on_grid(leaf: SchemaLeaf, ends: Ends, step: float | None) -> tuple[float, float]:
    low, high = ends.low, ends.high
    if step is not None:
        low, high = math.ceil(low / step - 1e-9) * step, math.floor(high / step + 1e-9) * step
    elif leaf.kind is LeafKind.INT:
        low, high = math.ceil(low - _GAP), math.floor(high + _GAP)
    if low > high:
        raise RangeError(f"no value lies in its range {low:g}..{high:g}")
    return low, high


def _shown(value: Scalar) -> str:
    return "none" if value is None else f"{value} (off)" if value == 0 else str(value)


def _scale(leaf: SchemaLeaf, ends: tuple[float, float], interval: Interval, asked: UserRange, family: Family) -> Scale:
    low, high = ends
    if asked.log_to_one and low < high < 1:
        return Scale.LOG_TO_ONE
    if asked.log is not None:
        return Scale.LOG if asked.log and 0 < low < high else Scale.LINEAR
    if family.scale is Scale.LOG_TO_ONE and low < high < 1:
        return Scale.LOG_TO_ONE
    if not 0 < low < high:
        return Scale.LINEAR
    ratio, is_integer = high / low, leaf.kind is LeafKind.INT
    if family.scale is Scale.LOG:
        return Scale.LOG if not is_integer or ratio >= _LOG_RATIO_FAMILY else Scale.LINEAR
    # A lower end that was moved off 0 says nothing about the scale: (0, 1] stays linear.
    is_scaled = math.isinf(interval.low) or interval.low > 0
    is_wide = ratio >= (_LOG_RATIO_INT if is_integer else _LOG_RATIO)
    return Scale.LOG if is_scaled and is_wide and not family.name else Scale.LINEAR


def _tightened(interval: Interval, asked: UserRange) -> Interval:
    # A user's bound that equals an excluded bound of the schema keeps it excluded: "0..1" under "> 0" never means 0.
    if asked.low is not None and interval.contains(asked.low):
        interval = replace(interval, low=asked.low, is_low_open=False)
    if asked.high is not None and interval.contains(asked.high):
        interval = replace(interval, high=asked.high, is_high_open=False)
    return interval


def _powers(leaf: SchemaLeaf, default: Scalar, base: int, ends: Ends) -> Parameter:
    powers = [power for power in (base**exponent for exponent in range(1024)) if ends.low <= power <= ends.high][:64]
    if not powers:
        raise RangeError(f"no power of {base} lies in its range {ends.low:g}..{ends.high:g}")
    is_integer = leaf.kind is LeafKind.INT
    choices = tuple(powers) if is_integer else tuple(map(float, powers))
    kind = ParameterType.INT if is_integer else ParameterType.FLOAT
    reason = f"powers of {base} in the range; {ends.note}"
    return Parameter(path=leaf.path, type=kind, choices=choices, default=default, reason=reason)
