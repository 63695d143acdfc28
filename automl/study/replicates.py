"""Replicates: the best trials trained again with other seeds, so that the winner is not the luckiest one.

The value that made a trial win a search is the largest of many noisy ones and flatters it. The mean of its replicates
does not: they were not chosen by their values. The gap between the two is the validation overfitting of the search.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, Problem
from automl.study.model import Direction

if TYPE_CHECKING:
    from automl.skill.model import Skill
    from automl.spec.model import Spec
    from automl.study.model import Objective, StudyPlan
    from automl.study.trial import TrialResult

SEEDS = 2
"""Replicates of one trial, unless the option ``replicate_seeds`` says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicated:
    """A trial of the search and its replicates.

    Attributes:
        values: The primary objective of the replicates that have one, in order of their numbers; not empty.
        gap: How much better the search saw the trial than its replicates did on average; above 0 it was flattered.
    """

    trial: TrialResult
    values: tuple[float, ...]
    gap: float

    @property
    def mean(self) -> float:
        """Mean over the replicates; the trial's own value is not in it."""
        return fmean(self.values)


def replicated(objective: Objective, trials: tuple[TrialResult, ...]) -> tuple[Replicated, ...]:
    """Return the trials with replicates that have values, the best mean first; equals by their numbers."""
    metric, by_number = objective.metric, {trial.number: trial for trial in trials}
    values: dict[int, list[float]] = {}
    for trial in trials:
        if trial.replicate_of in by_number and trial.state.has_value and metric in trial.values:
            values.setdefault(trial.replicate_of, []).append(trial.values[metric])
    sign = 1.0 if objective.direction is Direction.MAXIMIZE else -1.0
    found = [
        Replicated(trial=original, values=tuple(seen), gap=sign * (original.values[metric] - fmean(seen)))
        for number, seen in values.items()
        if metric in (original := by_number[number]).values
    ]
    return tuple(sorted(found, key=lambda r: (-sign * r.mean, r.trial.number)))


def seed_key(skill: Skill, spec: Spec) -> str:
    """Return the key of the spec that holds the trainer's seed.

    Raises:
        ConfigurationError: the skill has none, so replicates would all be the same training.
    """
    path = spec.first_of(skill.keys.seed)
    if path is not None:
        return path
    problem = Problem(
        where="--replicates",
        found=f"no seed in the spec of {skill.name}",
        expected=f"one of {', '.join(skill.architecture.keys.seed)}, or a shorthand `seed` in skill_info.yaml",
        fix="give the spec a seed with --set, or leave --replicates out",
    )
    raise ConfigurationError.from_problems([problem], subject="the study")


def replicate_seeds(plan: StudyPlan) -> tuple[int, ...]:
    """Return the seeds of the replicates of any trial: those after the seed of the spec.

    Raises:
        ConfigurationError: the option ``replicate_seeds`` is no positive number.
    """
    count = plan.options.get("replicate_seeds", SEEDS)
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        expected = "a number of at least 1"
        problem = Problem(where="options.replicate_seeds", found=repr(count), expected=expected, fix="correct it")
        raise ConfigurationError.from_problems([problem], subject="the study")
    own = plan.spec.get(plan.seed_key) if plan.seed_key else 0
    first = own if isinstance(own, int) and not isinstance(own, bool) else 0
    return tuple(first + 1 + i for i in range(count))
