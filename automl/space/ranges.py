"""Give a parameter a finite range or its options, and state what was derived.

The schema's own bounds count where they are finite. Where one is missing or infinite the range is centred on the value
of the merged spec, so both sides of it are reachable. Rates (learning rates, decays, epsilons) and ranges of two
decades or more are logarithmic. Bounds are inclusive; an excluded bound is moved inside by a visible, harmless step.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from automl.skill.fields import is_number
from automl.space.parameters import Parameter, ParameterType
from automl.spec.train_schema import LeafKind, SchemaLeaf

if TYPE_CHECKING:
    from automl.skill.model import JsonValue
    from automl.space.values import Scalar

# A name that means a rate: lr, base_lr, lr_backbone, optm_lr, learning_rate, weight_decay, lr_decay, eps, reg, ...
_RATE = re.compile(r"(^|_)(lr|learning_rate|eps|epsilon|reg|l2)(_|$)|decay|(^|_)wd$")
_BATCH = re.compile(r"(^|_)(mini_?)?batch(_size)?(_|$)|batchsize")
# A rate may be 100 times smaller and 10 times larger than the template's: larger ones diverge first.
_RATE_BELOW, _RATE_ABOVE = 100.0, 10.0
_BATCH_FACTOR = 4.0
_OTHER_FACTOR = 2.0
_LOG_RATIO = 100.0
_LOG_RATIO_INT = 64.0
_LARGEST_INT, _LARGEST_FLOAT = 2**31 - 1, 1e18
_GAP = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRange:
    """What a user asks for one parameter; None keeps the schema's end and the usual scale, no choices mean a range."""

    low: float | None = None
    high: float | None = None
    log: bool | None = None
    choices: tuple[Scalar, ...] = ()


class RangeError(ValueError):
    """A parameter has no usable range; the message completes the sentence "it is left out: ..."."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The numbers from ``low`` to ``high``, without an end that is open; an infinite end is no bound."""

    low: float
    high: float
    is_low_open: bool
    is_high_open: bool

    def contains(self, value: float) -> bool:
        """Return whether a number lies in it."""
        is_above = value > self.low or (value == self.low and not self.is_low_open)
        return is_above and (value < self.high or (value == self.high and not self.is_high_open))


def is_rate(path: str) -> bool:
    """Return whether a parameter's name means a rate, which acts by its order of magnitude."""
    return _RATE.search(path.rpartition(".")[2].lower()) is not None


def is_batch_size(path: str) -> bool:
    """Return whether a parameter is a batch size."""
    return _BATCH.search(path.rpartition(".")[2].lower()) is not None


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
    leaf: SchemaLeaf, value: JsonValue, *, asked: UserRange | None = None, cap: float | None = None
) -> Parameter:
    """Return a parameter for a leaf of the schema and the merged spec's value, inside which the user may have asked.

    ``cap`` is the highest useful value for outside reasons, e.g. the number of samples for a batch size.

    Raises:
        RangeError: there is no range, or nothing in it.
    """
    default = value if not isinstance(value, dict | list) else None
    asked = asked or UserRange()
    if leaf.kind is LeafKind.LIST:
        raise RangeError(f"a list has no range; search one element, {leaf.path}[0]=low..high")
    if leaf.kind is LeafKind.BOOL and not leaf.choices:
        options = asked.choices or (False, True)
        return Parameter(path=leaf.path, type=ParameterType.BOOL, choices=options, default=default, reason="on or off")
    if asked.choices or leaf.choices:
        return _from_choices(leaf, asked.choices, default)
    if leaf.kind not in {LeafKind.FLOAT, LeafKind.INT}:
        raise RangeError(f"a {leaf.declared_type or leaf.kind.value} has no range; give options, {leaf.path}={{a,b}}")
    return _from_range(leaf, default, asked, cap)


def _from_choices(leaf: SchemaLeaf, asked: tuple[Scalar, ...], default: Scalar) -> Parameter:
    options = asked or leaf.choices
    weights = leaf.weights if leaf.weights and not asked else (1.0,) * len(options)
    pairs = zip(options, weights, strict=True)
    kept = [(option, weight) for option, weight in pairs if weight > 0 and _is_usable(option, leaf)]
    note = "options of the user" if asked else "options of the schema"
    dropped = len(options) - len(kept)
    if dropped:
        note += f", {dropped} unusable one{'s' if dropped > 1 else ''} left out"
    is_new = default not in (None, "", "???") and not any(o == default and type(o) is type(default) for o, _ in kept)
    if is_new and not asked and _is_sane(default):
        # Templates and enums of the same skill disagree; the template's value is known to work.
        kept.append((default, sum(weight for _, weight in kept) / max(len(kept), 1) or 1.0))
        note += ", with the template's own value added"
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


def _is_usable(option: Scalar, leaf: SchemaLeaf) -> bool:
    if leaf.kind is LeafKind.BOOL:
        return isinstance(option, bool)
    if leaf.kind not in {LeafKind.INT, LeafKind.FLOAT}:
        return _is_sane(option)
    if not is_number(option) or not schema_interval(leaf).contains(option):
        return False
    condition = leaf.math_cond
    if condition is None:
        return True
    is_forbidden = any(c.operator == "!=" and c.constant == option for c in condition.comparisons)
    return not is_forbidden and (condition.multiple_of is None or option % condition.multiple_of == 0)


def _from_range(leaf: SchemaLeaf, default: Scalar, asked: UserRange, cap: float | None) -> Parameter:
    condition, is_integer = leaf.math_cond, leaf.kind is LeafKind.INT
    interval = _tightened(schema_interval(leaf), asked)
    low, high, note = _finite(leaf, interval, default, asked)
    if cap is not None and cap < high:
        if cap < low:
            raise RangeError(f"its smallest value {low:g} is above the {cap:g} samples of a device")
        high, note = cap, f"{note}; capped at {cap:g} by the number of samples"
    if condition is not None and condition.power_of is not None:
        return _powers(leaf, default, condition.power_of, low, high)
    step = condition.multiple_of if condition is not None else None
    if is_integer and step is not None and step != int(step):
        raise RangeError(f"whole numbers cannot be multiples of {step:g}")
    if step is not None:
        low, high = math.ceil(low / step - 1e-9) * step, math.floor(high / step + 1e-9) * step
        note += f"; multiples of {step:g}"
    elif is_integer:
        low, high = math.ceil(low - _GAP), math.floor(high + _GAP)
    if low > high:
        raise RangeError(f"no value lies in its range {low:g}..{high:g}")
    # A lower end that was moved off 0 says nothing about the scale: (0, 1] stays linear.
    is_scaled = is_rate(leaf.path) or math.isinf(interval.low) or interval.low > 0
    is_log = asked.log if asked.log is not None else is_scaled and low > 0 and _is_log(leaf, low, high, note)
    return Parameter(
        path=leaf.path,
        type=ParameterType.INT if is_integer else ParameterType.FLOAT,
        low=low,
        high=high,
        log=is_log and 0 < low < high,
        step=step,
        default=default,
        reason=note,
    )


def _tightened(interval: Interval, asked: UserRange) -> Interval:
    # A user's bound that equals an excluded bound of the schema keeps it excluded: "0..1" under "> 0" never means 0.
    if asked.low is not None and interval.contains(asked.low):
        interval = replace(interval, low=asked.low, is_low_open=False)
    if asked.high is not None and interval.contains(asked.high):
        interval = replace(interval, high=asked.high, is_high_open=False)
    return interval


def _finite(leaf: SchemaLeaf, interval: Interval, default: Scalar, asked: UserRange) -> tuple[float, float, str]:
    """Return finite, closed bounds and how they came about."""
    low, high = interval.low, interval.high
    number = _finite_number(default)
    note = "range of the schema" if asked.low is None and asked.high is None else "range of the user"
    is_rate_like = is_rate(leaf.path) and leaf.kind is LeafKind.FLOAT
    if is_rate_like and asked.low is None and (low <= 0 or math.isinf(high)):
        low, high, note = _around_rate(low, high, number)
    elif math.isinf(low) or math.isinf(high):
        low, high, note = _around(leaf, low, high, number)
    low = _closed_low(low, high, number, leaf) if interval.is_low_open and low == interval.low else low
    high = _closed_high(low, high, leaf) if interval.is_high_open and high == interval.high else high
    return low, high, note


def _finite_number(value: Scalar) -> float | None:
    """Return a number of the spec; None for what is none, not finite, or an int beyond floats."""
    try:
        return float(value) if is_number(value) and math.isfinite(value) else None
    except OverflowError:
        return None


def _around_rate(low: float, high: float, number: float | None) -> tuple[float, float, str]:
    floor = max(low, 0.0)
    if number is None or number <= 0:
        if number is not None and -math.inf < low < 0:
            raise RangeError("a rate that may be negative has no usual range; give one, path=low..high")
        if math.isinf(high) or high <= 0:
            raise RangeError("no finite range follows from its default; give one, path=low..high")
        return max(floor, high * 1e-5), high, f"five decades up to the maximum {high:g}"
    centre = min(max(number, floor), high)
    note = f"a hundredth to ten times the value {number:g}, inside the schema"
    return max(centre / _RATE_BELOW, floor), min(centre * _RATE_ABOVE, high), note


def _around(leaf: SchemaLeaf, low: float, high: float, number: float | None) -> tuple[float, float, str]:
    """Centre a range on the spec's value where the schema has no finite bound."""
    factor = _BATCH_FACTOR if is_batch_size(leaf.path) else _OTHER_FACTOR
    if number is None or number == 0:
        # Without a value to centre on, one finite bound of the right sign gives the order of magnitude.
        bound = low if low > 0 else high if high < 0 else None
        if number is None and bound is None:
            raise RangeError("no finite range follows from its schema; give one, path=low..high")
        number = bound if bound is not None else 0.5
    centre = min(max(number, low), high)
    ends = sorted((centre / factor, centre * factor))
    if not (math.isfinite(max(ends[0], low)) and math.isfinite(min(ends[1], high))):
        raise RangeError(f"no finite range lies around its value {centre:g}; give one, path=low..high")
    if leaf.kind is LeafKind.INT:
        # At least one step on each side, where the schema allows it.
        ends = [min(math.floor(ends[0]), centre - 1), max(math.ceil(ends[1]), centre + 1)]
    note = f"{'a quarter to four times' if factor == _BATCH_FACTOR else 'half to twice'} the value {centre:g}"
    return max(ends[0], low), min(ends[1], high), f"{note}; the schema has no finite bound"


def _closed_low(low: float, high: float, number: float | None, leaf: SchemaLeaf) -> float:
    if leaf.kind is LeafKind.INT:
        return math.floor(low) + 1
    if low == 0:
        # A hundredth of the value in use is small for it, and never 0.
        return min(number / 100 if number is not None and number > 0 else high / 1000, high)
    return low + max(abs(high - low) * _GAP, abs(low) * 1e-12)


def _closed_high(low: float, high: float, leaf: SchemaLeaf) -> float:
    if leaf.kind is LeafKind.INT:
        return math.ceil(high) - 1
    return high - max(abs(high - low) * _GAP, abs(high) * 1e-12)


def _powers(leaf: SchemaLeaf, default: Scalar, base: int, low: float, high: float) -> Parameter:
    powers = [power for power in (base**exponent for exponent in range(1024)) if low <= power <= high][:64]
    if not powers:
        raise RangeError(f"no power of {base} lies in its range {low:g}..{high:g}")
    reason = f"powers of {base} in the range"
    is_integer = leaf.kind is LeafKind.INT
    choices = tuple(powers) if is_integer else tuple(map(float, powers))
    kind = ParameterType.INT if is_integer else ParameterType.FLOAT
    return Parameter(path=leaf.path, type=kind, choices=choices, default=default, reason=reason)


def _is_log(leaf: SchemaLeaf, low: float, high: float, note: str) -> bool:
    if leaf.kind is LeafKind.INT:
        return high / low >= _LOG_RATIO_INT or (is_batch_size(leaf.path) and "value" in note)
    return is_rate(leaf.path) or high / low >= _LOG_RATIO
