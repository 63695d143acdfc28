"""Documents of a study, and no others: each has the token that the plan of the study was first given.

A copy of a study has the token of the original. A study that an earlier version began has none, nor have its documents;
in a study with a token a document without it, or without a check, is refused.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from automl.storage.documents import COMPUTED, read_with_token, study_error, token_in, torn_file, write_document

if TYPE_CHECKING:
    from pathlib import Path

    from automl.storage.paths import StudyPaths

T = TypeVar("T")


def token_of(paths: StudyPaths) -> str:
    """Return the token of a study; empty for one without a token or a plan.

    Raises:
        ConfigurationError: its plan cannot be read.
    """
    try:
        found = paths.plan_file.stat()
        return _token_in(paths.plan_file, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError, RecursionError) as error:
        raise torn_file(paths.plan_file, error, "the plan of a study", "restore it from a copy") from error


def write_own(paths: StudyPaths, file: Path, value: object, kind: Any = None) -> None:  # noqa: ANN401 # a type expression
    """Write a document of a study.

    Raises:
        OSError: it cannot be written.
        ValueError: it holds a number that is not finite.
        ConfigurationError: the plan of the study cannot be read.
    """
    write_document(file, value, kind, token=token_of(paths))


def read_own(paths: StudyPaths, file: Path, kind: type[T], *, is_portable: bool = False) -> T:
    """Read a document of a study.

    Raises:
        FileNotFoundError: there is none.
        ConfigurationError: it cannot be read, was changed, or belongs to another study; or the plan cannot be read.
    """
    value, found = read_with_token(file, kind, study=paths.root if is_portable else None)
    if found != token_of(paths):
        plan = paths.plan_file.name
        other = "of another study than that of" if found else "without the token of"
        raise study_error(file, f"a document {other} {plan}", "a document of this study, as automl wrote it", COMPUTED)
    return value


@lru_cache(maxsize=64)
def _token_in(file: Path, *_: int) -> str:
    """Return the token in a plan, read once as long as the file is the same one."""
    return token_in(file)
