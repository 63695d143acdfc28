"""Extras of the packages whose programs are started: a program is there without its extra, and cannot do its work."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from packaging.requirements import Requirement

from automl.launch.entry import find_entry


@dataclass(frozen=True, slots=True)
class MissingExtra:
    """An extra that a console script needs and that is not installed as a whole.

    Attributes:
        name: With its distribution: ``automl-vision[depth]``.
        packages: Those of it that are not there.
    """

    name: str
    packages: tuple[str, ...]


def missing_extra(program: str) -> MissingExtra | None:
    """Return the extra that a console script of this environment names after its function, if a part of it is missing.

    ``depth_net = depth_net.cli:main [depth]``: without it the program is there, and cannot do its work.
    """
    entry = find_entry(program)
    if entry is None or entry.dist is None:
        return None
    for extra in entry.extras:
        named = [Requirement(text) for text in entry.dist.requires or ()]
        of_extra = [one.name for one in named if one.marker is not None and one.marker.evaluate({"extra": extra})]
        if missing := tuple(name for name in of_extra if not _is_installed(name)):
            return MissingExtra(f"{entry.dist.name}[{extra}]", missing)
    return None


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
