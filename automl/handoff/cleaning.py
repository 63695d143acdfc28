"""Find and delete what is not needed any more in a results folder.

Only studies that have ended are searched, not one that a process runs or that a resume could continue. Checkpoints that
were not handed over and files that were never finished may be deleted; best checkpoints, the Pareto front, specs, logs,
status files and the record stay. MLflow's copies in its registry are not touched.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError
from automl.handoff.best import StudyBest
from automl.skill.load import recorded_architecture
from automl.storage.documents import read_document
from automl.storage.overview import StudyRow, list_studies
from automl.storage.owner import running_process
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_study
from automl.trial.checkpoints import all_checkpoints, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_UNFINISHED = ("*.partial", ".*.part", ".*.new", ".export_*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletable:
    """Something that may be deleted.

    Attributes:
        path: File or folder.
        size: Bytes on disk that it takes.
        why: Why it is not needed.
    """

    path: Path
    size: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What may be deleted, and which studies were not searched.

    Attributes:
        deletable: In order of studies.
        left_alone: Study directory -> why.
    """

    deletable: tuple[Deletable, ...]
    left_alone: dict[str, str]


def take_inventory(results: Path) -> Inventory:
    """Search the studies of a results folder; nothing is changed.

    Raises:
        OSError: the folder cannot be read.
    """
    found: list[Deletable] = []
    left_alone: dict[str, str] = {}
    for row in list_studies(results):
        reason = _reason_to_leave(row)
        if reason:
            left_alone[row.name] = reason
        else:
            found += _of_study(row)
    return Inventory(deletable=tuple(found), left_alone=left_alone)


def delete(deletable: Deletable) -> bool:
    """Delete one thing, unless a process runs its study by now; return whether it is deleted."""
    study = next((parent for parent in (deletable.path, *deletable.path.parents) if _is_study(parent)), None)
    if study is not None and running_process(StudyPaths(study)) is not None:
        return False
    try:
        if deletable.path.is_dir():
            shutil.rmtree(deletable.path)
        else:
            deletable.path.unlink()
    except OSError:
        return False
    for link in deletable.path.parent.glob("*latest*"):
        if link.is_symlink() and not link.exists():
            link.unlink(missing_ok=True)
    return True


def _reason_to_leave(row: StudyRow) -> str:
    match row.state:
        case "running":
            return "it is running"
        case "unreadable":
            return row.reason or "it cannot be read"
        case "interrupted" if row.states:
            return "a resume can continue it"
        case _:
            return ""


def _of_study(row: StudyRow) -> Iterator[Deletable]:
    if not row.states:
        yield Deletable(path=row.path, size=size_of(row.path), why="a study in which no trial was started")
        return
    plan, _ = read_study(row.path)
    kept = _kept(row.path)
    naming = recorded_architecture(plan.skill.network_arch, plan.skill.root).checkpoints
    for path in all_checkpoints(StudyPaths(row.path).trials, naming):
        if path.resolve() not in kept and not path.is_symlink():
            yield Deletable(path=path, size=_freed_by(path), why="a checkpoint that was not handed over")
    for pattern in _UNFINISHED:
        for path in sorted(row.path.rglob(pattern)):
            yield Deletable(path=path, size=size_of(path), why="never finished")


def _kept(root: Path) -> set[Path]:
    """Return the checkpoints that stay: of the best trial, of the Pareto front, of the hand-over."""
    _, result = read_study(root)
    winners = [*result.ranked()[:1], *result.pareto]
    names = [trial.checkpoint for trial in winners if trial.checkpoint is not None]
    try:
        best = read_document(StudyPaths(root).best_file, StudyBest)
        names += [best.checkpoint, best.source]
    except (OSError, ConfigurationError):
        pass  # nothing was handed over
    kept = {(root / name).resolve() for name in names}
    return kept | {path.resolve() for path in StudyPaths(root).best.glob("*")}


def _freed_by(path: Path) -> int:
    """Return the bytes that deleting frees: none where the same file has another name."""
    return size_of(path) if path.is_dir() or path.stat().st_nlink == 1 else 0


def _is_study(folder: Path) -> bool:
    try:
        read_study(folder)
    except (ConfigurationError, ValueError, KeyError, TypeError):
        return False
    return True
