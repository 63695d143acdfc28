"""What a report shows: plan, results and events of a study directory, and one data frame of its trials."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from automl.space.document import PlannedParameter
from automl.storage.event_log import read_settled as read_settled_log
from automl.storage.final_status import read_settled
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import evaluations_of
from automl.study.events import RangeGrown, TrialEnded, TrialStarted
from automl.study.objectives import Direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from automl.storage.event_log import Entry
    from automl.storage.plan_document import StoredPlan
    from automl.study.earlier import Agreement
    from automl.study.evaluation import Evaluation
    from automl.study.events import StudyEnded, StudySuspended
    from automl.study.objectives import Objective
    from automl.study.result import StudyResult

TRIAL, STATE, TEXT, COMPETES = "trial number", "trial state", "trial text", "trial competes"
"""Columns of the data frame; no parameter path and no metric has a space in its name."""
_FENCE = 3.0
_FEW = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchedParameter(PlannedParameter):
    """A searched parameter of `plan.json`; its label is the shortest end of its path that no other one shares."""

    label: str

    @property
    def title(self) -> str:
        """Its label with its unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def options(self) -> tuple[str, ...]:
        """Its choices, as text; empty for a range."""
        return tuple(map(str, self.choices or ()))

    @property
    def ends(self) -> tuple[float, float]:
        """The ends of a range; 0 for one that no float holds, which only a changed plan or event says."""
        return float(_drawable(self.low) or 0.0), float(_drawable(self.high) or 0.0)

    def shown(self, value: object) -> str | int | float | None:
        """Return a value as the data frame has it: a choice as text, no number as None."""
        if self.choices:
            return str(value)
        return _drawable(value)

    def above_zero(self, values: pd.Series) -> pd.Series:
        """Return the values of a logarithmic range; what it has no place for, 0 for off, lies a decade below it."""
        return values.where(~(values <= 0), self.ends[0] / 10)

    def position(self, values: pd.Series) -> pd.Series:
        """Return where values lie between the ends of a range, on its scale; 0 to 1 for values inside it."""
        if self.log_to_one:
            low, high = -np.log1p(-np.array(self.ends))
            values = -np.log1p(-values)
        else:
            low, high = np.log(self.ends) if self.log else self.ends
            values = np.log(self.above_zero(values)) if self.log else values
        return (values - low) / ((high - low) or 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFacts:
    """Everything the report shows.

    Attributes:
        parameters: What was searched, in the order of the space.
        frame: A row per trial: number, state, text for a person, whether it competes, the objectives where its state
            gives it a value, and the parameters by their paths; a choice as text, NaN for an inactive parameter.
        attempts: A row per attempt, in order of starts: trial, state, start and end. An attempt without an end is
            running until the last event, or interrupted where no process runs the study.
        evaluations: `evaluations.json`: role -> what baseline and best checkpoint scored on their own.
        end: How its last run ended; None while it runs, or if it was killed.
        grown: The ranges that have grown, each as it was last; the parameters have these ends.
        agreement: How alike earlier studies and this one are; None where none is used, or before a trial ended.
        notices: What was refused or left out of what trainers wrote; ranges, data and code that have changed.
    """

    root: Path
    plan: StoredPlan
    result: StudyResult
    parameters: tuple[SearchedParameter, ...]
    frame: pd.DataFrame
    attempts: pd.DataFrame
    evaluations: Mapping[str, Evaluation]
    end: StudyEnded | StudySuspended | None = None
    grown: tuple[RangeGrown, ...] = ()
    agreement: Mapping[str, Agreement] | None = None
    notices: tuple[str, ...] = ()

    @property
    def metric(self) -> str:
        """The primary objective."""
        return self.result.objective.metric

    @property
    def is_maximized(self) -> bool:
        """Whether more of the primary objective is better."""
        return self.result.objective.direction is Direction.MAXIMIZE

    @property
    def best(self) -> int | None:
        """The number of the best trial."""
        return None if self.result.best is None else self.result.best.number

    @property
    def competing(self) -> pd.DataFrame:
        """The rows of the trials that have a value and meet every constraint, in order of their numbers."""
        return self.frame[self.frame[COMPETES]]

    @property
    def constant(self) -> float | None:
        """What a constant prediction scores, which the trainer reports as ``val/d1_constant`` beside ``val/d1``."""
        best = self.result.best
        return None if best is None else best.values.get(f"{self.metric}_constant")

    def fence(self, values: pd.Series) -> float | None:
        """Return the worst value that plots show; None if all are shown.

        One trial at -12 makes a plot of values between 0.8 and 0.9 a straight line. The limit is Tukey's outer fence
        (three times the interquartile range beyond the quartile), on the bad side only.
        """
        first, third = values.quantile([0.25, 0.75])
        reach = _FENCE * (third - first)
        if len(values) < _FEW or not reach:
            return None
        limit = float(first - reach if self.is_maximized else third + reach)
        is_beyond = values < limit if self.is_maximized else values > limit
        return limit if is_beyond.any() else None

    def clipped(self, values: pd.Series) -> pd.Series:
        """Return the values, those beyond the fence moved to it."""
        limit = self.fence(values)
        return values.clip(lower=limit) if self.is_maximized else values.clip(upper=limit)


def read_facts(root: Path) -> StudyFacts:
    """Read a study directory.

    Raises:
        ConfigurationError: the folder is no study directory.
    """
    plan, result, outcome = read_settled(root)
    paths = [parameter.path for parameter in plan.space.parameters]
    entries = list(read_settled_log(StudyPaths(root).events_file, is_strict=False))
    grown = {entry.event.path: entry.event for entry in entries if isinstance(entry.event, RangeGrown)}
    ends = {path: {"low": event.low, "high": event.high} for path, event in grown.items()}
    parameters = tuple(
        _searched({**asdict(p), **ends.get(p.path, {}), "label": _label(p.path, paths)}) for p in plan.space.parameters
    )
    return StudyFacts(
        root=root,
        plan=plan,
        result=result,
        parameters=parameters,
        frame=_frame(result, parameters),
        attempts=_attempts(entries, is_running=outcome.state == "running"),
        evaluations=evaluations_of(root, result.best),
        end=outcome.end,
        grown=tuple(grown.values()),
        agreement=outcome.agreement,
        notices=outcome.notices,
    )


def title_of(objective: Objective) -> str:
    """Return the metric and which way is better."""
    return f"{objective.metric} ({'more' if objective.direction is Direction.MAXIMIZE else 'less'} is better)"


def _drawable(value: object) -> int | float | None:
    """Return a parameter's value that a float holds; None for anything else.

    `study.finite` bounds what was measured, which is squared. A value that was chosen is drawn as it is.
    """
    return value if isinstance(value, int | float) and abs(value) <= sys.float_info.max else None


def _frame(result: StudyResult, parameters: tuple[SearchedParameter, ...]) -> pd.DataFrame:
    metrics = [objective.metric for objective in result.objectives]
    competing = {trial.number for trial in result.ranked()}
    rows = [
        {
            TRIAL: trial.number,
            STATE: trial.state.lower(),
            TEXT: f"trial {trial.number} {trial.state.lower()}{': ' if trial.reason else ''}{trial.reason}",
            COMPETES: trial.number in competing,
            **({metric: trial.values.get(metric) for metric in metrics} if trial.state.has_value else {}),
            **{p.path: p.shown(trial.assignment[p.path]) for p in parameters if p.path in trial.assignment},
        }
        for trial in result.trials
    ]
    columns = [TRIAL, STATE, TEXT, COMPETES, *metrics, *(parameter.path for parameter in parameters)]
    types = dict.fromkeys([*metrics, *(p.path for p in parameters if not p.choices)], float) | {COMPETES: bool}
    return pd.DataFrame(rows, columns=columns).astype(types)


def _searched(document: dict[str, Any]) -> SearchedParameter:
    """Return a parameter; where its ends have no logarithm, which only a changed plan or event says, it is linear."""
    parameter = SearchedParameter(**document)
    low, high = parameter.ends
    return replace(parameter, log=parameter.log and 0.0 < low <= high)


def _label(path: str, paths: list[str]) -> str:
    steps = path.split(".")
    for count in range(1, len(steps)):
        label = ".".join(steps[-count:])
        if sum(other == label or other.endswith(f".{label}") for other in paths) == 1:
            return label
    return path


def _attempts(entries: Iterable[Entry], *, is_running: bool) -> pd.DataFrame:
    ended: list[dict[str, object]] = []
    begun: dict[int, datetime] = {}
    time = None
    for entry in entries:
        event, time = entry.event, entry.time
        if isinstance(event, TrialStarted):
            begun[event.trial] = time
        elif isinstance(event, TrialEnded) and event.result.number in begun:
            trial, state = event.result.number, event.result.state.lower()
            start = begun.pop(trial)
            ended.append({"trial": trial, "state": state, "start": start, "end": max(start, time)})
    state = "running" if is_running else "interrupted"
    rows = ({"trial": trial, "start": start, "end": max(start, time or start)} for trial, start in begun.items())
    ended += [{"state": state, **row} for row in rows]
    return pd.DataFrame(ended, columns=["trial", "state", "start", "end"]).sort_values("start", ignore_index=True)
