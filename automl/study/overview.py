"""The studies of a results folder, each in one row."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError
from automl.study.directory import StudyDirectory
from automl.study.document import read_study
from automl.study.owner import running_process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRow:
    """One study.

    Attributes:
        name: Name of its directory.
        state: ``running``, ``interrupted`` (a resume goes on), ``completed``, ``failed`` (no usable value) or
            ``unreadable``.
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
    plans = [entry / "plan.json" for entry in results.iterdir() if (entry / "plan.json").is_file()]
    return [plan.parent for plan in sorted(plans, key=lambda plan: (plan.stat().st_mtime, plan))]


def _row(root: Path) -> StudyRow:
    try:
        plan, result = read_study(root)
    except (ConfigurationError, ValueError, KeyError, TypeError):
        return StudyRow(name=root.name, state="unreadable", path=root, states={})
    ended = [trial for trial in result.trials if trial.state.is_final]
    best, metric = result.best, result.objective.metric
    states = dict(_counted(trial.state.value.lower() for trial in result.trials))
    return StudyRow(
        name=root.name,
        state=_state(root, is_complete=_is_complete(root), has_best=best is not None),
        path=root,
        trials=len(ended),
        planned=plan["budget"]["trials"],
        states=states,
        metric=metric,
        best=best.values[metric] if best is not None else None,
    )


def _counted(states: Iterator[str]) -> list[tuple[str, int]]:
    return sorted(Counter(states).items())


def _state(root: Path, *, is_complete: bool, has_best: bool) -> str:
    if running_process(StudyDirectory(root)) is not None:
        return "running"
    if not is_complete:
        return "interrupted"
    return "completed" if has_best else "failed"


def _is_complete(root: Path) -> bool:
    """Tell whether the last thing that happened was the end of the study."""
    file = StudyDirectory(root).events_file
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - _TAIL_BYTES))
        lines = stream.read().splitlines()
    return bool(lines) and lines[-1].startswith(b'{"event": "study_ended"')


_TAIL_BYTES = 4096
