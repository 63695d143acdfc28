"""List the skills below a folder: which can be searched, which are enabled but blocked, which are disabled.

A skill that cannot be read is an entry like every other; one broken package must not hide the rest of a bank.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from automl.config_files import read_document
from automl.errors import ConfigurationError
from automl.regular_file import found_in
from automl.skill.layout import NOTHING, find_files, found_at, is_skill
from automl.skill.load import load_skill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.skill.model import Skill

_MAX_DEPTH = 6


class SkillStatus(StrEnum):
    """What can be done with a skill."""

    RUNNABLE = "runnable"
    """Enabled, and its train action has a schema and a template."""
    BLOCKED = "blocked"
    """Enabled, but something that a search needs is missing."""
    DISABLED = "disabled"
    """Not enabled: it is trained once."""
    UNREADABLE = "unreadable"
    """Its description cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """One skill of a bank.

    Attributes:
        name: The skill's name, or its folder's.
        network_arch: Its architecture; empty where unreadable.
        reason: Why it has its status, in one line; empty for runnable skills.
    """

    name: str
    path: Path
    network_arch: str
    status: SkillStatus
    reason: str


def list_skills(root: str | Path) -> tuple[CatalogEntry, ...]:
    """List every skill below a folder, sorted by path.

    Raises:
        ConfigurationError: the folder is not there.
    """
    folder = Path(root)
    if not folder.is_dir():
        expected, subject = "a folder of skills", "the list of skills"
        raise ConfigurationError.single(
            subject, where=str(root), found=found_in(folder), expected=expected, fix="check the path"
        )
    return tuple(_entry(path) for path in sorted(_find(folder, _MAX_DEPTH)))


def describe(skill: Skill) -> CatalogEntry:
    """Return the catalog entry of a skill that was read."""
    status, reason = _status(skill)
    return CatalogEntry(name=skill.name, path=skill.root, network_arch=skill.network_arch, status=status, reason=reason)


def _find(folder: Path, depth: int) -> Iterator[Path]:
    if is_skill(folder):
        yield folder
        return
    if depth == 0:
        return
    try:
        children = [child for child in folder.iterdir() if child.is_dir() and not child.is_symlink()]
    except OSError:
        return
    for child in children:
        if not child.name.startswith("."):
            yield from _find(child, depth - 1)


def _entry(path: Path) -> CatalogEntry:
    try:
        return describe(load_skill(path))
    except ConfigurationError as error:
        first, *others = error.problems
        more = f" (and {len(others)} more)" if others else ""
        reason = f"{first.where}: {first.found}, expected {first.expected}{more}"
        return CatalogEntry(name=path.name, path=path, network_arch="", status=SkillStatus.UNREADABLE, reason=reason)


def _status(skill: Skill) -> tuple[SkillStatus, str]:
    if not skill.automl_enabled:
        return SkillStatus.DISABLED, "automl_enabled is not true"
    if "train" not in skill.actions:
        return SkillStatus.BLOCKED, "no train action"
    names, places = ("train schema", "train template"), find_files(skill.root).expected("train")
    files = zip(names, (skill.schemas, skill.templates), places, strict=True)
    missing = {name: found_at(place, skill.root) for name, known, place in files if "train" not in known}
    if missing:
        others = [f"({found})" for found in missing.values() if found != NOTHING]
        return SkillStatus.BLOCKED, " ".join((f"no {' and no '.join(missing)}", *others))
    try:
        schema = read_document(skill.schemas["train"])
    except ConfigurationError as error:
        return SkillStatus.BLOCKED, f"unreadable train schema: {error.problems[0].found}"
    if not isinstance(schema, dict):
        return SkillStatus.BLOCKED, "unreadable train schema: not an object"
    return SkillStatus.RUNNABLE, ""
