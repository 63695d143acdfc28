"""The studies of a results folder, each in one row."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError
from automl.storage.final_status import read_settled
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import why_unreadable

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRow:
    """One study.

    Attributes:
        name: Name of its directory.
        state: ``running``, ``interrupted`` (a resume continues it), ``completed``, ``failed`` (no usable value, or
            ended by errors) or ``unreadable``.
        reason: Why it has ended, or what cannot be read; empty while it runs.
        trials: Trials that have ended.
        planned: Trials that were planned.
        states: State -> number of trials.
        metric: The objective.
        best: Its best value; None without one.
        path: The study directory.
    """

    name: str
    state: str
    path: Path
    reason: str = ""
    trials: int = 0
    planned: int = 0
    states: dict[str, int]
    metric: str = ""
    best: float | None = None


def list_studies(results: Path) -> tuple[StudyRow, ...]:
    """Return the studies of a results folder, the latest last.

    Raises:
        OSError: the folder cannot be read.
    """
    studies, hidden = _search(results)
    return (*(_unreadable(folder, error) for folder, error in hidden), *map(_row, studies))


def study_directories(results: Path) -> list[Path]:
    """Return the study directories of a results folder that can be looked into, the latest last.

    Raises:
        OSError: the folder cannot be read.
    """
    return _search(results)[0]


def _search(results: Path) -> tuple[list[Path], list[tuple[Path, OSError]]]:
    """Return the study directories, the latest last, and the folders that cannot be looked into."""
    studies: list[tuple[float, Path]] = []
    hidden: list[tuple[Path, OSError]] = []
    for folder in sorted(results.iterdir()):
        plan = StudyPaths(folder).plan_file
        try:
            if plan.is_file():
                studies.append((plan.stat().st_mtime, folder))
        except OSError as error:
            hidden.append((folder, error))
    return [folder for _, folder in sorted(studies)], hidden


def _unreadable(root: Path, error: OSError | ConfigurationError) -> StudyRow:
    return StudyRow(name=root.name, state="unreadable", path=root, reason=why_unreadable(root, error), states={})


def _row(root: Path) -> StudyRow:
    try:
        plan, result, outcome = read_settled(root)
    except (ConfigurationError, OSError) as error:
        return _unreadable(root, error)
    states = Counter(trial.state.value.lower() for trial in result.trials)
    best, metric = result.best, result.objective.metric
    return StudyRow(
        name=root.name,
        state=outcome.state,
        path=root,
        reason=outcome.reason,
        trials=sum(trial.state.is_final for trial in result.trials),
        planned=plan.budget.trials,
        states=dict(sorted(states.items())),
        metric=metric,
        best=best.values[metric] if best is not None else None,
    )
