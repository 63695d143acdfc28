"""Where studies go and what they report to."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, Problem
from automl.shown_command import shown_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLocation:
    """Where studies go and what they report to.

    Attributes:
        results: The results folder, absolute.
        tracking_uri: MLflow tracking URI; None for the sqlite file of the results folder.
        ray_address: A Ray cluster; None for this machine.
        directory: The study directory, absolute; None for a new one in the results folder.
    """

    results: Path
    tracking_uri: str | None = None
    ray_address: str | None = None
    directory: Path | None = None


def make_private(folder: Path) -> None:
    """Make a folder and the missing ones above it for this user alone; folders that exist stay as they are.

    Raises:
        OSError: one cannot be made.
    """
    # Not with ``parents=True``, which gives its mode to the last folder alone.
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def chosen_study_directory(directory: Path) -> Path:
    """Make the study directory that the user has chosen.

    Raises:
        ConfigurationError: something is there already, or it cannot be made.
    """
    try:
        if directory.exists() and not _is_empty(directory):
            found, fix = "a folder that is not empty", f"{shown_command('resume', directory)}, or choose another one"
        else:
            make_private(directory)
            return directory
    except OSError as error:
        found, fix = f"{directory} cannot be made: {error.strerror or error}", "choose another one"
    problem = Problem(where="--study-dir", found=found, expected="a new or an empty folder", fix=fix)
    raise ConfigurationError.from_problems([problem], subject="the study directory")


def _is_empty(directory: Path) -> bool:
    """Tell whether a folder holds nothing, or only a link `trials` to an empty folder: one on a larger disk."""
    entries = list(directory.iterdir())
    is_link = [entry.name for entry in entries] == ["trials"] and entries[0].is_symlink() and entries[0].is_dir()
    return not entries or (is_link and not any(entries[0].iterdir()))


def new_study_directory(results: Path, name: str) -> Path:
    """Make a fresh study directory, ``<name>`` or ``<name>-2``, ``<name>-3``, ...; a plain run never resumes.

    Raises:
        ConfigurationError: it cannot be made.
    """
    candidates = _candidates(results, name)
    try:
        make_private(results)
        while True:
            candidate = next(candidates)
            with contextlib.suppress(FileExistsError):
                candidate.mkdir(mode=0o700)
                return candidate
    except OSError as error:
        problem = Problem(
            where="--results",
            found=f"{results / name} cannot be made: {error.strerror or error}",
            expected="a folder that this user may write",
            fix="choose another one with --results or AUTOML_RESULTS",
        )
        raise ConfigurationError.from_problems([problem], subject="the results folder") from error


def next_study_directory(results: Path, name: str) -> Path:
    """Return the directory that `new_study_directory` would make now."""
    return next(candidate for candidate in _candidates(results, name) if not candidate.exists())


def _candidates(results: Path, name: str) -> Iterator[Path]:
    return (results / (name if count == 1 else f"{name}-{count}") for count in itertools.count(1))
