"""What a study wants: its objectives, the primary one first, and limits that its best trial must keep."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, Problem
from automl.study.finite import is_finite

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_DIRECTIONS = {"maximize": "maximize", "max": "maximize", "minimize": "minimize", "min": "minimize"}
_CONSTRAINT = re.compile(r"\s*(?P<metric>[^\s<>=]+)\s*(?P<sign><=|>=|<|>)\s*(?P<bound>\S+)\s*")


class Direction(StrEnum):
    """Whether more or less of a metric is better."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"

    def is_better(self, value: float, than: float) -> bool:
        """Tell whether ``value`` is strictly better."""
        return value > than if self is Direction.MAXIMIZE else value < than

    @property
    def sign(self) -> float:
        """Factor that turns a value so that larger is better."""
        return 1.0 if self is Direction.MAXIMIZE else -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A metric as the trainer names it, its direction, and where both come from, e.g. ``--metric``."""

    metric: str
    direction: Direction
    source: str = ""


LAST_EPOCH = Objective(
    metric="last_epoch", direction=Direction.MAXIMIZE, source="no metric is known: the last epoch counts"
)
"""The objective of one training without a metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A limit of a metric, e.g. ``memory_gib <= 40``.

    Attributes:
        metric: The metric's name as trainer or evaluation command report it.
        is_upper: The bound is the largest value allowed, otherwise the smallest.
        bound: The bound itself is allowed.
    """

    metric: str
    is_upper: bool
    bound: float

    def violation(self, values: Mapping[str, float]) -> float | None:
        """Return by how much a trial misses the bound: at most 0 where it is kept; None where it was not measured."""
        value = values.get(self.metric)
        if value is None or not is_finite(value):
            return None
        return value - self.bound if self.is_upper else self.bound - value

    def __str__(self) -> str:
        return f"{self.metric} {'<=' if self.is_upper else '>='} {self.bound:g}"


def unmet(constraints: Iterable[Constraint], values: Mapping[str, float]) -> tuple[str, ...]:
    """Say which constraints a trial does not keep, or was not measured for; empty where it keeps all."""
    found = []
    for constraint in constraints:
        violation = constraint.violation(values)
        if violation is None:
            found.append(f"{constraint.metric} was not measured, so {constraint} is not known")
        elif violation > 0:
            found.append(f"{constraint.metric} is {values[constraint.metric]:.4g}, not {constraint}")
    return tuple(found)


def wanted_metrics(objectives: Iterable[Objective], constraints: Iterable[Constraint]) -> tuple[str, ...]:
    """Return the metrics of objectives and constraints, the primary objective first, none twice."""
    return tuple(dict.fromkeys([*(o.metric for o in objectives), *(c.metric for c in constraints)]))


def split_objective(text: str) -> tuple[str, str | None]:
    """Split ``val/d1:maximize``, ``latency_ms:min`` or a name alone into name and direction."""
    name, colon, last = text.strip().rpartition(":")
    if colon and name and last.strip().lower() in _DIRECTIONS:
        return name.strip(), _DIRECTIONS[last.strip().lower()]
    return text.strip(), None


def parse_constraints(texts: Iterable[str]) -> tuple[Constraint, ...]:
    """Read constraints such as ``memory_gib <= 40``.

    Raises:
        ConfigurationError: some cannot be read; all of them.
    """
    problems, constraints = [], []
    for text in texts:
        match = _CONSTRAINT.fullmatch(text)
        try:
            bound = float(match["bound"]) if match else math.nan
        except ValueError:
            bound = math.nan
        if match is not None and is_finite(bound):
            constraints.append(Constraint(metric=match["metric"], is_upper=match["sign"].startswith("<"), bound=bound))
            continue
        problems.append(
            Problem(
                where="--constraint",
                found=text,
                expected="METRIC <= NUMBER or METRIC >= NUMBER, e.g. memory_gib <= 40",
                fix="put it in quotes, with a metric, a sign and a number",
            )
        )
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the constraints")
    return tuple(constraints)
