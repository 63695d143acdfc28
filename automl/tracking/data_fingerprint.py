"""What data were, as a short text: a digest that changes with them and is cheap enough to take before every study.

| data | digest | covers |
|---|---|---|
| a file of up to 256 MiB | ``sha256:...`` | every byte |
| a larger file | ``sampled:...`` | its size, and 4 KiB at each of 256 places, spread evenly |
| a folder | ``files:...`` | path and size of every file in it, first and last 4 KiB of 256 of them, spread evenly |
| a list that names files that are there | ``listed:...`` | every byte of the list, and of those files as of a folder |

Times do not count, nor where the data lie: a copy has the same digest. Of a list the first 32 MiB are searched for
names. Of more than 200 000 names so many count, spread evenly. What these files name is not looked at.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from automl.regular_file import open_regular
from automl.spec.sample_lists import SUFFIXES, names_in, spellings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from hashlib import _Hash

_One = TypeVar("_One")

KINDS = ("sha256:", "sampled:", "files:", "listed:")

# An archive of images would be read for minutes before the first trial.
_HASHED_BYTES = 256 * 1024 * 1024
# Listing 10 000 folders takes about a second on a local disk.
_LISTED_FOLDERS = 10_000
_LISTED_BYTES = 32 * 1024 * 1024
# Looking at 200 000 files takes about a second on a local disk.
_LISTED_FILES = 200_000
_SAMPLES = 256
_SAMPLE_BYTES = 4096


def fingerprint(path: Path) -> str:
    """Return ``<kind>:<digest> <path>``; of what cannot be read, and of what is neither file nor folder, the path."""
    with contextlib.suppress(OSError):  # the trials will say what is wrong with it
        if path.is_dir():
            return f"files:{_digest_of_folder(path)} {path}"
        if path.is_file() and path.stat().st_size > _HASHED_BYTES:
            return f"sampled:{_digest_of_large(path)} {path}"
        if path.suffix.lower() in SUFFIXES and path.is_file() and (digest := _digest_of_list(path)) is not None:
            return f"listed:{digest} {path}"
        if path.is_file():
            with open_regular(path) as stream:
                return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()} {path}"
    return str(path)


def evaluation_data(environment: Mapping[str, str], changed: Collection[str] = ()) -> str:
    """Return on what a study's values were measured: ``rooms/val.txt sha256:<digest>``, wherever the folder lies.

    That are its validation data, or all its data where the trainer splits them itself; empty where none are known.

    Args:
        environment: `StudyStarted.environment`.
        changed: Names in it of what has changed during the study; they equal nothing.
    """
    texts = {
        name: f"{text}, which has changed during the study" if name in changed else text
        for name, text in environment.items()
        if name.startswith("data.")
    }
    chosen = {name: text for name, text in texts.items() if "val" in name.lower()} or texts
    return "; ".join(sorted(map(_short, chosen.values())))


def _short(text: str) -> str:
    digest, _, path = text.partition(" ")
    is_digest = path and digest.startswith((*KINDS, "names:"))  # as earlier versions named that of a folder
    return f"{Path(path).parent.name}/{Path(path).name} {digest}" if is_digest else text


def _digest_of_large(file: Path) -> str:
    size = file.stat().st_size
    digest = hashlib.sha256(f"{size}\n".encode())
    with open_regular(file) as stream:
        for number in range(_SAMPLES):
            stream.seek((size - _SAMPLE_BYTES) * number // (_SAMPLES - 1))
            digest.update(stream.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def _digest_of_folder(folder: Path) -> str:
    digest = hashlib.sha256()
    _add_files(digest, folder, list(_files(folder)))
    return digest.hexdigest()


def _digest_of_list(file: Path) -> str | None:
    """Return the digest of a list and of what it names; None where no file is there that it names."""
    with open_regular(file) as stream:
        text = stream.read(_LISTED_BYTES)
        digest = hashlib.sha256(text)
        digest.update(stream.read())
    is_wide = text.startswith((BOM_UTF16_BE, BOM_UTF16_LE))
    decoded = text.decode("utf-16", errors="replace") if is_wide else text.decode("utf-8-sig", errors="surrogateescape")
    names = names_in(decoded, file.suffix.lower())
    files = list(_named_files(file.parent, _spread(names, _LISTED_FILES)))
    _add_files(digest, file.parent, files)
    return digest.hexdigest() if files else None


def _add_files(digest: _Hash, folder: Path, files: Sequence[tuple[str, int]]) -> None:
    """Add path and size of all files, and first and last bytes of some."""
    for name, size in files:
        digest.update(os.fsencode(f"{name}\n{size}\n"))
    for name, size in _spread(files, _SAMPLES):
        with contextlib.suppress(OSError), open_regular(folder / name) as stream:
            digest.update(stream.read(_SAMPLE_BYTES))
            stream.seek(max(_SAMPLE_BYTES, size - _SAMPLE_BYTES))
            digest.update(stream.read(_SAMPLE_BYTES))


def _spread(found: Sequence[_One], most: int) -> Sequence[_One]:
    """Return at most so many, spread evenly."""
    return found if len(found) <= most else [found[len(found) * number // most] for number in range(most)]


def _named_files(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Yield path and size of the regular files that a list in that folder names, in its order."""
    start = f"{os.fspath(folder)}/"
    for name in names:
        for each in spellings(name):
            with contextlib.suppress(OSError, ValueError):  # not there, or no name of a file
                found = os.stat(each if each[:1] == "/" else start + each)  # noqa: PTH116 # no Path for each
                if stat.S_ISREG(found.st_mode):
                    yield each, found.st_size
                    break


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield path and size of the regular files below a folder, always in the same order; links are followed."""
    seen, start = set[tuple[int, int]](), len(os.fspath(folder)) + 1
    for root, folders, names in islice(os.walk(folder, followlinks=True), _LISTED_FOLDERS):
        place = os.stat(root)  # noqa: PTH116 # no Path for each of 100 000 files
        if (place.st_dev, place.st_ino) in seen:
            folders.clear()  # a link back
            continue
        seen.add((place.st_dev, place.st_ino))
        folders.sort()  # in place: `os.walk` goes on with it
        for name in sorted(names):
            path = f"{root}/{name}"
            with contextlib.suppress(OSError):
                found = os.stat(path)  # noqa: PTH116
                if stat.S_ISREG(found.st_mode):
                    yield path[start:], found.st_size
