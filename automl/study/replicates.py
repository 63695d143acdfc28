"""Replicates: the best trials trained again with other seeds, so that the winner is not the luckiest one.

The value that made a trial win a search is the largest of many noisy ones and flatters it. The mean of its replicates
does not: they were not chosen by their values. The gap between the two is the validation overfitting of the search.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, Protocol

from automl.errors import ConfigurationError, Problem, counted
from automl.request.counts import MOST, is_count
from automl.request.policy import Route
from automl.study.race import CANDIDATES, most_trainings
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from automl.request.study_request import SearchSettings
    from automl.skill.model import JsonValue, Skill
    from automl.spec.model import Spec
    from automl.study.model import Objective, StudyPlan
    from automl.study.plan import StudyParts
    from automl.study.trial import TrialResult

SEEDS = 2
"""Replicates of one trial, unless the option ``replicate_seeds`` says otherwise."""
AUTO = "auto"
"""The value of ``--replicates`` that asks for a race."""
_SEARCH_PER_RACE = 2
_MANY_TRIALS = 20
# Two studies with replicates, each with noise of at most a tenth of the spread between good trials: on tables with more
# noise, or with lucky values, that was never found; on those with less a race among 21 trainings costs more than it
# brings.
_FEWEST_NOISES, _LITTLE_NOISE = 2, 0.1
# Every point of a grid is promised; a clone starts from a checkpoint, which no replicate has.
_FIXED_SAMPLERS = ("grid",)
_CLONING_SCHEDULERS = ("pbt",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicated:
    """A trial of the search and its replicates.

    Attributes:
        values: The primary objective of the replicates that have one, in order of their numbers; not empty.
        diverged: How many replicates diverged.
        runs: How many there are, whatever became of them.
        gap: How much better the search saw the trial than its replicates did on average; above 0 it was flattered.
    """

    trial: TrialResult
    values: tuple[float, ...]
    gap: float
    diverged: int = 0
    runs: int = 0

    @property
    def mean(self) -> float:
        """Mean over the replicates; the trial's own value is not in it."""
        return fmean(self.values)

    @property
    def spread(self) -> float | None:
        """Standard deviation of the replicates; None of a single one."""
        return stdev(self.values) if len(self.values) > 1 else None


def replicated(objective: Objective, trials: tuple[TrialResult, ...]) -> tuple[Replicated, ...]:
    """Return the trials with replicates that have values, the winner first.

    First are those without a replicate that diverged, then those that were trained most often, which are the last ones
    left of a race; among them the best mean counts, then the number.
    """
    metric, by_number = objective.metric, {trial.number: trial for trial in trials}
    values: dict[int, list[float]] = {}
    runs, diverged = Counter[int](), Counter[int]()
    for trial in trials:
        if trial.replicate_of is None:
            continue
        runs[trial.replicate_of] += 1
        diverged[trial.replicate_of] += trial.state is TrialState.DIVERGED
        if trial.replicate_of in by_number and trial.state.has_value and metric in trial.values:
            values.setdefault(trial.replicate_of, []).append(trial.values[metric])
    sign = objective.direction.sign
    found = [
        Replicated(
            trial=original,
            values=tuple(seen),
            gap=sign * (original.values[metric] - fmean(seen)),
            diverged=diverged[number],
            runs=runs[number],
        )
        for number, seen in values.items()
        if metric in (original := by_number[number]).values
    ]
    return tuple(sorted(found, key=lambda r: (r.diverged > 0, -r.runs, -sign * r.mean, r.trial.number)))


def seed_key(skill: Skill, spec: Spec) -> str:
    """Return the key of the spec that holds the trainer's seed.

    Raises:
        ConfigurationError: the skill has none, so replicates would all be the same training.
    """
    path = spec.first_of(skill.keys.seed)
    if path is not None:
        return path
    given = (
        "give the function an argument seed, with a default" if skill.is_function else "give the spec a seed with --set"
    )
    shorthand = "" if skill.is_open else ", or a shorthand `seed` in skill_info.yaml"
    problem = Problem(
        where="--replicates",
        found=f"no seed in the spec of {skill.name}",
        expected=f"one of {', '.join(skill.architecture.keys.seed)}{shorthand}",
        fix=f"{given}, or leave the replicates out",
    )
    raise ConfigurationError.from_problems([problem], subject="the study")


class Replicating(Protocol):
    """What a plan says of its replicates, before it runs and as it is stored."""

    @property
    def replicates(self) -> int:
        """So many of the best trials are trained again."""

    @property
    def race(self) -> bool:
        """The worse ones are left out after each seed."""

    @property
    def options(self) -> Mapping[str, Any]:
        """Further settings."""


def most_replicates(plan: Replicating) -> int:
    """Return how many trainings the replicates of a study are at most."""
    if not plan.replicates:
        return 0
    seeds = seed_count(plan.options)
    return most_trainings(seeds) if plan.race else plan.replicates * seeds


def what_follows(plan: Replicating) -> str:
    """Return what follows the trials of the search, to stand behind their number; empty for nothing."""
    again = f", then the best {plan.replicates} again with other seeds"
    return "" if not plan.replicates else f", then a race of the best {plan.replicates}" if plan.race else again


def counts_of(trials: Sequence[TrialResult], planned: int) -> str:
    """Return how many of the planned trials there are, and how many replicates: ``25 of 25 and 5 replicates``."""
    again = sum(trial.replicate_of is not None for trial in trials)
    return " and ".join([f"{len(trials) - again} of {planned}", *([counted(again, "replicate")] if again else [])])


@dataclass(frozen=True, slots=True, kw_only=True)
class Replication:
    """Which trials of a study are trained again.

    Attributes:
        candidates: So many of the best ones; 0 for none.
        is_race: The worse ones are left out after each seed.
        kept: Trials of the budget that the search leaves to the race.
        reason: What the plan says of it; empty for nothing.
    """

    candidates: int = 0
    is_race: bool = False
    kept: int = 0
    reason: str = ""


def decide_replication(request: SearchSettings, parts: StudyParts, trials: int) -> Replication:
    """Decide how many of the best trials are trained again: as asked for, else a race where a trial costs little.

    Args:
        request: What was asked for.
        parts: Of the study.
        trials: Of the whole study.

    Raises:
        ConfigurationError: a race is asked for and the search is too short, or the number of seeds cannot be used.
    """
    wanted, seeds = request.replicates, seed_count(request.options)
    if isinstance(wanted, int):
        return Replication(candidates=min(wanted, trials))
    is_tuned = parts.decision.route is Route.TUNE
    if not is_tuned or not (wanted == AUTO or _races_by_default(request, parts, trials)):
        return Replication()
    kept = most_trainings(seeds)
    if trials < kept * _SEARCH_PER_RACE:
        expected = f"at least {kept * _SEARCH_PER_RACE}: {kept} of them are kept for the race"
        fix = "raise --trials, or use --replicates 2: it comes on top of the trials"
        problem = Problem(where=f"--replicates {AUTO}", found=f"{trials} trials", expected=expected, fix=fix)
        raise ConfigurationError.from_problems([problem], subject="the study")
    return Replication(candidates=CANDIDATES, is_race=True, kept=kept, reason=_of_race(trials, kept, seeds))


def _of_race(trials: int, kept: int, seeds: int) -> str:
    seeds_of = "the better ones twice" if seeds == SEEDS else f"the better ones with up to {seeds} seeds"
    again = f"the best {CANDIDATES} are trained again with other seeds, {seeds_of}"
    return f"of the {trials} trials {kept} are kept for a race: {again} (--replicates 0: no race)"


def without_needless_race(plan: StudyPlan) -> StudyPlan:
    """Return a plan without its race where earlier studies say that the seed decides nothing: it searches longer.

    That takes two studies in which trials were trained again, and little noise in each: a study of much noise, or of
    noise with heavy tails, speaks against it.
    """
    known = [study.noise for study in plan.earlier if study.noise is not None]
    if not plan.race or len(known) < _FEWEST_NOISES or max(known) > _LITTLE_NOISE:
        return plan
    kept = most_replicates(plan)
    trials = plan.budget.trials + kept
    dropped = _of_race(trials, kept, seed_count(plan.options))
    why = (
        "the best trials are not trained again: by their seed alone trainings of earlier studies lie apart by at most "
        f"{100 * max(known):.0f} % of the spread between good trials (--replicates auto: a race all the same)"
    )
    return replace(
        plan,
        replicates=0,
        race=False,
        seed_key=None,
        budget=replace(plan.budget, trials=trials),
        reasons=tuple(why if reason == dropped else reason for reason in plan.reasons),
    )


def _races_by_default(request: SearchSettings, parts: StudyParts, trials: int) -> bool:
    """Tell whether a trial costs under 5 % of the budget, and the best trial alone is what is wanted."""
    is_one_best = len(parts.objectives) == 1 and parts.spec.first_of(parts.skill.keys.seed) is not None
    is_free = request.sampler not in _FIXED_SAMPLERS and request.scheduler not in _CLONING_SCHEDULERS
    return trials > _MANY_TRIALS and parts.space.size > trials and is_one_best and is_free


def seed_count(options: Mapping[str, JsonValue]) -> int:
    """Return how many other seeds a trial is trained with.

    Raises:
        ConfigurationError: the option ``replicate_seeds`` is no number that can be.
    """
    count = options.get("replicate_seeds", SEEDS)
    if not is_count(count, "replicate_seeds"):
        expected = f"a number from 1 to {MOST['replicate_seeds']:,}"
        problem = Problem(where="options.replicate_seeds", found=repr(count), expected=expected, fix="correct it")
        raise ConfigurationError.from_problems([problem], subject="the study")
    return count


def replicate_seeds(plan: StudyPlan) -> tuple[int, ...]:
    """Return the seeds of the replicates of any trial: those after the seed of the spec."""
    own = plan.spec.get(plan.seed_key) if plan.seed_key else 0
    first = own if isinstance(own, int) and not isinstance(own, bool) else 0
    return tuple(first + 1 + i for i in range(seed_count(plan.options)))
