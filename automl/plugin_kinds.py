"""What plug-ins of each kind are, which names are taken, and which plug-ins a study uses."""

from __future__ import annotations

import difflib
import pkgutil
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, Problem
from automl.plugins import Plugin, PluginKind, find_plugin, known_names, load_plugin, plugin_problem
from automl.samplers.registry import SAMPLERS
from automl.schedulers.registry import SCHEDULERS
from automl.study.launch_plan import LAUNCHER_NAMES, LauncherKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.request.study_request import StudyRequest
    from automl.study.model import StudyPlan

BUILT_IN: dict[PluginKind, tuple[str, ...]] = {
    PluginKind.SAMPLERS: tuple(SAMPLERS),
    PluginKind.SCHEDULERS: SCHEDULERS,
    PluginKind.LAUNCHERS: (*LAUNCHER_NAMES, LauncherKind.NONE.value),
    PluginKind.TRACKERS: ("mlflow", "tensorboard", "notify"),
    PluginKind.READERS: ("status", "log", "json", "csv", "tensorboard"),
}
"""The names that plug-ins may not have."""
_BASES = {
    PluginKind.SAMPLERS: "automl.samplers.sampler:Sampler",
    PluginKind.SCHEDULERS: "automl.schedulers.base:Scheduler",
    PluginKind.LAUNCHERS: "automl.launch.base:Launcher",
    PluginKind.TRACKERS: "automl.tracking.base:Tracker",
    PluginKind.READERS: "automl.readers.metric_format:MetricFormat",
}


def base_of(kind: PluginKind) -> type[object]:
    """Return the class that every plug-in of a kind is one of."""
    base: type[object] = pkgutil.resolve_name(_BASES[kind])
    return base


def problem_of(plugin: Plugin) -> str:
    """Return why a plug-in cannot be used, in one line; empty where it can. It is imported."""
    return plugin_problem(plugin, BUILT_IN[plugin.kind], base_of(plugin.kind))


def plugins_of(request: StudyRequest, plan: StudyPlan) -> tuple[Plugin, ...]:
    """Return the plug-ins of a study, each imported once.

    Raises:
        ConfigurationError: some are unknown or cannot be used; with all of them.
    """
    found: list[Plugin] = []
    problems: list[Problem] = []
    for kind, name in _asked(request, plan):
        try:
            plugin = find_plugin(kind, name)
            if plugin is None:
                problems.append(_unknown(kind, name))
            else:
                load_plugin(plugin, base_of(kind))
                found.append(plugin)
        except ConfigurationError as error:
            problems += error.problems
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the study")
    return tuple(found)


def _asked(request: StudyRequest, plan: StudyPlan) -> Iterator[tuple[PluginKind, str]]:
    """Yield what is asked for and not built in; names of trackers and readers are those of plug-ins alone."""
    pairs = [(PluginKind.SAMPLERS, plan.sampler), (PluginKind.SCHEDULERS, plan.scheduler)]
    pairs += [(PluginKind.LAUNCHERS, plan.launch.plugin)] if plan.launch.plugin else []
    yield from ((kind, name) for kind, name in pairs if name not in BUILT_IN[kind])
    yield from ((PluginKind.TRACKERS, name) for name in dict.fromkeys(request.trackers))
    yield from ((PluginKind.READERS, name) for name in dict.fromkeys(request.readers))


def _unknown(kind: PluginKind, name: str) -> Problem:
    names = [known for known in known_names(kind, ()) if known not in BUILT_IN[kind]]
    close = difflib.get_close_matches(name, names, n=1)
    fix = f"did you mean {close[0]}?" if close else "install its plug-in; `automl list --plugins` shows what is there"
    if name in BUILT_IN[kind]:
        fix = f"leave it out: {name} is always there"
    expected = f"one of the plug-ins {', '.join(names)}" if names else f"a plug-in: no {kind.one} is installed"
    return Problem(where=f"{kind.value}: {name}", found=f"no {kind.one} of this name", expected=expected, fix=fix)
