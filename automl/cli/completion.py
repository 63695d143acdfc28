"""What a shell completes behind the tab key: files, and the names of studies, skills, samplers and schedulers.

`eval "$(_AUTOML_COMPLETE=bash_source automl)"` turns it on, also with ``zsh_source`` and ``fish_source``.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

from automl.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import click

    Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def completing(*sources: Callable[[], Iterable[str]], has_files: bool = False) -> Completer:
    """Return what completes an argument by names, and by files where it may be one."""

    def complete(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found = [name for source in sources for name in source() if name.startswith(incomplete)]
        if not has_files:
            return [CompletionItem(name) for name in found]
        if not found:
            return [CompletionItem(incomplete, type="file")]
        # Beside names a shell completes no files by itself.
        files = [f"{path}/" if path.is_dir() else str(path) for path in _files(incomplete)]
        return [CompletionItem(name) for name in dict.fromkeys([*found, *files])]

    return complete


def _files(incomplete: str) -> list[Path]:
    with contextlib.suppress(OSError, ValueError):
        return sorted(Path().glob(f"{incomplete}*")) if "/" not in incomplete else []
    return []


def skills() -> Iterable[str]:
    """Return the names of the built-in skills."""
    from automl.resources import builtin_skills

    return builtin_skills()


def ready_studies() -> Iterable[str]:
    """Return the names of the ready study files."""
    from automl.resources import builtin_studies

    return builtin_studies()


def studies() -> Iterable[str]:
    """Return the studies of the results folder, by their names and by those of their skills."""
    from automl.cli.paths import results_root
    from automl.storage.paths import find_studies
    from automl.storage.plan_document import read_plan

    found = []
    for paths in find_studies(results_root(None)):
        with contextlib.suppress(ConfigurationError, OSError):
            found += [paths.root.name, read_plan(paths).skill.name]
    return dict.fromkeys(found)


def samplers() -> Iterable[str]:
    """Return the names of the samplers."""
    from automl.samplers.registry import SAMPLERS

    return SAMPLERS


def schedulers() -> Iterable[str]:
    """Return the names of the schedulers."""
    from automl.schedulers.registry import SCHEDULERS

    return SCHEDULERS
