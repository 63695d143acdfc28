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

from automl.space.parameters import Parameter, ParameterType
from automl.spec.train_schema import LeafKind, SchemaLeaf

if TYPE_CHECKING:
    from automl.skill.model import JsonValue
    from automl.space.values import Scalar
    from automl.spec.math_cond import MathCondition

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
    """What a user asks for one parameter.

    Attributes:
        low: Smallest value; None keeps the schema's.
        high: Largest value; None keeps the schema's.
        log: The scale; None leaves it to the rule.
        choices: The only options; empty for a range.
    """

    low: float | None = None
    high: float | None = None
    log: bool | None = None
    choices: tuple[Scalar, ...] = ()


class RangeError(ValueError):
    """A parameter has no usable range; the message completes the sentence "it is left out: ..."."""


@dataclass(frozen=True, slots=True)
class _Interval:
    low: float | None
    high: float | None
    is_low_open: bool = False
    is_high_open: bool = False

    def above(self, bound: float, *, is_open: bool) -> _Interval:
        if self.low is not None and (self.low > bound or (self.low == bound and self.is_low_open)):
            return self
        return replace(self, low=bound, is_low_open=is_open)

    def below(self, bound: float, *, is_open: bool) -> _Interval:
        if self.high is not None and (self.high < bound or (self.high == bound and self.is_high_open)):
            return self
        return replace(self, high=bound, is_high_open=is_open)

    def contains(self, value: float) -> bool:
        above = self.low is None or value > self.low or (value == self.low and not self.is_low_open)
        return above and (self.high is None or value < self.high or (value == self.high and not self.is_high_open))


def is_rate(path: str) -> bool:
    """Return whether a parameter's name means a rate, which acts by its order of magnitude."""
    return _RATE.search(path.rpartition(".")[2].lower()) is not None


def is_batch_size(path: str) -> bool:
    """Return whether a parameter is a batch size."""
    return _BATCH.search(path.rpartition(".")[2].lower()) is not None


def schema_interval(leaf: SchemaLeaf, condition: MathCondition | None) -> _Interval:
    """Return the bounds of the schema, tightened by the comparisons of ``math_cond`` with constants."""
    # Sentinels such as 2147483647 or 1e308 say "no bound".
    largest = _LARGEST_INT if leaf.kind is LeafKind.INT else _LARGEST_FLOAT
    low = leaf.minimum if leaf.minimum is not None and leaf.minimum > -largest else None
    high = leaf.maximum if leaf.maximum is not None and leaf.maximum < largest else None
    interval = _Interval(low, high, leaf.is_minimum_open, leaf.is_maximum_open)
    for comparison in condition.comparisons if condition is not None else ():
        bound = comparison.constant
        match comparison.operator:
            case ">" | ">=" if bound is not None:
                interval = interval.above(bound, is_open=comparison.operator == ">")
            case "<" | "<=" if bound is not None:
                interval = interval.below(bound, is_open=comparison.operator == "<")
            case "!=" if bound is not None and bound == interval.low:
                interval = replace(interval, is_low_open=True)
            case "!=" if bound is not None and bound == interval.high:
                interval = replace(interval, is_high_open=True)
            case _:
                pass
    return interval


def make_parameter(
    leaf: SchemaLeaf, value: JsonValue, *, asked: UserRange | None = None, cap: float | None = None
) -> Parameter:
    """Return a parameter for a leaf of the schema.

    Args:
        leaf: The leaf.
        value: The merged spec's value: trial 0.
        asked: What the user wants, inside the schema.
        cap: Highest useful value for outside reasons, e.g. the number of samples for a batch size.

    Raises:
        RangeError: there is no range, or nothing in it.
    """
    default = value if not isinstance(value, dict | list) else None
    if leaf.kind is LeafKind.LIST:
        raise RangeError(f"a list has no range; search one element, {leaf.path}[0]=low..high")
    if leaf.kind is LeafKind.BOOL and not leaf.choices:
        options = asked.choices if asked is not None and asked.choices else (False, True)
        return Parameter(path=leaf.path, type=ParameterType.BOOL, choices=options, default=default, reason="on or off")
    options = asked.choices if asked is not None and asked.choices else leaf.choices
    if options:
        return _from_choices(leaf, options, default, is_asked=asked is not None and bool(asked.choices))
    if leaf.kind not in {LeafKind.FLOAT, LeafKind.INT}:
        raise RangeError(f"a {leaf.declared_type or leaf.kind.value} has no range; give options, {leaf.path}={{a,b}}")
    return _from_range(leaf, default, asked or UserRange(), cap)


def _from_choices(leaf: SchemaLeaf, options: tuple[Scalar, ...], default: Scalar, *, is_asked: bool) -> Parameter:
    interval = schema_interval(leaf, leaf.math_cond)
    weights = leaf.weights if leaf.weights and not is_asked else (1.0,) * len(options)
    kept = [
        (option, weight)
        for option, weight in zip(options, weights, strict=True)
        if weight > 0 and _is_sane(option) and _fits(option, leaf, interval)
    ]
    note = "options of the schema" if not is_asked else "options of the user"
    dropped = len(options) - len(kept)
    if dropped:
        note += f", {dropped} unusable one{'s' if dropped > 1 else ''} left out"
    is_new = default not in (None, "", "???") and not any(o == default and type(o) is type(default) for o, _ in kept)
    if is_new and not is_asked and _is_sane(default):
        # Templates and enums of the same skill disagree; the template's value is known to work.
        kept.append((default, sum(weight for _, weight in kept) / max(len(kept), 1) or 1.0))
        note += ", with the template's own value added"
    if not kept:
        raise RangeError("none of its options can be used")
    equal = len({weight for _, weight in kept}) == 1
    kind = {LeafKind.INT: ParameterType.INT, LeafKind.FLOAT: ParameterType.FLOAT, LeafKind.BOOL: ParameterType.BOOL}
    return Parameter(
        path=leaf.path,
        type=kind.get(leaf.kind, ParameterType.CATEGORICAL),
        choices=tuple(option for option, _ in kept),
        weights=() if equal else tuple(weight for _, weight in kept),
        default=default,
        reason=note if equal else f"{note}, weights as prior",
    )


def _is_sane(option: Scalar) -> bool:
    """Return whether an option is not corrupted: text with line breaks or blanks around it is."""
    return not isinstance(option, str) or option == option.strip()


def _fits(option: Scalar, leaf: SchemaLeaf, interval: _Interval) -> bool:
    if leaf.kind is LeafKind.BOOL:
        return isinstance(option, bool)
    return leaf.kind not in {LeafKind.INT, LeafKind.FLOAT} or _satisfies(option, leaf, interval)


def _satisfies(option: Scalar, leaf: SchemaLeaf, interval: _Interval) -> bool:
    if isinstance(option, bool) or not isinstance(option, int | float):
        return False
    condition = leaf.math_cond
    if condition is not None and condition.multiple_of is not None and option % condition.multiple_of != 0:
        return False
    forbidden = [c.constant for c in condition.comparisons if c.operator == "!="] if condition is not None else []
    return interval.contains(option) and option not in forbidden


def _finite_number(value: Scalar) -> float | None:
    """Return a number of the spec; None for what is none, not finite, or an int beyond floats."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _from_range(leaf: SchemaLeaf, default: Scalar, asked: UserRange, cap: float | None) -> Parameter:
    condition = leaf.math_cond
    number = _finite_number(default)
    interval = schema_interval(leaf, condition)
    interval = replace(interval, low=asked.low, is_low_open=False) if _tightens(asked.low, interval) else interval
    interval = replace(interval, high=asked.high, is_high_open=False) if _tightens(asked.high, interval) else interval
    low, high, note = _finite(leaf, interval, number, asked)
    if cap is not None and cap < high:
        if cap < low:
            raise RangeError(f"its smallest value {low:g} is above the {cap:g} samples of a device")
        high, note = cap, f"{note}; capped at {cap:g} by the number of samples"
    is_integer = leaf.kind is LeafKind.INT
    if condition is not None and condition.power_of is not None:
        return _powers(leaf, default, condition.power_of, low, high)
    step = condition.multiple_of if condition is not None else None
    if is_integer and step is None:
        low, high = math.ceil(low - _GAP), math.floor(high + _GAP)
    if step is not None:
        low, high = _multiples(low, high, step, is_integer=is_integer)
        note += f"; multiples of {step:g}"
    if low > high:
        raise RangeError(f"no value lies in its range {low:g}..{high:g}")
    # A lower end that was moved off 0 says nothing about the scale: (0, 1] stays linear.
    is_positive = low > 0 and (is_rate(leaf.path) or interval.low is None or interval.low > 0)
    is_log = low < high and (
        low > 0 if asked.log else is_positive and asked.log is None and _is_log(leaf, low, high, note)
    )
    return Parameter(
        path=leaf.path,
        type=ParameterType.INT if is_integer else ParameterType.FLOAT,
        low=low,
        high=high,
        log=is_log,
        step=step,
        default=default,
        reason=note,
    )


def _tightens(bound: float | None, interval: _Interval) -> bool:
    # A user's bound that equals an excluded bound of the schema keeps it excluded: "0..1" under "> 0" never means 0.
    return bound is not None and interval.contains(bound)


def _finite(leaf: SchemaLeaf, interval: _Interval, number: float | None, asked: UserRange) -> tuple[float, float, str]:
    """Return finite, closed bounds and how they came about."""
    low, high = interval.low, interval.high
    is_asked = asked.low is not None or asked.high is not None
    note = "range of the user" if is_asked else "range of the schema"
    is_rate_like = is_rate(leaf.path) and leaf.kind is LeafKind.FLOAT
    has_zero = low is None or low <= 0
    if is_rate_like and asked.low is None and (has_zero or high is None):
        low, high, note = _around_rate(low, high, number)
    elif low is None or high is None:
        low, high, note = _around(leaf, low, high, number)
    low = _closed_low(low, high, number, leaf) if interval.is_low_open and low == interval.low else low
    high = _closed_high(low, high, leaf) if interval.is_high_open and high == interval.high else high
    return low, high, note


def _around_rate(low: float | None, high: float | None, number: float | None) -> tuple[float, float, str]:
    floor, ceiling = max(low or 0.0, 0.0), high if high is not None else math.inf
    if low is not None and low < 0 and number is not None and number <= 0:
        raise RangeError("a rate that may be negative has no usual range; give one, path=low..high")
    if number is None or number <= 0:
        if math.isinf(ceiling) or ceiling <= 0:
            raise RangeError("no finite range follows from its default; give one, path=low..high")
        return max(floor, ceiling * 1e-5), ceiling, f"five decades up to the maximum {ceiling:g}"
    centre = min(max(number, floor), ceiling)
    derived_low = max(centre / _RATE_BELOW, floor)
    derived_high = min(centre * _RATE_ABOVE, ceiling)
    return derived_low, derived_high, f"a hundredth to ten times the value {number:g}, inside the schema"


def _around(leaf: SchemaLeaf, low: float | None, high: float | None, number: float | None) -> tuple[float, float, str]:
    """Centre a range on the spec's value where the schema has no finite bound."""
    factor = _BATCH_FACTOR if is_batch_size(leaf.path) else _OTHER_FACTOR
    if number is None or number == 0:
        # Without a value to centre on, one finite bound of the right sign gives the order of magnitude.
        bound = low if low is not None and low > 0 else high if high is not None and high < 0 else None
        if number is None and bound is None:
            raise RangeError("no finite range follows from its schema; give one, path=low..high")
        number = bound if bound is not None else 0.5
    centre = min(max(number, low if low is not None else -math.inf), high if high is not None else math.inf)
    ends = sorted((centre / factor, centre * factor))
    derived_low = ends[0] if low is None else max(ends[0], low)
    derived_high = ends[1] if high is None else min(ends[1], high)
    if not (math.isfinite(derived_low) and math.isfinite(derived_high)):
        raise RangeError(f"no finite range lies around its value {centre:g}; give one, path=low..high")
    if leaf.kind is LeafKind.INT:
        # At least one step on each side, where the schema allows it.
        derived_low = min(math.floor(derived_low), centre - 1) if low is None else max(low, math.floor(derived_low))
        derived_high = max(math.ceil(derived_high), centre + 1) if high is None else min(high, math.ceil(derived_high))
    note = f"{'a quarter to four times' if factor == _BATCH_FACTOR else 'half to twice'} the value {centre:g}"
    return derived_low, derived_high, f"{note}; the schema has no finite bound"


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
    is_integer = leaf.kind is LeafKind.INT
    powers: list[int | float] = []
    power = 1
    while power <= high and len(powers) < 64:  # noqa: PLR2004 # 2**64 is beyond every use
        if power >= low:
            powers.append(power if is_integer else float(power))
        power *= base
    if not powers:
        raise RangeError(f"no power of {base} lies in its range {low:g}..{high:g}")
    kind = ParameterType.INT if is_integer else ParameterType.FLOAT
    return Parameter(
        path=leaf.path, type=kind, choices=tuple(powers), default=default, reason=f"powers of {base} in the range"
    )


def _multiples(low: float, high: float, step: float, *, is_integer: bool) -> tuple[float, float]:
    if is_integer and step != int(step):
        raise RangeError(f"whole numbers cannot be multiples of {step:g}")
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return first * step, last * step


def _is_log(leaf: SchemaLeaf, low: float, high: float, note: str) -> bool:
    if leaf.kind is LeafKind.INT:
        return high / low >= _LOG_RATIO_INT or (is_batch_size(leaf.path) and "value" in note)
    return is_rate(leaf.path) or high / low >= _LOG_RATIO
