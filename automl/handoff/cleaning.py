"""Find what is not needed any more in a results folder, and move it to the trash.

Only studies that have ended are searched, not one that a process runs, that a resume could continue, of which a part is
missing, or that was never started and holds files of the user. Checkpoints that were not handed over and files that
were never finished may go; best checkpoints, the Pareto front, specs, logs, status files and the record stay. MLflow's
copies in its registry are not touched.
"""

from __future__ import annotations

import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, Problem
from automl.handoff.best import StudyBest
from automl.readers.folder_search import walk
from automl.regular_file import followed
from automl.shown_command import shown
from automl.storage.deletion import in_place_of_trash, is_deletable, move_to_trash, purge, real_path
from automl.storage.overview import StudyRow, list_studies
from automl.storage.own_documents import read_own
from automl.storage.owner import OwnerLock
from automl.storage.paths import TRASH, StudyPaths
from automl.storage.study_directory import read_study
from automl.storage.trainer_files import files_below
from automl.trial.checkpoints import all_checkpoints, latest_links

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from automl.study.result import StudyResult

_DEEPEST = 64
_SHOWN = 5
_PART = ".*.part"
_OF_ACTIONS = (_PART, "*.partial", ".export_*")
_OF_HAND_OVER = ".*.new"
MOVED_ELSEWHERE = "moved by another process meanwhile"
_MOVING_S = 0.5
"""How long what another process holds may take to go: a trash is on the same disk."""
_FINISHING_S = 3600.0
"""What was written later may still be finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletable:
    """Something that may be deleted.

    Attributes:
        path: File or folder.
        size: Bytes on disk that it takes.
        why: Why it is not needed.
        study: The study directory.
        inside: The folder that it has to lie in, a real path.
        recorded: Real paths outside of that folder that may go too.
    """

    path: Path
    size: int
    why: str
    study: Path
    inside: Path
    recorded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What may be deleted, and which studies were not searched.

    Attributes:
        deletable: In order of studies.
        left_alone: Study directory -> why.
        studies: How many there are.
        owners: Folders that may have a trash, real paths.
    """

    deletable: tuple[Deletable, ...]
    left_alone: dict[str, str]
    studies: int = 0
    owners: tuple[Path, ...] = ()

    @property
    def trash_size(self) -> int:
        """Bytes that `empty_trash` would free."""
        return freed_by(owner / TRASH for owner in self.owners)

    @property
    def no_trash(self) -> dict[Path, str]:
        """What is there in place of a trash, by its path: nothing is moved there, nor is it deleted."""
        found = {owner / TRASH: in_place_of_trash(owner) for owner in self.owners}
        return {path: what for path, what in found.items() if what}


def take_inventory(results: Path, forced: Collection[str] = ()) -> Inventory:
    """Search the studies of a results folder; nothing is changed.

    Args:
        results: The folder.
        forced: Names of studies that are kept without it, see `_doubt`: they may be deleted whole.

    Raises:
        ConfigurationError: a forced study is not there, or need not be forced.
        OSError: the folder cannot be read.
    """
    root, found, left_alone = followed(results), list[Deletable](), dict[str, str]()
    rows = list_studies(results)
    doubts = {row.name: doubt for row in rows if (doubt := _doubt(row))}
    _require_doubt(forced, doubts)
    for row in rows:
        if row.name in forced:
            found.append(_whole(row, root, f"a whole study, forced: {doubts[row.name]}"))
        elif (reason := _why_left_alone(row, doubts.get(row.name, ""))) is not None:
            left_alone[row.name] = reason
        else:
            found += _of_study(row, root)
    studies = [real_path(row.path) for row in rows if not row.path.is_symlink()]
    linked = sorted({Path(folder) for row in rows for folder in row.linked_folders})
    owners = (root, *studies, *linked)
    return Inventory(deletable=tuple(found), left_alone=left_alone, studies=len(rows), owners=owners)


def discard(item: Deletable, moment: str) -> str:
    """Move one thing to the trash with the "latest" links to it; return why it stays, or nothing if it is gone.

    It stays where a process runs its study by now. `MOVED_ELSEWHERE` is returned where another process was faster.
    """
    study, real = StudyPaths(item.study), followed(item.path)
    latest = {} if item.path == item.study else latest_links(item.path.parent)
    links = [link for link, target in latest.items() if target == real and is_deletable(link, inside=item.inside)]
    try:
        with OwnerLock(study) if study.plan_file.is_file() or study.owner_file.exists() else nullcontext():
            for path in (item.path, *links):
                move_to_trash(path, inside=item.inside, moment=moment, recorded=item.recorded)
    except ConfigurationError as error:
        return MOVED_ELSEWHERE if _is_gone_soon(item.path) else error.problems[0].found
    except OSError as error:
        return MOVED_ELSEWHERE if not _is_there(item.path) else error.strerror or str(error)
    return ""


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _is_gone_soon(path: Path) -> bool:
    """Tell whether what another process holds goes away: it may be about to move it too."""
    end_s = time.monotonic() + _MOVING_S
    while (is_there := _is_there(path)) and time.monotonic() < end_s:
        time.sleep(_MOVING_S / 20)
    return not is_there


def empty_trash(inventory: Inventory) -> int | None:
    """Delete for good what was moved to the trash; return the bytes that this frees, None where there is no trash.

    Raises:
        OSError: something cannot be deleted.
    """
    size, no_trash = inventory.trash_size, inventory.no_trash
    owners = [owner for owner in inventory.owners if owner / TRASH not in no_trash and (owner / TRASH).exists()]
    for owner in owners:
        purge(owner)
    return size if owners else None


def freed_by(paths: Iterable[Path]) -> int:
    """Return the bytes that deleting files and folders frees: a file with a name elsewhere frees nothing."""
    names: dict[tuple[int, int], int] = {}
    freed = 0
    for status in (file.lstat() for path in paths if not path.is_symlink() for file in _files(path)):
        key = (status.st_dev, status.st_ino)
        names[key] = names.get(key, 0) + 1
        freed += status.st_size if names[key] == status.st_nlink else 0
    return freed


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    for folder, _, files in walk(path, deepest=_DEEPEST):
        yield from (folder / name for name in files if not (folder / name).is_symlink())


def _require_doubt(forced: Collection[str], doubts: Collection[str]) -> None:
    problems = [
        Problem(
            where=f"--force {name}",
            found="no study that is kept without it",
            expected=", ".join(sorted(doubts)) or "no study needs it here",
            fix="leave it out, or name one of these studies",
        )
        for name in forced
        if name not in doubts
    ]
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the command line")


def _why_left_alone(row: StudyRow, doubt: str) -> str | None:
    if row.state == "running":
        return "it is running"
    if doubt:
        is_seen = row.state != "unreadable" or row.missing
        return f"{doubt}; {shown('--force', row.name)} moves it all to the trash" if is_seen else doubt
    if row.state == "interrupted" and row.states:
        return "a resume can continue it"
    is_bare_link = _is_linked(row) and not row.states
    return f"a link to {followed(row.path)}, in which no trial was started" if is_bare_link else None


def _doubt(row: StudyRow) -> str:
    """Return why a study may go only where its name is given; nothing for others."""
    reasons = []
    if row.missing:
        reasons = [f"a part of it is missing: {'; '.join(row.missing)}"] if row.state != "running" else []
    elif row.state == "unreadable":
        reasons = [row.reason or "it cannot be read"]
    is_bare = row.state != "running" and not row.states and not _is_linked(row)
    signs = tuple(_signs_of_use(StudyPaths(row.path))) if reasons or is_bare else ()
    if signs and not reasons:
        reasons = ["no trial was started"]
    return "; ".join((*reasons, *signs))


def _signs_of_use(study: StudyPaths) -> Iterator[str]:
    """Yield what a study without a trial may hold that somebody wants to keep."""
    with suppress(OSError):  # its row says that it cannot be read
        if actions := sorted(study.relative(path) for path in study.actions.glob("*")):
            yield f"actions were run: {_listed(actions)}"
        if not_ours := study.not_ours():
            yield f"automl did not write {_listed(not_ours)}"


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:_SHOWN])}{f' and {len(names) - _SHOWN} more' if names[_SHOWN:] else ''}"


def _is_linked(row: StudyRow) -> bool:
    return followed(row.path) != real_path(row.path)


def _whole(row: StudyRow, root: Path, why: str) -> Deletable:
    return Deletable(path=row.path, size=freed_by([row.path]), why=why, study=row.path, inside=root)


def _of_study(row: StudyRow, root: Path) -> Iterator[Deletable]:
    if not row.states:
        yield _whole(row, root, "a study in which no trial was started")
        return
    study, inside = StudyPaths(row.path), root / row.name
    plan, result = read_study(row.path)
    kept = _kept(study, result)
    naming = plan.architecture().checkpoints
    recorded = tuple(name for trial in result.trials for name in trial.files_behind_links)
    attempts = [attempt.root for trial in result.trials for attempt in study.attempts(trial.number)]
    found = {path: "a checkpoint that was not handed over" for a in attempts for path in all_checkpoints(a, naming)}
    found = {path: why for path, why in found.items() if followed(path) not in kept}
    found |= dict.fromkeys(_unfinished(study, attempts), "never finished")
    for path, why in found.items():
        if is_deletable(path, inside=inside, recorded=recorded):
            size = freed_by([path])
            yield Deletable(path=path, size=size, why=why, study=row.path, inside=inside, recorded=recorded)


def _unfinished(study: StudyPaths, attempts: Iterable[Path]) -> list[Path]:
    """Return files and folders whose writer died before it gave them their names, where automl and trainers write."""
    found = {*study.best.glob(_OF_HAND_OVER), *(file for attempt in attempts for file in files_below(attempt, _PART))}
    found.update(path for pattern in _OF_ACTIONS for path in study.actions.glob(f"*/{pattern}"))
    return sorted(path for path in found if _age_s(path) > _FINISHING_S)


def _age_s(path: Path) -> float:
    """Return the seconds since a file, or a file of a folder, was written."""
    with suppress(OSError):
        return time.time() - max(file.lstat().st_mtime for file in (path, *_files(path)))
    return 0.0


def _kept(study: StudyPaths, result: StudyResult) -> set[Path]:
    """Return the checkpoints that stay: of the best trial, of the Pareto front, of the hand-over."""
    winners = [*result.ranked()[:1], *result.pareto]
    names = [trial.checkpoint for trial in winners if trial.checkpoint is not None]
    if study.best_file.is_file():
        best = read_own(study, study.best_file, StudyBest)
        names += filter(None, [best.checkpoint, best.source])
    return {followed(path) for path in (*(study.root / name for name in names), *study.best.glob("*"))}
