"""The files of a user's own code: a script, or the modules of a function, with what they import.

Imports are read from the source; nothing is imported and nothing is run. Only modules below the folders that are
searched count, so not those of the standard library and not installed ones. A trial is a process of its own and reads
these files when it starts, so a change of one makes it another program.
"""

from __future__ import annotations

import ast
import hashlib
from collections import deque
from typing import TYPE_CHECKING

from automl.config_files import read_regular
from automl.errors import ConfigurationError
from automl.regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

_MOST_FILES = 300
"""So many files are searched for imports: parsing them takes about a second."""
GONE = "not there"
"""In place of a digest."""

_UNREADABLE = (ConfigurationError, SyntaxError, UnicodeDecodeError, ValueError, RecursionError)


def with_imports(files: Iterable[Path], roots: Sequence[Path]) -> Iterator[Path]:
    """Yield sources and the modules beside them, or below the roots, that they import, directly or not."""
    pending = deque(dict.fromkeys(files))
    seen, searched = {*pending}, 0
    while pending:
        here = pending.popleft()
        yield here
        tree = parsed(here) if searched < _MOST_FILES else None
        searched += 1
        for folders, name in _imported(tree, here, roots) if tree is not None else ():
            found = [one for one in imported_files(name, folders) if one not in seen]
            seen.update(found)
            pending.extend(found)


def imported_files(name: str, folders: Iterable[Path]) -> tuple[Path, ...]:
    """Return the file of a module, with those of the packages that it lies in, in the first folder that has it."""
    parts = name.split(".")
    for folder in folders:
        base = folder.joinpath(*parts)
        module = next((f for f in (base.with_suffix(".py"), base / "__init__.py") if parts[-1] and f.is_file()), None)
        if module is not None:
            packages = [folder.joinpath(*parts[:count], "__init__.py") for count in range(1, len(parts))]
            return (module, *(package for package in packages if package.is_file()))
    return ()


def parsed(file: Path) -> ast.Module | None:
    """Return the tree of a source file of Python; None where it cannot be read."""
    if file.suffix != ".py":
        return None
    try:
        return _parsed(file)
    except _UNREADABLE:
        return None


def why_unread(file: Path) -> str:
    """Return why a source file of Python cannot be read; empty where it can."""
    try:
        _parsed(file)
    except ConfigurationError as error:
        return error.problems[0].found
    except SyntaxError as error:
        return f"{error.msg} in line {error.lineno}"
    except _UNREADABLE as error:
        return str(error)
    return ""


def _parsed(file: Path) -> ast.Module:
    return ast.parse(read_regular(file).decode("utf-8-sig"))


def digests(files: Mapping[str, Path]) -> dict[str, str]:
    """Return the SHA-256 of files by their names; `GONE` for one that cannot be read."""
    return {name: _digest(file) for name, file in files.items()}


def _digest(file: Path) -> str:
    try:
        with open_regular(file) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return GONE


def named(files: Iterable[Path], roots: Iterable[Path]) -> dict[str, Path]:
    """Return files by their names below the innermost root; elsewhere by their own names, or paths where two agree."""
    innermost = sorted(roots, key=lambda root: -len(root.parts))
    found: dict[str, Path] = {}
    for file in files:
        root = next((root for root in innermost if file.is_relative_to(root)), file.parent)
        name = file.relative_to(root).as_posix()
        found[name if found.get(name, file) == file else str(file)] = file
    return found


def _imported(tree: ast.Module, file: Path, roots: Sequence[Path]) -> Iterator[tuple[tuple[Path, ...], str]]:
    """Yield each module that a source may import, with the folders that it is searched in."""
    folders = tuple(dict.fromkeys((file.parent, *roots)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((folders, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            level = node.level - 1
            places = folders if level < 0 else ([file.parent, *file.parent.parents][level : level + 1])
            start = f"{node.module}." if node.module else ""
            names = [start + alias.name for alias in node.names]
            yield from ((tuple(places), name) for name in ([node.module] if node.module else []) + names)
