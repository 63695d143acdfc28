"""Refuse a link in place of a file or folder of a study that leads into another study.

A folder of a study may be a link, for example to a larger disk. Behind one to another study its files would be read,
and new ones written there.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from automl.regular_file import followed
from automl.storage.documents import study_error, token_in
from automl.storage.own_documents import token_of
from automl.storage.paths import StudyPaths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automl.errors import ConfigurationError


def study_around(path: Path) -> Path | None:
    """Return the study directory, a real path, in which a path lies, links followed; None where it lies in none."""
    real = followed(path)
    return next((folder for folder in (real, *real.parents) if StudyPaths(folder).plan_file.is_file()), None)


def require_own_folders(paths: StudyPaths) -> None:
    """Check where the links lead that are in place of what belongs to a study.

    Raises:
        ConfigurationError: one leads into another study, or the actions behind one are those of another study.
    """
    own = followed(paths.root)
    for link in paths.links():
        if study_around(link) not in {None, own}:
            raise _foreign(link)
    if paths.actions.is_symlink():
        for result in _documents_behind(paths):
            with contextlib.suppress(OSError, ValueError, RecursionError):
                if token_in(result) != token_of(paths):
                    raise _foreign(paths.actions)


def _documents_behind(paths: StudyPaths) -> Iterator[Path]:
    return (paths.action(folder.name).result_file for folder in sorted(paths.actions.glob("*-[0-9]*")))


def _foreign(link: Path) -> ConfigurationError:
    found = f"a link into another study ({followed(link)}), which is not followed"
    return study_error(link, found, "what belongs to this study", "delete the link, and put back what was there")
