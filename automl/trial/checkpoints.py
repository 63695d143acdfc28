"""Find the file that a trainer saved at an epoch, and recognise files that are incomplete.

Checkpoint naming differs per trainer (`checkpoints` in the file of an architecture), but nearly all put the epoch into
the name and keep a link or a copy called "latest". A "latest" file is never the checkpoint of an epoch: it changes
while it is read.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import zipfile
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from automl.readers.folder_search import walk
from automl.readers.growing_file import GrowingFile
from automl.readers.metric_file import epoch_of_state
from automl.readers.status_file import loaded
from automl.regular_file import followed
from automl.storage.paths import AttemptPaths
from automl.storage.trainer_files import can_open, files_below, open_made, refuse
from automl.visible_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automl.architectures.model import CheckpointNaming

_DEEPEST_FOLDER = 5
_MOST_LINKED = 1000
"""Names that are looked at in a linked folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One checkpoint on disk: an absolute path, the zero-based epoch after which it was saved, and optimiser steps."""

    path: Path
    epoch: int
    step: int


def list_checkpoints(directory: Path, naming: CheckpointNaming) -> tuple[Checkpoint, ...]:
    """Return the checkpoints of epochs below a directory: by epoch, then by step; links and torn files are left out.

    Of two names for one file (a link and its target) only the file itself is listed.
    """
    found = [
        Checkpoint(
            path=path,
            epoch=max(int(match["epoch"]) - naming.first_epoch, 0),
            step=int(match.groupdict().get("step") or 0),
        )
        for path, match in _named(directory, naming.epoch_names, is_folder=naming.is_folder)
        if is_whole(path)
    ]
    found += _with_state(directory, naming)
    named = {checkpoint.path for checkpoint in found}
    found += [c for c in _reported(directory, naming.first_epoch) if c.path not in named and is_whole(c.path)]
    return _with_content_of_their_own(sorted(found, key=lambda c: (c.epoch, c.step, str(c.path))))


def _with_content_of_their_own(checkpoints: list[Checkpoint]) -> tuple[Checkpoint, ...]:
    """Leave out the checkpoints that are names of one file with a later one: it holds that one's weights."""
    latest: dict[tuple[int, int], Checkpoint] = {}
    for checkpoint in checkpoints:
        with contextlib.suppress(OSError):  # it has been deleted meanwhile
            status = checkpoint.path.stat()
            latest[status.st_dev, status.st_ino] = checkpoint
    return tuple(checkpoint for checkpoint in checkpoints if checkpoint in latest.values())


def last_epoch(directory: Path, naming: CheckpointNaming) -> int | None:
    """Return the last epoch with a checkpoint; None without one."""
    found = list_checkpoints(directory, naming)
    return found[-1].epoch if found else None


def all_checkpoints(directory: Path, naming: CheckpointNaming) -> tuple[Path, ...]:
    """Return all files or folders below a directory with the name of a checkpoint, torn and "best" ones too."""
    numbered = _named(directory, naming.epoch_names, is_folder=naming.is_folder)
    best = _named(directory, naming.best_names, is_folder=False)
    stepped = _named(directory, naming.state_folders, is_folder=True)
    reported = [checkpoint.path for checkpoint in _reported(directory, naming.first_epoch)]
    listed = [path for found in (numbered, stepped, best) for path in sorted(path for path, _ in found)]
    return tuple(dict.fromkeys([*listed, *reported]))


def latest_links(folder: Path) -> dict[Path, Path]:
    """Return the links called "latest" below a folder, and what each leads to."""
    return {link: followed(link) for link in files_below(folder, "*latest*") if link.is_symlink()}


def checkpoint_of_epoch(directory: Path, naming: CheckpointNaming, epoch: int) -> Path | None:
    """Return the file or folder saved after an epoch, never a "latest" one; None where there is none.

    Of several files of one epoch the one with the most steps counts: it is the epoch's end. Where a trainer keeps no
    file of any epoch, the one that it names its best counts.
    """
    numbered = list_checkpoints(directory, naming)
    of_epoch = [c for c in numbered if c.epoch == epoch]
    if of_epoch:
        return of_epoch[-1].path
    return None if numbered else best_file(directory, naming)


def best_file(directory: Path, naming: CheckpointNaming) -> Path | None:
    """Return the file that the trainer itself names its best, in the order of ``best_names``; None if there is none."""
    found = _named(directory, naming.best_names, is_folder=False)
    ordered = sorted((naming.best_names.index(match.re.pattern), path) for path, match in found)
    return next((path for _, path in ordered if is_whole(path)), None)


def refuse_unusable(directory: Path, naming: CheckpointNaming, epoch: int) -> None:
    """Remember as refused what has the name of the checkpoint of an epoch, or of the best one, and cannot be it.

    A link is no checkpoint anywhere, since trainers give one file several names: it is refused only where an epoch has
    no other.
    """
    names = [(pattern, naming.is_folder) for pattern in naming.epoch_names]
    names += [(pattern, True) for pattern in naming.state_folders] + [(pattern, False) for pattern in naming.best_names]
    for path, link in _with_linked(directory):
        below = path.relative_to(directory).as_posix()
        found = next(((match, is_folder) for p, is_folder in names if (match := _fits(p, path.name, below))), None)
        if found is None or "latest" in path.name.lower():
            continue
        match, is_folder = found
        is_of_epoch = "epoch" not in match.groupdict() or max(int(match["epoch"]) - naming.first_epoch, 0) == epoch
        if is_of_epoch and (problem := _why_unusable(directory, path, link, is_folder=is_folder)):
            refuse(directory, path, problem)


def _with_linked(directory: Path) -> Iterator[tuple[Path, Path | None]]:
    """Yield all that lies below a directory, and with its link what lies in a linked folder: a part, it may be data."""
    for here, folders, files in walk(directory, deepest=_DEEPEST_FOLDER):
        yield from ((here / name, None) for name in (*folders, *files))
        for link in (here / name for name in folders if (here / name).is_symlink()):
            with contextlib.suppress(OSError), os.scandir(link) as entries:
                yield from ((link / entry.name, link) for entry in islice(entries, _MOST_LINKED))


def _why_unusable(directory: Path, path: Path, link: Path | None, *, is_folder: bool) -> str:
    """Return why what has the name of a checkpoint is none; empty where that is remembered, or it is one."""
    if link is not None or path.is_symlink():
        is_inside = followed(path).is_relative_to(followed(directory))
        what = "is a link" if link is None else f"lies behind the link {one_line(link.name)}"
        return (
            what if is_inside else f"{what} to a {'file' if link is None else 'folder'} outside the folder of its trial"
        )
    if path.is_dir() != is_folder:
        return "is a file, not a folder" if is_folder else "is a folder, not a file"
    return "" if is_whole(path) or any(files_below(path)) else "was not written to its end"


def is_whole(path: Path) -> bool:
    """Return whether a checkpoint was written to its end, as far as its format shows it.

    Zip archives (what torch writes) end with their directory and safetensors files state their length, so a partial
    file is recognised. Other files count as whole when they are not empty, folders when they contain something, and
    nothing that may not be opened (see `automl.storage.trainer_files`).
    """
    try:
        if path.is_dir():
            files = list(files_below(path))
            return bool(files) and all(can_open(path, file) for file in files)
        with open_made(path.parent, path) as stream:
            size = os.fstat(stream.fileno()).st_size
            head = stream.read(8)
            if head.startswith(b"PK\x03\x04"):
                return zipfile.is_zipfile(stream)
        if path.suffix == ".safetensors":
            return len(head) == len(b"12345678") and size > 8 + int.from_bytes(head, "little")
    except OSError:
        return False
    return size > 0


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder.

    Raises:
        OSError: it cannot be read, or its path holds a zero byte.
    """
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "its path holds a zero byte", str(path))
    if not path.is_dir():
        return path.stat().st_size
    return sum(file.stat().st_size for file in files_below(path) if file.is_file())


def _with_state(directory: Path, naming: CheckpointNaming) -> list[Checkpoint]:
    """Return the checkpoints of Transformers: folders named by steps, with the epoch in their `STATE_FILE`."""
    found = []
    for path, match in _named(directory, naming.state_folders, is_folder=True):
        epoch = epoch_of_state(path)
        if epoch is not None and is_whole(path):
            found.append(Checkpoint(path=path, epoch=epoch, step=int(match.groupdict().get("step") or 0)))
    return found


def _reported(directory: Path, first_epoch: int) -> list[Checkpoint]:
    """Return the checkpoints that the program has named itself, by `automl.report`, and has not written anew since.

    Of a file that it names at several epochs the last one counts.
    """
    latest: dict[Path, Checkpoint] = {}
    for line in GrowingFile(AttemptPaths(directory).checkpoints_file, directory).finish():
        match loaded(line):
            case {"path": str(name), "epoch": int(epoch), "size": int(size), "mtime_ns": int(mtime_ns)}:
                path = directory.absolute() / name
                if path.is_relative_to(directory.absolute()) and ".." not in path.parts and not path.is_symlink():
                    latest.pop(path, None)
                    if not followed(path).is_relative_to(followed(directory)):
                        refuse(directory, path, "lies behind a link to a folder outside the folder of its trial")
                    elif _is_unchanged(path, size, mtime_ns):
                        latest[path] = Checkpoint(path=path, epoch=max(epoch - first_epoch, 0), step=0)
            case _:
                pass
    return list(latest.values())


def _is_unchanged(path: Path, size: int, mtime_ns: int) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return path.is_dir() or (status.st_size, status.st_mtime_ns) == (size, mtime_ns)


def _named(directory: Path, patterns: tuple[str, ...], *, is_folder: bool) -> Iterator[tuple[Path, re.Match[str]]]:
    """Yield what lies below a directory, is no link and has a name that one of the patterns matches."""
    for here, folders, files in walk(directory, deepest=_DEEPEST_FOLDER):
        for name in folders if is_folder else files:
            path = here / name
            below = path.relative_to(directory).as_posix()
            match = next((found for pattern in patterns if (found := _fits(pattern, name, below))), None)
            if match is not None and "latest" not in name.lower() and not path.is_symlink():
                yield path.absolute(), match


def _fits(pattern: str, name: str, below: str) -> re.Match[str] | None:
    """Match a name; by a pattern with folders, the end of the path below the directory."""
    folders = pattern.replace("[^/]", "").count("/")
    if not folders:
        return re.fullmatch(pattern, name)
    parts = below.split("/")
    return re.fullmatch(pattern, "/".join(parts[-folders - 1 :])) if len(parts) > folders else None
