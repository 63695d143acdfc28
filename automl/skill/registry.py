"""Which metric a training is judged by, and which way is better.

The answer comes from the user, else from the skill's own file, else from ``metrics.yaml`` beside this module. A
direction is never guessed: a metric that none of them knows has to be given with its direction.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl.config_files import read_document
from automl.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.skill.model import JsonValue, Skill

_TABLE = Path(__file__).with_name("metrics.yaml")
_EVERY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricChoice:
    """A metric, its direction and where both come from.

    Attributes:
        metric: Name as the trainer reports it.
        direction: ``maximize`` or ``minimize``.
        source: For the reader of a plan, e.g. ``registry depth_net_mono: trainer``.
    """

    metric: str
    direction: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchitectureMetrics:
    """The row of one architecture.

    Attributes:
        source: Where its directions come from.
        default: Metric of a train run; None where none is known.
        directions: Metric name -> direction.
    """

    source: str
    default: str | None
    directions: Mapping[str, str]


def objective_for(
    skill: Skill, *, metric: str | None = None, direction: str | None = None, action: str = "train"
) -> MetricChoice:
    """Choose metric and direction.

    Args:
        skill: The skill.
        metric: The user's metric, if any.
        direction: The user's direction, if any; it wins over every table.
        action: The action that is run.

    Raises:
        ConfigurationError: no metric is known for the skill, or no direction for the metric.
    """
    name, name_source = _metric(skill, metric, action)
    if name is None:
        raise _unknown(
            f"{skill.network_arch}: metric", "no metric known for a train run", "--metric NAME --direction DIRECTION"
        )
    known, known_source = _direction(skill, name, action)
    if direction is not None:
        if direction not in {"maximize", "minimize"}:
            raise _unknown("--direction", repr(direction), "maximize or minimize")
        note = f" (against {known_source}: {known})" if known is not None and known != direction else ""
        sources = [source for source in (name_source, "--direction") if source]
        return MetricChoice(metric=name, direction=direction, source=", ".join(dict.fromkeys(sources)) + note)
    if known is None:
        raise _unknown(f"metric {name}", "a metric whose direction is not known", "--direction maximize or minimize")
    sources = [name_source, known_source] if name_source == "--metric" else [known_source]
    return MetricChoice(metric=name, direction=known, source=", ".join(sources))


def known_metrics(network_arch: str) -> ArchitectureMetrics:
    """Return every metric known for an architecture, those of all trainers included."""
    table = _table()
    every, row = table[_EVERY], table.get(network_arch)
    if row is None:
        return every
    directions = {**every.directions, **row.directions}
    return ArchitectureMetrics(source=row.source, default=row.default, directions=directions)


def same_metric(first: str, second: str) -> bool:
    """Tell whether two names mean one metric: separators and capitals do not count."""
    return _normal(first) == _normal(second)


def _metric(skill: Skill, metric: str | None, action: str) -> tuple[str | None, str]:
    if metric is not None:
        return metric, "--metric"
    own = skill.actions[action].metric if action in skill.actions else None
    if own is not None:
        return own, "skill_info.yaml"
    return known_metrics(skill.network_arch).default, f"registry {skill.network_arch}"


def _direction(skill: Skill, metric: str, action: str) -> tuple[str | None, str]:
    own = skill.actions.get(action)
    if own is not None and own.metric is not None and own.metric_direction and same_metric(own.metric, metric):
        return own.metric_direction, "skill_info.yaml"
    row = known_metrics(skill.network_arch)
    for name, direction in row.directions.items():
        if same_metric(name, metric):
            return direction, f"registry {skill.network_arch}: {row.source}"
    return None, ""


@functools.cache
def _table() -> dict[str, ArchitectureMetrics]:
    document = read_document(_TABLE)
    rows = document.items() if isinstance(document, dict) else ()
    return {name: _row(row) for name, row in rows if isinstance(row, dict)}


def _row(row: dict[str, JsonValue]) -> ArchitectureMetrics:
    directions: dict[str, str] = {}
    for direction in ("maximize", "minimize"):
        names = row.get(direction)
        directions.update({str(name): direction for name in names} if isinstance(names, list) else {})
    default = row.get("default")
    return ArchitectureMetrics(
        source=str(row.get("source")),
        default=default if isinstance(default, str) else None,
        directions=directions,
    )


def _normal(name: str) -> str:
    return re.sub(r"[/_\s]+", "_", name.strip().lower())


def _unknown(where: str, found: str, expected: str) -> ConfigurationError:
    fix = "say which way is better; it is never guessed from a name"
    problem = Problem(where=where, found=found, expected=expected, fix=fix)
    return ConfigurationError.from_problems([problem], subject="the objective")
