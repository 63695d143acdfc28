"""Samplers by name, and the searcher of a study.

Names can be listed without importing any library; what a sampler needs is imported when it is made.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from automl.search.sampler import Sampler
    from automl.search.searcher import JournalSearcher
    from automl.space.parameters import Scalar
    from automl.study.model import StudyPlan

SAMPLERS: tuple[str, ...] = ("auto", "gp", "tpe", "qmc", "random", "grid")
"""Names of the samplers, the default first."""


def check_sampler(name: str) -> tuple[Problem, ...]:
    """Return what is wrong with a sampler's name; empty when it is known."""
    if name in SAMPLERS:
        return ()
    close = difflib.get_close_matches(name, SAMPLERS, n=1)
    suggestion = f"did you mean {close[0]}?" if close else f"use {SAMPLERS[0]}, the default"
    return (Problem(where="sampler", found=name, expected=f"one of {', '.join(SAMPLERS)}", fix=suggestion),)


def make_searcher(
    plan: StudyPlan, journal_file: Path, *, earlier: Sequence[Mapping[str, Scalar]] = ()
) -> JournalSearcher:
    """Return the searcher of a study; an existing journal is reopened, so this is also how a study is resumed.

    Args:
        plan: The study.
        journal_file: Its journal; created if it does not exist.
        earlier: Assignments that were good in earlier studies, best first; tried after the plan's own first trials. A
            reopened journal keeps the ones it was made with.

    Raises:
        ConfigurationError: the sampler is unknown, another living process owns the journal, or it is damaged.
    """
    from automl.search.journal import Journal  # noqa: PLC0415 - imports optuna
    from automl.search.searcher import JournalSearcher  # noqa: PLC0415 - imports optuna
    from automl.search.starting_points import starting_points  # noqa: PLC0415 - see above

    problems = check_sampler(plan.sampler)
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the study")
    journal = Journal(journal_file, plan.name, plan.objectives)
    try:
        starts = starting_points(plan, journal.remember_earlier(earlier))
        return JournalSearcher(plan, journal, make_sampler(plan, given=len(starts)), starts)
    except BaseException:
        journal.close()
        raise


def make_sampler(plan: StudyPlan, *, given: int) -> Sampler:
    """Return the sampler of a plan, whose name is known.

    Args:
        plan: The study.
        given: How many trials are proposed before the sampler is asked for the first time.
    """
    from automl.search import auto_sampler, grid_sampler, quasi_random  # noqa: PLC0415 - import numpy and scipy

    space, seed = plan.space, plan.seed
    if plan.sampler == "random":
        return quasi_random.RandomSampler(space, seed)
    if plan.sampler == "qmc":
        return quasi_random.SobolSampler(space, seed)
    if plan.sampler == "grid":
        return grid_sampler.GridSampler(space, seed)
    if plan.sampler == "tpe":
        return _tpe(plan)
    near = auto_sampler.Opening(space, seed)
    opening_trials = max(auto_sampler.opening_length(space), given)
    return auto_sampler.AutoSampler(near, opening_trials, _gp(plan), _tpe(plan))


def _gp(plan: StudyPlan) -> Sampler:
    from automl.search.auto_sampler import Opening  # noqa: PLC0415 - see make_sampler
    from automl.search.gp_sampler import GaussianProcessSampler  # noqa: PLC0415 - see make_sampler

    return GaussianProcessSampler(plan.space, plan.seed, Opening(plan.space, plan.seed, near=0))


def _tpe(plan: StudyPlan) -> Sampler:
    from automl.search.quasi_random import SobolSampler  # noqa: PLC0415 - see make_sampler
    from automl.search.tpe_sampler import TpeSampler  # noqa: PLC0415 - imports optuna

    return TpeSampler(plan.space, plan.seed, SobolSampler(plan.space, plan.seed))
