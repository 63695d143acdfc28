"""Find and delete what is not needed any more in a results folder.

Only studies that have ended are searched, not one that a process runs or that a resume could continue. Checkpoints that
were not handed over and files that were never finished may be deleted; best checkpoints, the Pareto front, specs, logs,
status files and the record stay. MLflow's copies in its registry are not touched.
"""

from __future__ import annotations

import contextlib
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

    from automl.study.result import StudyResult

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
        reasons = {"running": "it is running", "unreadable": row.reason or "it cannot be read"}
        if row.states:
            reasons["interrupted"] = "a resume can continue it"
        if row.state in reasons:
            left_alone[row.name] = reasons[row.state]
        else:
            found += _of_study(row)
    return Inventory(deletable=tuple(found), left_alone=left_alone)


def delete(deletable: Deletable) -> bool:
    """Delete one thing, unless a process runs its study by now; return whether it is deleted."""
    folders = map(StudyPaths, (deletable.path, *deletable.path.parents))
    study = next((folder for folder in folders if folder.plan_file.is_file()), None)
    if study is not None and running_process(study) is not None:
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


def _of_study(row: StudyRow) -> Iterator[Deletable]:
    if not row.states:
        yield Deletable(path=row.path, size=size_of(row.path), why="a study in which no trial was started")
        return
    plan, result = read_study(row.path)
    kept = _kept(StudyPaths(row.path), result)
    naming = recorded_architecture(plan.skill.network_arch, plan.skill.root).checkpoints
    for path in all_checkpoints(StudyPaths(row.path).trials, naming):
        if path.resolve() not in kept and not path.is_symlink():
            # Deleting one of several names of a file frees nothing.
            size = size_of(path) if path.is_dir() or path.stat().st_nlink == 1 else 0
            yield Deletable(path=path, size=size, why="a checkpoint that was not handed over")
    for pattern in _UNFINISHED:
        for path in sorted(row.path.rglob(pattern)):
            yield Deletable(path=path, size=size_of(path), why="never finished")


def _kept(study: StudyPaths, result: StudyResult) -> set[Path]:
    """Return the checkpoints that stay: of the best trial, of the Pareto front, of the hand-over."""
    winners = [*result.ranked()[:1], *result.pareto]
    names = [trial.checkpoint for trial in winners if trial.checkpoint is not None]
    with contextlib.suppress(OSError, ConfigurationError):  # nothing was handed over
        best = read_document(study.best_file, StudyBest)
        names += [best.checkpoint, best.source]
    return {path.resolve() for path in (*(study.root / name for name in names), *study.best.glob("*"))}
