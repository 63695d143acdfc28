"""Which metric a training is evaluated by, and which direction is better.

The answer comes from the user, else from the skill's own file, else from the file of its architecture. A direction is
never guessed: a metric that none of them knows has to be given with its direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.architectures.model import same_metric
from automl.errors import ConfigurationError

if TYPE_CHECKING:
    from automl.skill.model import Skill

_ACTION = "train"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricChoice:
    """A metric, its direction (``maximize`` or ``minimize``) and where both come from, as plans show it."""

    metric: str
    direction: str
    source: str


def objective_for(skill: Skill, *, metric: str | None = None, direction: str | None = None) -> MetricChoice:
    """Choose metric and direction of a training; those of the user win over everything else.

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
        own_source = "skill_info.yaml" if _own_metric(skill) is not None else f"registry {skill.network_arch}"
        source = own_source if metric is None else "--metric"
        note = f" (against {known_source}: {known})" if known is not None and known != direction else ""
        return MetricChoice(metric=name, direction=direction, source=f"{source}, --direction{note}")
    if known is None:
        raise _unknown(f"metric {name}", "a metric whose direction is not known", "--direction maximize or minimize")
    source = f"--metric, {known_source}" if metric is not None else known_source
    return MetricChoice(metric=name, direction=known, source=source)


def usual_metric(skill: Skill) -> str | None:
    """Return the metric of a training where the user names none: the skill's own, else its architecture's."""
    return _own_metric(skill) or skill.architecture.metrics.default


def _own_metric(skill: Skill) -> str | None:
    return skill.actions[_ACTION].metric if _ACTION in skill.actions else None


def _direction(skill: Skill, metric: str) -> tuple[str | None, str]:
    own = _own_metric(skill)
    if own is not None and skill.actions[_ACTION].metric_direction and same_metric(own, metric):
        return skill.actions[_ACTION].metric_direction, "skill_info.yaml"
    metrics = skill.architecture.metrics
    direction = metrics.direction_of(metric)
    return direction, "" if direction is None else f"registry {skill.network_arch}: {metrics.source}"


def _unknown(where: str, found: str, expected: str) -> ConfigurationError:
    fix = "say which way is better, e.g. `val_acc maximize`; it is never guessed from a name"
    return ConfigurationError.single("the objective", where=where, found=found, expected=expected, fix=fix)
