"""Samplers by name, and the searcher of a study.

Names can be listed without importing any library; what a sampler needs is imported when it is made.
"""

from __future__ import annotations

import difflib
import itertools
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, Problem
from automl.samplers.llm.chat import check_endpoint
from automl.study.causes import Origin, OriginKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from automl.samplers.sampler import Candidate, Sampler
    from automl.samplers.searcher import Searcher
    from automl.study.model import StudyPlan

SAMPLERS: tuple[str, ...] = ("auto", "gp", "tpe", "cmaes", "nsga2", "qmc", "random", "grid", "llm")
"""Names of the samplers, the default first."""
LLM_STARTS = "llm_starts"
"""The option that samplers read: how many of the first trials a language model proposes."""


def check_sampler(name: str, options: Mapping[str, object] | None = None) -> tuple[Problem, ...]:
    """Return what is wrong with a sampler's name, its options, or what it needs from the environment.

    Args:
        name: The sampler's name.
        options: Options of the study; ``llm_starts`` is read.
    """
    if name not in SAMPLERS:
        close = difflib.get_close_matches(name, SAMPLERS, n=1)
        suggestion = f"did you mean {close[0]}?" if close else f"use {SAMPLERS[0]}, the default"
        return (Problem(where="sampler", found=name, expected=f"one of {', '.join(SAMPLERS)}", fix=suggestion),)
    starts = (options or {}).get(LLM_STARTS, 0)
    if not isinstance(starts, int) or isinstance(starts, bool) or starts < 0:
        expected = "a number of trials that a language model proposes, at least 0"
        return (Problem(where="options.llm_starts", found=repr(starts), expected=expected, fix="correct it"),)
    return check_endpoint() if name == "llm" or starts else ()


def asks_language_model(plan: StudyPlan) -> bool:
    """Tell whether a language model proposes trials of a study: asking it costs time and money."""
    return plan.sampler == "llm" or bool(plan.options.get(LLM_STARTS))


def make_searcher(plan: StudyPlan) -> Searcher:
    """Return the searcher of a study, with an empty history: the study's events fill it.

    Raises:
        ConfigurationError: the sampler is unknown.
    """
    from automl.samplers.searcher import Searcher  # noqa: PLC0415 - imports numpy

    problems = check_sampler(plan.sampler, plan.options)
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the study")
    starts = starting_points(plan)
    return Searcher(plan, make_sampler(plan, given=len(starts)), starts)


def starting_points(plan: StudyPlan) -> tuple[Candidate, ...]:
    """Return the first proposals, without repetitions.

    Trial 0 is the template untouched, even where it lies outside the searched range: it is what the skill would train
    without a search. The others, such as points of earlier studies, are moved into the space.

    Args:
        plan: The study; where it has no ``first_trials``, the space's defaults are trial 0.
    """
    from automl.samplers.sampler import Candidate  # noqa: PLC0415 - numpy

    given = plan.first_trials or (plan.space.default_assignment(),)
    draws = [Candidate(assignment=dict(given[0]), origin=Origin(OriginKind.TEMPLATE))]
    for point, origin in itertools.zip_longest(given[1:], plan.first_origins[1:], fillvalue=None):
        if point is not None:
            draws.append(Candidate(assignment=plan.space.repair(point), origin=origin or Origin(OriginKind.GIVEN)))
    kept: list[Candidate] = []
    for draw in draws:
        if all(draw.assignment != other.assignment for other in kept):
            kept.append(draw)
    return tuple(kept)


def make_sampler(plan: StudyPlan, *, given: int) -> Sampler:
    """Return the sampler of a plan, whose name is known.

    Args:
        plan: The study.
        given: How many trials are proposed before the sampler is asked for the first time.
    """
    builders: dict[str, Callable[[StudyPlan, int], Sampler]] = {
        "auto": _auto,
        "gp": lambda plan, _: _gp(plan),
        "tpe": lambda plan, _: _tpe(plan),
        "cmaes": _cmaes,
        "nsga2": _nsga2,
        "qmc": _qmc,
        "random": _random,
        "grid": _grid,
        "llm": _llm,
    }
    return builders[plan.sampler](plan, given)


def _auto(plan: StudyPlan, given: int) -> Sampler:
    from automl.samplers.auto import AutoSampler, InitialDesign, initial_design_length  # noqa: PLC0415 - imports numpy

    opening: Sampler = InitialDesign(plan.space, plan.seed)
    starts = plan.options.get(LLM_STARTS, 0)
    if isinstance(starts, int) and starts:
        from automl.samplers.llm.sampler import LlmInitialDesign  # noqa: PLC0415 - only where it is asked for

        opening = LlmInitialDesign(_llm(plan, given), starts, opening)
        given += starts
    return AutoSampler(opening, max(initial_design_length(plan.space), given), _gp(plan), _tpe(plan))


def _llm(plan: StudyPlan, given: int) -> Sampler:
    from automl.samplers.llm.sampler import LlmSampler  # noqa: PLC0415 - only where it is asked for

    del given
    return LlmSampler(plan)


def _gp(plan: StudyPlan) -> Sampler:
    from automl.samplers.auto import InitialDesign  # noqa: PLC0415 - imports numpy
    from automl.samplers.gaussian_process.sampler import GaussianProcessSampler  # noqa: PLC0415 - imports numpy

    opening = InitialDesign(plan.space, plan.seed, near=0)
    return GaussianProcessSampler(
        plan.space, plan.seed, opening, objectives=len(plan.objectives), constraints=len(plan.constraints)
    )


def _tpe(plan: StudyPlan) -> Sampler:
    from automl.samplers.quasi_random import SobolSampler  # noqa: PLC0415 - imports numpy
    from automl.samplers.tpe import TpeSampler  # noqa: PLC0415 - imports optuna

    return TpeSampler(plan.space, plan.seed, SobolSampler(plan.space, plan.seed))


def _cmaes(plan: StudyPlan, given: int) -> Sampler:
    from automl.samplers.cmaes import CmaEsSampler  # noqa: PLC0415 - imports numpy

    del given
    return CmaEsSampler(plan.space, plan.seed)


def _nsga2(plan: StudyPlan, given: int) -> Sampler:
    from automl.samplers.nsga2 import Nsga2Sampler  # noqa: PLC0415 - imports numpy
    from automl.samplers.quasi_random import SobolSampler  # noqa: PLC0415 - imports numpy

    del given
    return Nsga2Sampler(plan.space, plan.seed, SobolSampler(plan.space, plan.seed))


def _qmc(plan: StudyPlan, given: int) -> Sampler:
    from automl.samplers.quasi_random import SobolSampler  # noqa: PLC0415 - imports numpy

    del given
    return SobolSampler(plan.space, plan.seed)


def _random(plan: StudyPlan, given: int) -> Sampler:
    from automl.samplers.quasi_random import RandomSampler  # noqa: PLC0415 - imports numpy

    del given
    return RandomSampler(plan.space, plan.seed)


def _grid(plan: StudyPlan, given: int) -> Sampler:
    from automl.samplers.grid import GridSampler  # noqa: PLC0415 - imports numpy

    del given
    return GridSampler(plan.space, plan.seed)
