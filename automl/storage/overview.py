"""The studies of a results folder, each in one row."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError
from automl.storage.final_status import read_outcome, settled
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_study

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRow:
    """One study.

    Attributes:
        name: Name of its directory.
        state: ``running``, ``interrupted`` (a resume continues it), ``completed``, ``failed`` (no usable value, or
            ended by errors) or ``unreadable``.
        reason: Why it has ended; empty while it runs.
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
    return tuple(_row(root) for root in study_directories(results))


def study_directories(results: Path) -> list[Path]:
    """Return the study directories of a results folder, the latest last.

    Raises:
        OSError: the folder cannot be read.
    """
    plans = [paths.plan_file for entry in results.iterdir() if (paths := StudyPaths(entry)).plan_file.is_file()]
    return [plan.parent for plan in sorted(plans, key=lambda plan: (plan.stat().st_mtime, plan))]


def _row(root: Path) -> StudyRow:
    try:
        plan, result = read_study(root)
        outcome = read_outcome(StudyPaths(root), has_best=result.best is not None)
    except ConfigurationError:
        return StudyRow(name=root.name, state="unreadable", path=root, states={})
    ended = [trial for trial in result.trials if trial.state.is_final]
    best, metric = result.best, result.objective.metric
    states = dict(_counted(trial.state.value.lower() for trial in settled(result, outcome).trials))
    return StudyRow(
        name=root.name,
        state=outcome.state,
        path=root,
        reason=outcome.reason,
        trials=len(ended),
        planned=plan.budget.trials,
        states=states,
        metric=metric,
        best=best.values[metric] if best is not None else None,
    )


def _counted(states: Iterator[str]) -> list[tuple[str, int]]:
    return sorted(Counter(states).items())
