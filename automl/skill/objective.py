"""Which metric a training is evaluated by, and which direction is better.

The answer comes from the user, else from the skill's own file, else from the file of its architecture. A direction is
never guessed: a metric that none of them knows has to be given with its direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.architectures.model import same_metric
from automl.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from automl.skill.model import Skill

_ACTION = "train"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricChoice:
    """A metric, its direction and where both come from.

    Attributes:
        metric: Name as the trainer reports it.
        direction: ``maximize`` or ``minimize``.
        source: Shown in plans, e.g. ``registry depth_net_mono: trainer``.
    """

    metric: str
    direction: str
    source: str


def objective_for(skill: Skill, *, metric: str | None = None, direction: str | None = None) -> MetricChoice:
    """Choose metric and direction of a training.

    Args:
        skill: The skill.
        metric: The user's metric, if any.
        direction: The user's direction, if any; it wins over everything else.

    Raises:
        ConfigurationError: no metric is known for the skill, or no direction for the metric.
    """
    name = metric or usual_metric(skill)
    if name is None:
        raise _unknown(
            f"{skill.network_arch}: metric", "no metric known for a train run", "--metric NAME --direction DIRECTION"
        )
    known, known_source = _direction(skill, name)
    if direction is not None:
        if direction not in {"maximize", "minimize"}:
            raise _unknown("--direction", repr(direction), "maximize or minimize")
        note = f" (against {known_source}: {known})" if known is not None and known != direction else ""
        sources = [_source(skill, metric), "--direction"]
        return MetricChoice(metric=name, direction=direction, source=", ".join(sources) + note)
    if known is None:
        raise _unknown(f"metric {name}", "a metric whose direction is not known", "--direction maximize or minimize")
    source = f"--metric, {known_source}" if metric is not None else known_source
    return MetricChoice(metric=name, direction=known, source=source)


def usual_metric(skill: Skill) -> str | None:
    """Return the metric of a training where the user names none: the skill's own, else its architecture's."""
    own = skill.actions[_ACTION].metric if _ACTION in skill.actions else None
    return own if own is not None else skill.architecture.metrics.default


def _source(skill: Skill, metric: str | None) -> str:
    if metric is not None:
        return "--metric"
    own = skill.actions[_ACTION].metric if _ACTION in skill.actions else None
    return "skill_info.yaml" if own is not None else f"registry {skill.network_arch}"


def _direction(skill: Skill, metric: str) -> tuple[str | None, str]:
    own = skill.actions.get(_ACTION)
    if own is not None and own.metric is not None and own.metric_direction and same_metric(own.metric, metric):
        return own.metric_direction, "skill_info.yaml"
    metrics = skill.architecture.metrics
    direction = metrics.direction_of(metric)
    return direction, "" if direction is None else f"registry {skill.network_arch}: {metrics.source}"


def _unknown(where: str, found: str, expected: str) -> ConfigurationError:
    fix = "say which way is better; it is never guessed from a name"
    problem = Problem(where=where, found=found, expected=expected, fix=fix)
    return ConfigurationError.from_problems([problem], subject="the objective")
