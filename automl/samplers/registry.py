"""Samplers by name, and the searcher of a study.

Names can be listed without importing any library; what a sampler needs is imported when it is made.
"""

from __future__ import annotations

import difflib
import pkgutil
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, Problem
from automl.plugins import PluginKind, find_plugin, known_names, load_plugin
from automl.samplers.llm.chat import check_endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.samplers.sampler import Sampler
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
"""Name -> module and class, the default first: the built-in ones of ``--sampler``; plug-ins add more."""
LLM_STARTS = "llm_starts"
"""The option of the default sampler: how many of the first trials a language model proposes."""
SAMPLER_OPTIONS: tuple[str, ...] = (LLM_STARTS,)
"""Options of a study that samplers read."""


def check_sampler(name: str, options: Mapping[str, object] | None = None) -> tuple[Problem, ...]:
    """Return what is wrong with a sampler's name, its options, or what it needs from the environment.

    Args:
        name: The sampler's name.
        options: Options of the study.
    """
    if name not in SAMPLERS and name not in (names := known_names(PluginKind.SAMPLERS, SAMPLERS)):
        close = difflib.get_close_matches(name, names, n=1)
        suggestion = f"did you mean {close[0]}?" if close else f"use {names[0]}, the default"
        return (Problem(where="sampler", found=name, expected=f"one of {', '.join(names)}", fix=suggestion),)
    starts = _llm_starts(name, options or {})
    if not isinstance(starts, int) or isinstance(starts, bool) or starts < 0:
        expected = "a number of trials that a language model proposes, at least 0"
        return (Problem(where=f"options.{LLM_STARTS}", found=repr(starts), expected=expected, fix="correct it"),)
    return check_endpoint() if name == "llm" or starts else ()


def asks_language_model(plan: StudyPlan) -> bool:
    """Tell whether a language model proposes trials of a study: asking it costs time and money."""
    return plan.sampler == "llm" or bool(_llm_starts(plan.sampler, plan.options))


def _llm_starts(name: str, options: Mapping[str, object]) -> object:
    return options.get(LLM_STARTS, 0) if name == "auto" else 0


def make_sampler(plan: StudyPlan) -> Sampler:
    """Return the sampler of a plan, whose name is known."""
    base: type[Sampler] = pkgutil.resolve_name("automl.samplers.sampler:Sampler")  # imports numpy
    plugin = None if plan.sampler in SAMPLERS else find_plugin(PluginKind.SAMPLERS, plan.sampler)
    found = pkgutil.resolve_name(SAMPLERS[plan.sampler]) if plugin is None else load_plugin(plugin, base)
    made: Sampler = found.for_plan(plan)
    return made


def make_searcher(plan: StudyPlan) -> Searcher:
    """Return the searcher of a study, with an empty history: the study's events fill it.

    Raises:
        ConfigurationError: the sampler is unknown.
    """
    from automl.samplers.searcher import Searcher  # noqa: PLC0415 - imports numpy

    problems = check_sampler(plan.sampler, plan.options)
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the study")
    return Searcher(plan, make_sampler(plan))
