"""Ranges that grow: an end that was derived is no fact, and moves when good trials gather at it.

Until then no sampler spends more than a fifth of its trials at such an end. Both are functions of the space and the
history, so a resume decides as the run before did. Ends of the schema and of the user never move.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from automl.samplers.gaussian_process.training_data import training_data_from
from automl.samplers.sampler import generator_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from automl.samplers.history import History
    from automl.space.parameters import Parameter
    from automl.space.search_space import SearchSpace
    from automl.space.values import Scalar

_PURPOSE = 606
# The best trials gather where they lie in this part of the range at its end.
_OUTER = 0.2
_FEWEST_TRIALS = 5
# By this part of its length, on its scale, a range grows.
_GROWTH = 1.0 / 3.0
# Within so much of a derived end a trial lies at it, and so many of all trials may.
_AT_END, _SHARE_AT_END = 0.01, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """A range that is to grow, and why; ``end`` is ``low`` or ``high``."""

    path: str
    end: str
    low: float
    high: float
    reason: str


def next_growth(space: SearchSpace, history: History) -> Growth | None:
    """Return the first range at whose derived end the best trials gather; None where none does."""
    if not any(parameter.derived for parameter in space.parameters):
        return None
    data = training_data_from(history)
    ranked = [data.assignments[i] for i in np.argsort(-data.fitness, kind="stable") if not data.diverged[i]]
    for parameter in space.parameters:
        tried = [values[parameter.path] for values in ranked if parameter.path in values]
        inside = [parameter.range_position(value) for value in tried if parameter.contains(value)]
        positions = [position for position in inside if position is not None]
        for end in parameter.derived:
            distances = [position if end == "low" else 1.0 - position for position in positions]
            count = max(2, math.ceil(len(distances) / 5))
            if len(distances) >= _FEWEST_TRIALS and max(distances[:count]) <= _OUTER:
                grown = _grown(parameter, end)
                if grown is not None:
                    low, high = grown.bounds
                    bound = parameter.bounds[0 if end == "low" else 1]
                    reason = f"the best {count} trials lie at its derived end {bound:g}"
                    return Growth(path=parameter.path, end=end, low=low, high=high, reason=reason)
    return None


def with_range(space: SearchSpace, path: str, low: float, high: float) -> SearchSpace:
    """Return the space with another range of a parameter; an end that its schema or its meaning fixes grows no more."""
    changed = []
    for parameter in space.parameters:
        if parameter.path == path:
            lowest, highest = parameter.reach or parameter.bounds
            movable = {"low": low > lowest and not (parameter.log and low <= _tiny(lowest)), "high": high < highest}
            derived = tuple(end for end in parameter.derived if movable[end])
            parameter = replace(parameter, low=low, high=high, derived=derived)  # noqa: PLW2901 - the changed one
        changed.append(parameter)
    return replace(space, parameters=tuple(changed))


def _tiny(lowest: float) -> float:
    return lowest if lowest > 0 else 0.0


def _grown(parameter: Parameter, end: str) -> Parameter | None:
    """Return a parameter with one end moved outwards, as far as schema and meaning allow; None if it cannot."""
    lowest, highest = parameter.reach or parameter.bounds
    low, high = parameter.bounds
    position = -_GROWTH if end == "low" else 1.0 + _GROWTH
    moved = parameter.beyond(position)
    if parameter.is_integer or parameter.step is not None:
        step = parameter.step or 1
        steps = max(round(abs(moved - (low if end == "low" else high)) / step), 1)
        moved = low - steps * step if end == "low" else high + steps * step
        while not lowest <= moved <= highest and moved != (low if end == "low" else high):
            moved += step if end == "low" else -step
    moved = min(max(moved, lowest), highest)
    if parameter.log_to_one:
        moved = min(moved, 1.0 - 1e-9)
    if not math.isfinite(moved) or (parameter.log and moved <= 0) or moved in {low, high}:
        return None
    return replace(parameter, low=moved) if end == "low" else replace(parameter, high=moved)


def kept_off_ends(
    space: SearchSpace,
    assignment: Mapping[str, Scalar],
    at_ends: Mapping[tuple[str, str], int],
    *,
    seed: int,
    number: int,
) -> Mapping[str, Scalar]:
    """Return an assignment that adds to no derived end more than a fifth of the trials.

    A value that would is drawn anew from the outer part of the range.

    Args:
        space: What is searched.
        assignment: What a sampler has proposed.
        at_ends: (path, end) -> how many trials were proposed at that end as it was then.
        seed: Seed of the study.
        number: The trial's number, which is how many came before.
    """
    moved = dict(assignment)
    for index, parameter in enumerate(space.parameters):
        for end in ends_at(parameter, assignment.get(parameter.path)):
            if at_ends.get((parameter.path, end), 0) + 1 > _SHARE_AT_END * (number + 1):
                draw = float(generator_for(seed, number, _PURPOSE + index).uniform(2 * _AT_END, 2 * _OUTER))
                share = parameter.beside_share
                position = draw if end == "low" else 1.0 - draw
                moved[parameter.path] = parameter.from_unit(share + (1.0 - share) * position)
    return assignment if moved == dict(assignment) else space.spread(moved)


def ends_at(parameter: Parameter, value: Scalar) -> Iterator[str]:
    """Yield the derived ends of a continuous range that a value lies at."""
    if not parameter.derived or not math.isinf(parameter.size) or not parameter.contains(value):
        return
    position = parameter.range_position(value)
    if position is None:
        return
    for end, bound in zip(("low", "high"), parameter.bounds, strict=True):
        distance = position if end == "low" else 1.0 - position
        is_close = isinstance(value, int | float) and abs(value - bound) <= _AT_END * abs(bound)
        if end in parameter.derived and (distance <= _AT_END or is_close):
            yield end
