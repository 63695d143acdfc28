"""Which host paths a trial reads: those in its spec, and those in the annotation files that the spec names.

A container sees only what is mounted, and an annotation file usually lists images that lie elsewhere. Paths that every
image has, such as those below /usr, are never mounted.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from automl.regular_file import followed, open_regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from automl.skill.model import JsonValue

_LISTS = {".txt", ".csv", ".json", ".jsonl", ".yaml", ".yml", ".lst", ".tsv"}
_SAMPLED_BYTES = 256 * 1024
_SAMPLED_PATHS = 500
# A quoted path may contain anything; an unquoted one ends at the end of its column.
_ABSOLUTE = re.compile(r"\"(/[^\"\n]+)\"|(/[^\s,;\"'\[\]{}|]+)")
_IMAGE_PATHS = ("/usr", "/etc", "/proc", "/sys", "/dev", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/boot")
_NEVER_WHOLE = {Path(name) for name in ("/", "/tmp", "/var", "/home", "/root", "/opt", "/run", "/srv", "/workspace")}  # noqa: S108 # only compared


def readable_paths(spec: Mapping[str, JsonValue], further: Iterable[str] = (), *, own: Path) -> tuple[Path, ...]:
    """Return the host paths that a trial has to read, none of them inside another, sorted.

    Args:
        spec: Every string in it that is an absolute path and exists here counts.
        further: What the user names.
        own: The trial's folder, which is mounted anyway.
    """
    named = {Path(text) for text in _texts(dict(spec)) if text.startswith("/") and _is_there(Path(text))}
    wanted = {Path(path).expanduser().absolute() for path in further}
    for path in sorted(named):
        if path.is_file() and path.suffix.lower() in _LISTS:
            # Entries of a list are often relative to it.
            wanted |= {path.parent, *_folders_listed(path)} if path.parent not in _NEVER_WHOLE else {path}
        else:
            wanted.add(path)
    left_out = (own, *_IMAGE_PATHS)
    kept = {path for path in wanted - _NEVER_WHOLE if not any(path.is_relative_to(root) for root in left_out)}
    return tuple(sorted(path for path in kept if not any(parent in kept for parent in path.parents)))


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _folders_listed(file: Path) -> set[Path]:
    """Return the folders of the paths in the first part of a list."""
    with open_regular(file) as stream:
        text = stream.read(_SAMPLED_BYTES).decode("utf-8", "replace")
    found: set[Path] = set()
    for count, match in enumerate(_ABSOLUTE.finditer(text)):
        if count >= _SAMPLED_PATHS:
            break
        path = Path(match[1] or match[2])
        if path.parent not in found and _is_there(path):
            # A link is followed inside the container too, so its target must be mounted.
            found |= {path.parent, followed(path).parent}
    return found


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
