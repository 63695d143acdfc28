"""The id of a study at MLflow servers: kept where the study is moved, another one where it is a copy.

The file holds 32 hexadecimal digits, the directory for which they were made, quoted, and a check. Versions before noted
no directory. A study that lies elsewhere now was moved, unless another one has the same id: the one in that directory,
or one in the same results folder. Of those the original is the one that lies where its file says, else the one with the
name of that directory, else the one whose file is oldest: no copy keeps the time at which the system made the file.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from automl.errors import ConfigurationError
from automl.regular_file import followed, read_regular_file
from automl.storage.documents import checksum, study_error, torn_file, write_text
from automl.storage.own_folders import study_around
from automl.storage.paths import StudyPaths, find_studies, make_folder
from automl.storage.portable import made_portable

NAME = "study_id"


@dataclass(frozen=True, slots=True)
class StudyId:
    """What the file of a study holds.

    Attributes:
        digits: The id, 32 hexadecimal digits.
        home: The directory for which it was made, absolute and without links; None where that was not noted.
        file: That was read.
    """

    digits: str
    home: Path | None
    file: Path


def read_study_id(study: StudyPaths) -> StudyId | None:
    """Return the id of a study; None before its first use. No link is followed to that of another study.

    Raises:
        ConfigurationError: it cannot be read, was changed, or is that of another study.
    """
    for file in (study.mlflow / NAME, study.outbox / NAME):
        try:
            _require_own(file, study)
            digits, *more = read_regular_file(file).decode(errors="replace").split() or [""]
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _torn_id(file, str(error.strerror)) from error
        home = more[0] if len(more) > 1 else ""
        check = [checksum(f"{digits} {home}".rstrip())]
        if not re.fullmatch("[0-9a-f]{32}", digits) or more not in ([], [*([home] if home else []), *check]):
            raise _torn_id(file, "it is not what was written")
        return StudyId(digits, Path(os.fsdecode(unquote_to_bytes(home))) if home else None, file)
    return None


def write_study_id(study: StudyPaths, digits: str) -> None:
    """Write the id of a study, made for the directory where the study lies.

    Raises:
        OSError: the folder cannot be written.
    """
    text = f"{digits} {quote(os.fsencode(followed(study.root)))}"
    make_folder(study.mlflow, below=study.root)
    write_text(study.mlflow / NAME, f"{text} {checksum(text)}\n")


def is_noted(study: StudyPaths, known: StudyId) -> bool:
    """Tell whether the directory in the file of a study is to stay there: it lies there, or its original does."""
    return known.home is not None and (_is_same(known.home, study.root) or _may_have(known.home, known))


def original_of(study: StudyPaths, tracking_uri: str) -> Path | None:
    """Return the directory of the study of which this one is a copy, as far as a store of MLflow has both; else None.

    A sqlite store in the results folder is copied with it: there the runs of the copy are its own.

    Raises:
        ConfigurationError: the id cannot be read.
    """
    known = read_study_id(study)
    if known is None or (known.home is not None and _is_same(known.home, study.root)):
        return None
    results, home = study.root.parent, known.home
    has_own_store = made_portable(tracking_uri, study.root, results) != tracking_uri
    if home is not None and _may_have(home, known) and not (has_own_store and not _is_same(home.parent, results)):
        return home
    alike = [(study.root, known)]
    for other in find_studies(results):
        found = _id_of(other)
        if found is not None and found.digits == known.digits and not _is_same(other.root, study.root):
            alike.append((other.root, found))
    original = min(alike, key=lambda one: _order(*one))[0]
    return None if original == study.root else original


def _order(root: Path, known: StudyId) -> tuple[bool, bool, int, Path]:
    is_at_home = known.home is not None and _is_same(known.home, root)
    has_name = known.home is not None and known.home.name == root.name
    try:
        made_ns = known.file.stat().st_ctime_ns
    except OSError:
        made_ns = 0
    return not is_at_home, not has_name, made_ns, root


def _may_have(home: Path, known: StudyId) -> bool:
    """Tell whether another study with an id is in a directory; in doubt it is, so that no runs are taken from it."""
    try:
        home.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    try:
        found = read_study_id(StudyPaths(home))
    except ConfigurationError:
        return True
    return found is not None and found.digits == known.digits


def _id_of(study: StudyPaths) -> StudyId | None:
    try:
        return read_study_id(study)
    except ConfigurationError:
        return None


def _is_same(one: Path, other: Path) -> bool:
    """Tell whether two paths lead to one folder; of one file system that is mounted twice too."""
    try:
        first, second = one.stat(), other.stat()
    except OSError:
        return False
    # Mounted twice, its devices may have two numbers; no copy has the time of the last change too.
    is_same_device = first.st_dev == second.st_dev
    return first.st_ino == second.st_ino and (is_same_device or first.st_ctime_ns == second.st_ctime_ns)


def _require_own(file: Path, study: StudyPaths) -> None:
    """Refuse an id that a link leads to.

    Raises:
        ConfigurationError: it is a link, or lies behind a link to a folder of another study.
    """
    if not file.is_symlink() and study_around(file.parent) in {None, followed(study.root)}:
        return
    found = f"a link to {followed(file)}, which is not followed: runs of another study would be taken for its own"
    fix = "delete the link, and the study is recorded under an id of its own; or put back the file that was there"
    raise study_error(file, found, "a file of this study", fix)


def _torn_id(file: Path, error: str) -> ConfigurationError:
    fix = "restore it from a copy; without it, the study would be recorded a second time"
    return torn_file(file, error, "32 hexadecimal digits and their check", fix)
