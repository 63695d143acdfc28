"""Samplers, schedulers, launchers, trackers and readers of other distributions, found by their entry points.

A distribution names a class under ``automl.samplers``, ``automl.schedulers``, ``automl.launchers``, ``automl.trackers``
or ``automl.readers``. Nothing of it is imported before it is asked for by its name: a broken one breaks nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from typing import TYPE_CHECKING, TypeVar

from automl.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")


class PluginKind(StrEnum):
    """What a plug-in adds; its entry point stands in the group ``automl.<kind>``."""

    SAMPLERS = "samplers"
    SCHEDULERS = "schedulers"
    LAUNCHERS = "launchers"
    TRACKERS = "trackers"
    READERS = "readers"

    @property
    def one(self) -> str:
        """What one of them is called."""
        return self.value.removesuffix("s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """One plug-in.

    Attributes:
        kind: What it adds.
        name: By which it is asked for.
        target: ``module:class``.
        distribution: That it comes from.
        version: Of the distribution.
    """

    kind: PluginKind
    name: str
    target: str
    distribution: str = ""
    version: str = ""

    @property
    def origin(self) -> str:
        """The distribution with its version."""
        return f"{self.distribution} {self.version}".strip() or "an unknown distribution"


def installed_plugins(*kinds: PluginKind) -> tuple[Plugin, ...]:
    """Return every plug-in of some kinds, of all without any, by kind, name and distribution."""
    found = {_plugin(kind, point) for kind in kinds or PluginKind for point in entry_points(group=f"automl.{kind}")}
    order = list(PluginKind)
    return tuple(sorted(found, key=lambda p: (order.index(p.kind), p.name, p.distribution)))


def _plugin(kind: PluginKind, point: EntryPoint) -> Plugin:
    source = point.dist
    return Plugin(
        kind=kind,
        name=point.name,
        target=point.value,
        distribution=source.name if source is not None else "",
        version=source.version if source is not None else "",
    )


def known_names(kind: PluginKind, builtin: Iterable[str]) -> tuple[str, ...]:
    """Return the names that may be asked for: the built-in ones, then those of plug-ins."""
    return tuple(dict.fromkeys([*builtin, *(plugin.name for plugin in installed_plugins(kind))]))


def find_plugin(kind: PluginKind, name: str) -> Plugin | None:
    """Return the plug-in with a name; None where there is none.

    Raises:
        ConfigurationError: several distributions have one of that name.
    """
    found = [plugin for plugin in installed_plugins(kind) if plugin.name == name]
    if len(found) > 1:
        raise _refused(found[0], f"plug-ins of {' and of '.join(p.origin for p in found)}", "uninstall one of them")
    return found[0] if found else None


def load_plugin(plugin: Plugin, base: type[T]) -> type[T]:
    """Return the class of a plug-in, which is one of ``base``.

    Raises:
        ConfigurationError: it cannot be imported, or is something else.
    """
    fix = f"repair or uninstall {plugin.distribution or plugin.name}"
    try:
        loaded: object = EntryPoint(plugin.name, plugin.target, f"automl.{plugin.kind}").load()
    except (Exception, SystemExit) as error:  # what a module of others does when it is imported
        text = " ".join(str(error).split())
        found = f"{plugin.target} of {plugin.origin}, which cannot be imported: {type(error).__name__}: {text}"
        raise _refused(plugin, found, fix) from error
    if not (isinstance(loaded, type) and issubclass(loaded, base)):
        raise _refused(plugin, f"{plugin.target} of {plugin.origin}, which is no {base.__name__}", fix)
    return loaded


def plugin_problem(plugin: Plugin, builtin: Iterable[str], base: type[object]) -> str:
    """Return why a plug-in cannot be used, in one line; empty where it can."""
    if plugin.name in builtin:
        return f"refused: {plugin.kind.one} {plugin.name} of {plugin.origin} has the name of the built-in {plugin.name}"
    try:
        find_plugin(plugin.kind, plugin.name)
        load_plugin(plugin, base)
    except ConfigurationError as error:
        return error.problems[0].found
    return ""


def check_installed(plugins: Iterable[Plugin]) -> None:
    """Check that the plug-ins that a study began with are there; another version is taken.

    Raises:
        ConfigurationError: some are not; with all of them.
    """
    problems = []
    for plugin in plugins:
        if not any(found.name == plugin.name for found in installed_plugins(plugin.kind)):
            has_version = _version_of(plugin.distribution)
            problems.append(
                Problem(
                    where=f"{plugin.kind.one} {plugin.name}",
                    found=f"no such plug-in{f' in {plugin.distribution} {has_version}' if has_version else ''}",
                    expected=f"that of {plugin.origin}, with which the study began",
                    fix=f"pip install {plugin.distribution}=={plugin.version}",
                )
            )
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the plug-ins of the study")


def _version_of(distribution: str) -> str:
    try:
        return version(distribution) if distribution else ""
    except PackageNotFoundError:
        return ""


def _refused(plugin: Plugin, found: str, fix: str) -> ConfigurationError:
    problem = Problem(where=f"{plugin.kind.one} {plugin.name}", found=found, expected="one that can be used", fix=fix)
    return ConfigurationError.from_problems([problem], subject=f"the plug-in {plugin.name}")
