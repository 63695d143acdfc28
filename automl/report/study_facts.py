"""What a report is made from: plan, results and events of a study directory, read once and checked by nobody else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from automl.report.focus import window
from automl.storage.final_status import read_end
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_evaluations, read_study
from automl.tracking.file_tracker import read_events

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automl.storage.final_status import End
    from automl.study.evaluation import Evaluation
    from automl.study.result import StudyResult
    from automl.study.trial import TrialResult


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchedParameter:
    """A searched parameter, as `plan.json` describes it.

    Attributes:
        path: Parameter path.
        label: Its shortest end that no other searched parameter shares: ``optim.lr``.
        low: Lower end; None for choices.
        high: Upper end; None for choices.
        is_log: Whether its scale is logarithmic.
        choices: Its options; empty for a range.
        is_integer: Whether a range holds whole numbers only.
    """

    path: str
    label: str
    low: float | None
    high: float | None
    is_log: bool
    choices: tuple[object, ...]
    is_integer: bool = False

    def number(self, value: object) -> float | None:
        """Return a value as a number: itself, or the index of a choice; None for what is neither."""
        if self.choices:
            return float(self.choices.index(value)) if value in self.choices else None
        return float(value) if isinstance(value, int | float) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """When one attempt of a trial ran.

    Attributes:
        trial: Its number.
        start: When it was started.
        end: When it ended; the time of the last event for one that still runs.
        state: How it ended, or RUNNING.
    """

    trial: int
    start: datetime
    end: datetime
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFacts:
    """Everything the report shows.

    Attributes:
        root: The study directory.
        plan: `plan.json`.
        result: The trials.
        parameters: What was searched, in the order of the space.
        intervals: When what ran, in order of starts.
        jobs: Trials that could run at once.
        evaluations: `evaluations.json`: role -> what baseline and champion scored, evaluated by themselves.
        end: How its last run ended; None while it runs, or if it was killed.
    """

    root: Path
    plan: Mapping[str, Any]
    result: StudyResult
    parameters: tuple[SearchedParameter, ...]
    intervals: tuple[Interval, ...]
    jobs: int
    evaluations: Mapping[str, Evaluation]
    end: End | None = None

    @property
    def metric(self) -> str:
        """The leading objective."""
        return self.result.objective.metric

    @property
    def competing(self) -> tuple[TrialResult, ...]:
        """The trials that have a value, in order of their numbers."""
        return tuple(sorted(self.result.ranked(), key=lambda trial: trial.number))

    @property
    def window(self) -> tuple[float, float]:
        """The part of the trials' values that plots show; there must be a trial with a value."""
        return window([trial.values[self.metric] for trial in self.competing], self.result.objective.direction)

    @property
    def constant(self) -> float | None:
        """What a constant prediction scores, which the trainer reports as ``val/d1_constant`` beside ``val/d1``."""
        best = self.result.best
        return None if best is None else best.values.get(f"{self.metric}_constant")


def read_facts(root: Path) -> StudyFacts:
    """Read a study directory.

    Raises:
        ConfigurationError: the folder is no study directory.
    """
    plan, result = read_study(root)
    listed = plan["space"]["parameters"]
    paths = [item["path"] for item in listed]
    parameters = tuple(
        SearchedParameter(
            path=item["path"],
            label=_label(item["path"], paths),
            low=item["low"],
            high=item["high"],
            is_log=bool(item["log"]),
            choices=tuple(item["choices"] or ()),
            is_integer=item["type"] == "int",
        )
        for item in listed
    )
    events = list(read_events(StudyPaths(root).events_file))
    return StudyFacts(
        root=root,
        plan=plan,
        result=result,
        parameters=parameters,
        intervals=_intervals(events),
        jobs=int(plan["resources"]["jobs"]),
        evaluations=read_evaluations(root),
        end=read_end(StudyPaths(root)),
    )


def _label(path: str, paths: list[str]) -> str:
    steps = path.split(".")
    for count in range(1, len(steps)):
        label = ".".join(steps[-count:])
        if sum(other == label or other.endswith(f".{label}") for other in paths) == 1:
            return label
    return path


def _intervals(events: list[dict[str, Any]]) -> tuple[Interval, ...]:
    intervals: list[Interval] = []
    running: dict[int, datetime] = {}
    now = datetime.fromisoformat(events[-1]["time"]) if events else None
    for event in events:
        time = datetime.fromisoformat(event["time"])
        if event["event"] == "trial_started":
            running[event["trial"]] = time
        elif event["event"] == "trial_ended" and event["trial"] in running:
            start = running.pop(event["trial"])
            intervals.append(Interval(trial=event["trial"], start=start, end=time, state=event["state"]))
    if now is not None:
        intervals += [Interval(trial=t, start=start, end=now, state="RUNNING") for t, start in running.items()]
    return tuple(sorted(intervals, key=lambda interval: interval.start))
