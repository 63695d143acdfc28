"""Samplers by name, and the searcher of a study.

Names can be listed without importing any library; what a sampler needs is imported when it is made.
"""

from __future__ import annotations

import difflib
import importlib
import itertools
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, Problem
from automl.samplers.llm.chat import LLM_STARTS
from automl.study.causes import Origin, OriginKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.samplers.sampler import Candidate, Sampler
    from automl.samplers.searcher import Searcher
    from automl.study.model import StudyPlan

SAMPLERS: Mapping[str, str] = MappingProxyType(
    {
        "auto": "automl.samplers.auto:AutoSampler",
        "gp": "automl.samplers.gaussian_process.sampler:GaussianProcessSampler",
        "tpe": "automl.samplers.tpe:TpeSampler",
        "cmaes": "automl.samplers.cmaes:CmaEsSampler",
        "nsga2": "automl.samplers.nsga2:Nsga2Sampler",
        "qmc": "automl.samplers.quasi_random:SobolSampler",
        "random": "automl.samplers.quasi_random:RandomSampler",
        "grid": "automl.samplers.grid:GridSampler",
        "llm": "automl.samplers.llm.sampler:LlmSampler",
    }
)
"""Name -> module and class, the default first. The name is that of ``--sampler``; nothing else lists the samplers."""
SAMPLER_OPTIONS: tuple[str, ...] = (LLM_STARTS,)
"""Options of a study that samplers read."""


def check_sampler(name: str, options: Mapping[str, object] | None = None) -> tuple[Problem, ...]:
    """Return what is wrong with a sampler's name, its options, or what it needs from the environment.

    Args:
        name: The sampler's name.
        options: Options of the study.
    """
    if name not in SAMPLERS:
        close = difflib.get_close_matches(name, SAMPLERS, n=1)
        default = next(iter(SAMPLERS))
        suggestion = f"did you mean {close[0]}?" if close else f"use {default}, the default"
        return (Problem(where="sampler", found=name, expected=f"one of {', '.join(SAMPLERS)}", fix=suggestion),)
    return _class_of(name).check(options or {})


def asks_language_model(plan: StudyPlan) -> bool:
    """Tell whether a language model proposes trials of a study: asking it costs time and money."""
    return _class_of(plan.sampler).asks_language_model(plan.options)


def make_sampler(plan: StudyPlan, *, given: int) -> Sampler:
    """Return the sampler of a plan, whose name is known.

    Args:
        plan: The study.
        given: How many trials are proposed before the sampler is asked for the first time.
    """
    return _class_of(plan.sampler).for_plan(plan, given)


def _class_of(name: str) -> type[Sampler]:
    module, _, cls = SAMPLERS[name].partition(":")
    found: type[Sampler] = getattr(importlib.import_module(module), cls)
    return found


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
    candidates = [Candidate(assignment=dict(given[0]), origin=Origin(OriginKind.TEMPLATE))]
    for point, origin in itertools.zip_longest(given[1:], plan.first_origins[1:], fillvalue=None):
        if point is not None:
            candidates.append(Candidate(assignment=plan.space.repair(point), origin=origin or Origin(OriginKind.GIVEN)))
    kept: list[Candidate] = []
    for candidate in candidates:
        if all(candidate.assignment != other.assignment for other in kept):
            kept.append(candidate)
    return tuple(kept)
