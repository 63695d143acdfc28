"""The studies of a results folder, each in one row."""

from __future__ import annotations

import stat
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError
from automl.regular_file import kind_of
from automl.storage.final_status import read_settled
from automl.storage.own_documents import read_own
from automl.storage.owner import running_process
from automl.storage.paths import TRASH, StudyPaths
from automl.storage.study_directory import why_unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.storage.plan_document import StoredPlan
    from automl.study.result import StudyResult


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRow:
    """One study.

    Attributes:
        name: Name of its directory.
        state: ``running``, ``interrupted`` (a resume continues it), ``completed``, ``failed`` (no usable value, or
            ended by errors) or ``unreadable``.
        started: When its last run started, in UTC: ``2026-01-31T12:00:00+00:00``; empty before.
        skill: Name of its skill, or of the program.
        data: What its data are called, the training data where they are named; empty where none are.
        reason: Why it has ended, or what cannot be read; empty while it runs.
        trials: Trials of the search that have ended.
        planned: Trials of the search that were planned.
        states: State -> number of trials.
        metric: The objective.
        best: Its best value; None without one.
        path: The study directory.
        missing: What is not there although the study's files speak of it; empty while it runs.
        linked_folders: Folders outside of the study that hold checkpoints of it.
    """

    name: str
    state: str
    path: Path
    started: str = ""
    skill: str = ""
    data: str = ""
    reason: str = ""
    trials: int = 0
    planned: int = 0
    states: dict[str, int]
    metric: str = ""
    best: float | None = None
    missing: tuple[str, ...] = ()
    linked_folders: tuple[str, ...] = ()


def list_studies(results: Path) -> tuple[StudyRow, ...]:
    """Return the studies of a results folder, the latest last.

    Raises:
        OSError: the folder cannot be read.
    """
    studies, hidden = _search(results)
    return (*hidden, *map(_row, studies))


def study_directories(results: Path) -> list[Path]:
    """Return the study directories of a results folder that can be looked into, the latest last.

    Raises:
        OSError: the folder cannot be read.
    """
    return _search(results)[0]


def _search(results: Path) -> tuple[list[Path], list[StudyRow]]:
    """Return the study directories, the latest last, and the folders that cannot be looked into or lost their plan."""
    studies: list[tuple[float, Path]] = []
    hidden: list[StudyRow] = []
    for folder in sorted(results.iterdir()):
        plan = StudyPaths(folder).plan_file
        try:
            if folder.is_symlink():
                folder.stat()  # of storage that is not mounted, for example
            if plan.is_file():
                studies.append((plan.stat().st_mtime, folder))
            elif _is_without_plan(StudyPaths(folder)):
                hidden.append(_without_plan(StudyPaths(folder)))
        except (ConfigurationError, OSError) as error:
            hidden.append(_unreadable(folder, error))
    return [folder for _, folder in sorted(studies)], hidden


def _is_without_plan(paths: StudyPaths) -> bool:
    """Tell whether a folder is that of a study whose plan is gone; one name alone other programs use too."""
    signs = (
        paths.events_file,
        paths.old_events_file,
        paths.journal_file,
        paths.best_file,
        paths.trials,
        paths.owner_file,
    )
    return sum(path.exists() for path in signs) > 1


def _without_plan(paths: StudyPaths) -> StudyRow:
    state = "unreadable" if running_process(paths) is None else "running"
    there = ""
    with suppress(FileNotFoundError):
        mode = paths.plan_file.lstat().st_mode
        there = f" (it is {'a link to nothing' if stat.S_ISLNK(mode) else kind_of(mode)})"
    return StudyRow(
        name=paths.root.name, state=state, path=paths.root, missing=(paths.plan_file.name + there,), states={}
    )


def _unreadable(root: Path, error: OSError | ConfigurationError) -> StudyRow:
    return StudyRow(name=root.name, state="unreadable", path=root, reason=why_unreadable(root, error), states={})


def _row(root: Path) -> StudyRow:
    try:
        plan, result, outcome = read_settled(root)
        missing = () if outcome.state == "running" else tuple(_missing(StudyPaths(root), result))
    except (ConfigurationError, OSError) as error:
        return _unreadable(root, error)
    states = Counter(trial.state.value.lower() for trial in result.trials)
    best, metric = result.best, result.objective.metric
    return StudyRow(
        name=root.name,
        state=outcome.state,
        path=root,
        started=outcome.started_at.isoformat(timespec="seconds") if outcome.started_at else "",
        skill=plan.skill.name,
        data=_name_of_data(plan),
        reason=outcome.reason,
        trials=sum(trial.state.is_final and trial.replicate_of is None for trial in result.trials),
        planned=plan.budget.trials,
        states=dict(sorted(states.items())),
        metric=metric,
        best=best.values[metric] if best is not None else None,
        missing=missing,
        linked_folders=tuple(
            sorted({str(Path(f).parent) for trial in result.trials for f in trial.files_behind_links})
        ),
    )


def _name_of_data(plan: StoredPlan) -> str:
    """Return the folder of the training data and the name in it, short enough for a column."""
    data = plan.request.get("data") or {}
    path = (data.get("train") or next(iter(data.values()), "")) if isinstance(data, dict) else ""
    return "/".join(PurePath(str(path)).parts[-2:])


def _missing(paths: StudyPaths, result: StudyResult) -> Iterator[str]:
    """Yield what was moved, deleted or lies on storage that is not mounted; absence of files is no absence of facts."""
    for path in sorted(paths.root.iterdir()):
        if path.is_symlink() and not path.exists() and path.name != TRASH:
            yield f"{path.name} (a link to {path.readlink()}, which is not there)"
    there = {folder.name.partition(".")[0] for folder in paths.trials.glob("*")}
    gone = [trial.directory for trial in result.trials if f"{trial.number:04d}" not in there]
    if gone:
        yield f"{gone[0]}{f' and {len(gone) - 1} more' if gone[1:] else ''}"
    if paths.best_file.is_file():
        checkpoint = str(read_own(paths, paths.best_file, dict[str, Any]).get("checkpoint") or "")
        if checkpoint and not (paths.root / checkpoint).exists():
            yield checkpoint
    if not result.trials:
        signs = (*paths.best.glob("*"), *paths.trials.glob("*"), paths.best_file, paths.best_spec, paths.journal_file)
        ran = [paths.relative(path) for path in signs if path.exists() and (path.is_dir() or path.stat().st_size)]
        if ran:
            yield f"the trials of {paths.events_file.name}, though there is {ran[0]}"
