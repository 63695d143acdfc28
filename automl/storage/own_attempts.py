"""Tell the folder of an attempt from that of another one, which a link, a mount or a renamed folder put in its place.

Each attempt has a token of its own, in the event log and in ``attempt.json``; before version 0.2 it has none.
"""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.storage.documents import study_error, token_in, without_check
from automl.storage.held_study import ReplacedFolderError
from automl.storage.own_documents import token_of
from automl.storage.trainer_files import read_made

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from automl.errors import ConfigurationError
    from automl.storage.paths import AttemptPaths, StudyPaths

_MOST_READ = 100
"""Folders that are looked at where the folder of all trials is a link: of another study each one differs."""

_TOKEN = "token"  # noqa: S105 # the key of it


def require_own_attempt(attempt: AttemptPaths, token: str) -> None:
    """Check that a folder is that of the attempt with a token; a trainer may have emptied it.

    Raises:
        ReplacedFolderError: it is that of another attempt.
    """
    if (found := _token(attempt)) is not None and found != token:
        text = "is the folder of another attempt now"
        raise ReplacedFolderError(errno.ESTALE, text, str(attempt.root))


def require_new_attempt(paths: StudyPaths, attempt: AttemptPaths, known: Iterable[str]) -> None:
    """Check that the folder in which an attempt is to begin is new, or left by a driver that was killed there.

    Args:
        paths: Of the study.
        attempt: The folder.
        known: Tokens of the attempts that the log names.

    Raises:
        ReplacedFolderError: it is that of another attempt, of this study or of another one.
    """
    found = _token(attempt)
    if found is not None and ((found and found in known) or token_in(attempt.start_file) != token_of(paths)):
        text = "is the folder of another attempt now"
        raise ReplacedFolderError(errno.ESTALE, text, str(attempt.root))


def require_own_links(paths: StudyPaths, starts: Mapping[int, list[dict[str, Any]]]) -> None:
    """Check that links in place of the folders of attempts lead to those that the log names.

    Args:
        paths: Of the study.
        starts: Number of a trial -> the starts of its attempts, as in the log.

    Raises:
        ConfigurationError: one leads to the folder of another attempt, or to none.
    """
    known = {paths.attempt(n, start["attempt"]): start.get(_TOKEN, "") for n, each in starts.items() for start in each}
    if paths.trials.is_symlink():
        for attempt in [*known][:: max(1, len(known) // _MOST_READ)]:
            if (found := _token(attempt)) is not None and found != known[attempt]:
                raise _error(paths.trials, "the folders of another study's trials")
    for link in linked_attempts(paths):
        number, _, attempt_number = link.name.partition(".")
        attempt = paths.attempt(int(number), int(attempt_number or 1))
        if attempt not in known or _token(attempt) != known[attempt]:
            raise _error(link, "the folder of no attempt that the log names")


def linked_attempts(paths: StudyPaths) -> Iterator[Path]:
    """Yield the folders of attempts that are links."""
    with suppress(OSError), os.scandir(paths.trials) as entries:
        yield from (Path(e.path) for e in entries if e.is_symlink() and e.name.replace(".", "", 1).isdigit())


def _token(attempt: AttemptPaths) -> str | None:
    """Return the token in a folder, empty for one of an earlier version; None where it cannot be read."""
    try:
        document, _ = without_check(json.loads(read_made(attempt.root, attempt.start_file)))
    except (OSError, ValueError, RecursionError):
        return None
    return str(document.get(_TOKEN, ""))


def _error(link: Path, what: str) -> ConfigurationError:
    found = f"a link to {what} ({link.readlink()})"
    return study_error(link, found, "the study's own folder, or a link to it", "put that back in its place")
