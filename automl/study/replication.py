"""Which of the best trials a study trains again with other seeds, and with which: decided before it runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from automl.errors import ConfigurationError, Problem
from automl.request.counts import MOST, is_count
from automl.request.policy import Route
from automl.study.race import CANDIDATES, most_trainings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.request.study_request import SearchSettings
    from automl.skill.model import JsonValue, Skill
    from automl.spec.model import Spec
    from automl.study.model import StudyParts, StudyPlan

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
