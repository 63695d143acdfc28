"""Delete what belongs to a study, or move it to the trash: no other module does, as `python -m tests.deletions` checks.

A path is resolved, and has to lie in the folder that it is deleted from. What lies behind a link out of the study is
deleted only if the link stood there when the study began and the study has recorded the file
(`TrialResult.files_behind_links`). A link itself is removed, never what it leads to.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from automl.regular_file import followed
from automl.storage.held_study import require_held
from automl.storage.paths import TRASH

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path


def real_path(path: Path) -> Path:
    """Return where a file, folder or link lies, without links on the way; a link itself is not followed."""
    return followed(path.parent) / path.name


def links_out_of(study: Path) -> dict[str, str]:
    """Return the links that lead out of a study directory: the directory itself, what lies in it, and trials.

    Returns:
        Path relative to the directory (``.`` for itself) -> the real path that the link leads to.
    """
    real = followed(study)
    found = [study, *study.iterdir(), *(study / "trials").glob("*")]
    links = {path.relative_to(study).as_posix(): followed(path) for path in found if path.is_symlink()}
    return {name: str(path) for name, path in links.items() if name == "." or not path.is_relative_to(real)}


def is_deletable(path: Path, *, inside: Path, recorded: Collection[str] = ()) -> bool:
    """Tell whether a path may be deleted, as far as it depends on where it lies; see `delete`."""
    real = real_path(path)
    is_inside = inside in real.parents and TRASH not in real.relative_to(inside).parts[:-1]
    return path.name not in {"", ".."} and (is_inside or str(real) in recorded)


def delete(path: Path, *, inside: Path, recorded: Collection[str] = ()) -> None:
    """Delete a file, a folder or a link, unless it is gone.

    Args:
        path: What to delete.
        inside: The folder that it has to lie in, a real path: a study directory, mostly.
        recorded: Real paths outside that may be deleted too.

    Raises:
        PermissionError: it lies elsewhere, for example behind a link.
        OSError: it cannot be deleted, or its folder is no longer that of the study which this process holds.
    """
    require_held(path.parent)
    if not (path.exists() or path.is_symlink()):
        return
    with _parent(path, inside, recorded) as folder:
        if stat.S_ISDIR(os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_mode):
            try:
                shutil.rmtree(path.name, dir_fd=folder)
            except RecursionError:
                _remove_deep(path.name, folder)
        else:
            os.unlink(path.name, dir_fd=folder)


def move_to_trash(path: Path, *, inside: Path, moment: str, recorded: Collection[str] = ()) -> None:
    """Move a file, folder or link into the trash of its folder, below a folder named after the moment; never copy it.

    Raises:
        PermissionError: it lies elsewhere, for example behind a link.
        OSError: it is gone or cannot be moved, as over the end of a file system, or the trash is no folder.
    """
    real = real_path(path)
    owner = inside if inside in real.parents else real.parent
    _require_trash(owner)
    target = owner / TRASH / moment / real.relative_to(owner)
    with _parent(path, inside, recorded) as source, _opened(target.parent, is_made=True) as folder:
        os.rename(path.name, target.name, src_dir_fd=source, dst_dir_fd=folder)


def purge(owner: Path) -> None:
    """Delete the trash of a folder, a real path, for good.

    Raises:
        OSError: it cannot be deleted, or is no folder.
    """
    _require_trash(owner)
    delete(owner / TRASH, inside=owner)


def in_place_of_trash(owner: Path) -> str:
    """Return what is there in place of the trash of a folder; nothing where that is a folder or not made yet."""
    trash = owner / TRASH
    if trash.is_symlink():
        return f"a link to {trash.readlink()}"
    return "a file" if trash.exists() and not trash.is_dir() else ""


def _require_trash(owner: Path) -> None:
    if found := in_place_of_trash(owner):
        raise NotADirectoryError(errno.ENOTDIR, f"{owner / TRASH} is {found}, and no folder")


def _remove_deep(name: str, parent: int) -> None:
    """Remove a folder of any depth: what is below a folder in it is moved up beside it first, and removed then."""
    waiting = [name]
    while waiting:
        current = waiting.pop()
        folder = os.open(current, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        try:
            with os.scandir(folder) as entries:
                found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
            for below, is_folder in found:
                if is_folder:
                    waiting.append(f".deleted-{secrets.token_hex(8)}")
                    os.rename(below, waiting[-1], src_dir_fd=folder, dst_dir_fd=parent)
                else:
                    os.unlink(below, dir_fd=folder)
        finally:
            os.close(folder)
        os.rmdir(current, dir_fd=parent)


@contextmanager
def _parent(path: Path, inside: Path, recorded: Collection[str]) -> Iterator[int]:
    """Open the folder of a path that may be deleted."""
    if not is_deletable(path, inside=inside, recorded=recorded):
        where = f"{path} (it lies outside of {inside}, as {real_path(path)})"
        raise PermissionError(errno.EPERM, "not deleted", where)
    with _opened(real_path(path).parent) as folder:
        yield folder


@contextmanager
def _opened(folder: Path, *, is_made: bool = False) -> Iterator[int]:
    """Open a folder, a real path: whoever replaces a part of it by a link meanwhile gets an error."""
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
    handle = os.open(folder.anchor, flags)
    try:
        for part in folder.parts[1:]:
            if is_made:
                with suppress(FileExistsError):
                    os.mkdir(part, mode=0o700, dir_fd=handle)
            below = os.open(part, flags, dir_fd=handle)
            os.close(handle)
            handle = below
        yield handle
    finally:
        os.close(handle)
