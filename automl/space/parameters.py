"""The parameters of a search space: their ranges, and when they act.

A parameter is pure data plus arithmetic. It knows how a number in [0, 1] becomes a value of it and back, so every
sampler (Sobol, Gaussian process, TPE, ...) sees the same scale, and both ends of every range are reachable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from automl.skill.fields import is_number
from automl.space.values import is_same

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.space.conditions import Condition
    from automl.space.values import Scalar


_BESIDE_SHARE = 0.2


class ParameterType(StrEnum):
    """What kind of values a parameter takes."""

    FLOAT = "float"
    INT = "int"
    CATEGORICAL = "categorical"
    BOOL = "bool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One searched parameter.

    Attributes:
        low: Smallest value, reachable; None for categorical and bool.
        high: Largest value, reachable; None for categorical and bool.
        log: The range is searched on a logarithmic scale.
        log_to_one: It is searched on a logarithmic scale of the distance to 1: 0.9 and 0.99 are as far apart as 0.99
            and 0.999.
        step: Distance between neighbouring values counted from ``low``; None for continuous and categorical.
        choices: The options of a categorical or bool parameter, or the only values a number may take (powers, ...).
        beside: Values that stand for off, none or all: choices beside the range.
        derived: The ends of the range, ``low`` and ``high``, that neither schema nor user has given.
        reach: How far its ends may move: what schema and user allow; None for not at all.
        unit: Of its values; empty for none.
        cost: What its values cost beside the template's, and how that is known; empty for little.
        weights: Prior weight of each choice, same length as ``choices``; empty for equal weights.
        default: The value of the merged spec, i.e. of trial 0. It may lie outside the range or the choices.
        reason: Why it is searched, and what was derived about its range; a sentence for `automl space`.

    Raises:
        ValueError: bounds are missing, not finite, reversed, not positive on a logarithmic scale, or choices are empty.
    """

    path: str
    type: ParameterType
    low: float | None = None
    high: float | None = None
    log: bool = False
    log_to_one: bool = False
    step: float | None = None
    choices: tuple[Scalar, ...] = ()
    beside: tuple[Scalar, ...] = ()
    derived: tuple[str, ...] = ()
    reach: tuple[float, float] | None = None
    unit: str = ""
    cost: str = ""
    weights: tuple[float, ...] = ()
    default: Scalar = None
    condition: Condition | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        if self.choices:
            if self.weights and len(self.weights) != len(self.choices):
                raise ValueError(f"{self.path}: {len(self.weights)} weights for {len(self.choices)} choices")
            return
        if self.type in {ParameterType.CATEGORICAL, ParameterType.BOOL}:
            raise ValueError(f"{self.path}: a {self.type} parameter needs choices")
        low, high = self.low, self.high
        if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(f"{self.path}: the range {low}..{high} is not finite")
        if low > high:
            raise ValueError(f"{self.path}: the range {low}..{high} is reversed")
        if self.log and low <= 0:
            raise ValueError(f"{self.path}: a logarithmic range cannot start at {low}")
        if self.log_to_one and high >= 1:
            raise ValueError(f"{self.path}: a range that is logarithmic towards 1 cannot end at {high}")

    @property
    def size(self) -> float:
        """Number of distinct values; infinite for a continuous range."""
        if self.choices:
            return len(self.choices)
        low, high = self.bounds
        if self.type is ParameterType.FLOAT and self.step is None:
            return len(self.beside) + 1 if low == high else math.inf
        return len(self.beside) + math.floor((high - low) / (self.step or 1) + 1e-9) + 1

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest value of a numeric range.

        Raises:
            ValueError: the parameter has choices instead of a range.
        """
        if self.low is None or self.high is None:
            raise ValueError(f"{self.path} has choices, not a range")
        return self.low, self.high

    @property
    def is_integer(self) -> bool:
        """Its values are whole numbers."""
        return self.type is ParameterType.INT

    def from_unit(self, position: float) -> Scalar:
        """Return the value at a position in [0, 1] of the range.

        Each discrete value of a linear range has an equal share of it, each option a share by its weight.
        """
        position = min(max(position, 0.0), 1.0)
        if self.choices:
            return self._choice_at(position)
        share = self.beside_share
        if position < share:
            return self.beside[int(position / share * len(self.beside))]
        position = (position - share) / (1.0 - share)
        # The ends exactly: exp(log(high)) may miss it by a rounding.
        if position in {0.0, 1.0}:
            return self.nearest(self.bounds[round(position)])
        low, high = map(self._scaled, self._ends)
        return self.nearest(self._unscaled(low + position * (high - low)))

    def to_unit(self, value: Scalar) -> float:
        """Return the position of a value in [0, 1]; values outside the range are moved to its nearest end.

        ``from_unit(to_unit(value))`` is ``value`` for every value of the parameter (up to rounding for floats).
        """
        if self.choices:
            index = next((i for i, choice in enumerate(self.choices) if is_same(choice, value)), 0)
            return (sum(self._shares[:index]) + self._shares[index] / 2) / sum(self._shares)
        share = self.beside_share
        beside = next((i for i, one in enumerate(self.beside) if is_same(one, value)), None)
        if beside is not None:
            return share * (beside + 0.5) / len(self.beside)
        low, high = map(self._scaled, self._ends)
        if low == high or not is_number(value) or value != value:  # noqa: PLR0124 # NaN
            return share + (1.0 - share) / 2
        number = self._scaled(min(max(float(value), self.bounds[0]), self.bounds[1]))
        return share + (1.0 - share) * (number - low) / (high - low)

    def range_position(self, value: Scalar) -> float | None:
        """Return where a value lies between the ends of the range, 0 to 1; None for one that is beside it."""
        if self.choices or self.is_beside(value):
            return None
        return (self.to_unit(value) - self.beside_share) / (1.0 - self.beside_share)

    def beyond(self, position: float) -> float:
        """Return the number at a position of the range's scale that may lie outside [0, 1]."""
        low, high = map(self._scaled, self.bounds)
        return self._unscaled(low + position * (high - low))

    @property
    def beside_share(self) -> float:
        """How much of [0, 1] the values beside the range have, at its lower end."""
        return _BESIDE_SHARE if self.beside else 0.0

    def _scaled(self, value: float) -> float:
        """Return a number of the range on the scale on which it is searched."""
        if self.log:
            return math.log(value)
        return -math.log1p(-value) if self.log_to_one else value

    def _unscaled(self, value: float) -> float:
        if self.log:
            return math.exp(value)
        return -math.expm1(-value) if self.log_to_one else value

    def nearest(self, value: float) -> int | float:
        """Return the valid number nearest to ``value``: inside the range, on a step, an int for ints."""
        low, high = self.bounds
        number = min(max(value, low), high)
        step = self.step if self.step is not None else (1 if self.is_integer else None)
        if step is not None:
            count = min(round((number - low) / step), math.floor((high - low) / step + 1e-9))
            # 12 digits: 3 * 0.1 is written as 0.3.
            number = float(f"{low + count * step:.12g}") if isinstance(step, float) else low + count * step
        return round(number) if self.is_integer else float(number)

    def contains(self, value: Scalar) -> bool:
        """Return whether the parameter can take the value."""
        if self.choices:
            return any(is_same(choice, value) for choice in self.choices)
        if self.is_beside(value):
            return True
        low, high = self.bounds
        if not is_number(value) or not low <= value <= high:
            return False
        return math.isclose(self.nearest(value), value, rel_tol=1e-9, abs_tol=1e-12)

    def is_beside(self, value: Scalar) -> bool:
        """Return whether a value is one of those beside the range, which stand for off, none or all."""
        return any(is_same(one, value) for one in self.beside)

    def acts(self, values: Mapping[str, Scalar]) -> bool:
        """Return whether the parameter has an effect, given the values of others, those of the spec included."""
        return self.condition is None or self.condition.holds(values)

    @property
    def gap(self) -> float:
        """The smallest useful distance between two values of a numeric range.

        For continuous ranges one part in a million of the range: visible in a spec and harmless in value.
        """
        if self.step is not None:
            return self.step
        low, high = self.bounds
        return 1.0 if self.is_integer else max((high - low) * 1e-6, abs(high) * 1e-12, 1e-15)

    @property
    def _ends(self) -> tuple[float, float]:
        """The ends of the scale: half a step is added at each end, so the two ends get as large a share as the rest."""
        low, high = self.bounds
        if not self.is_integer and self.step is None:
            return low, high
        half = (self.step or 1) / 2
        return (max(low - half, low / 2) if self.log else low - half), high + half

    def _choice_at(self, position: float) -> Scalar:
        target = position * sum(self._shares)
        for choice, share in zip(self.choices, self._shares, strict=True):
            target -= share
            if target < 0:
                return choice
        return self.choices[-1]

    @property
    def _shares(self) -> tuple[float, ...]:
        return self.weights or (1.0,) * len(self.choices)
