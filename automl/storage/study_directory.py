"""What a study directory holds, read as values: its plan, its results and its evaluations."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError, Problem
from automl.storage.documents import read_document, write_document
from automl.storage.event_log import damaged_log, read_log
from automl.storage.legacy import is_legacy, upgraded
from automl.storage.paths import StudyPaths
from automl.study.evaluation import Evaluation, RecordLocation
from automl.study.goals import parse_constraints
from automl.study.model import Direction, Objective
from automl.study.result import StudyResult
from automl.study.state import StudyState, apply

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automl.study.trial import TrialResult

_PLAN_PARTS = {"name": str, "skill": dict, "objective": dict, "budget": dict, "space": dict, "spec": dict}
"""What every plan has, by which one is told from another program's file."""


def read_plan(directory: StudyPaths) -> dict[str, Any]:
    """Read `plan.json`.

    Raises:
        ConfigurationError: the folder is no study directory, or its plan cannot be read.
    """
    try:
        document = json.loads(directory.plan_file.read_text(encoding="utf-8"))
    except OSError as error:
        raise _no_study(directory.root, f"no readable plan.json ({error.strerror or error})") from error
    except ValueError as error:
        raise _no_study(directory.root, f"no readable plan.json ({error})") from error
    if not isinstance(document, dict) or any(not isinstance(document.get(k), t) for k, t in _PLAN_PARTS.items()):
        raise _no_study(directory.root, "a plan.json that automl has not written")
    return document


def _no_study(root: Path, found: str) -> ConfigurationError:
    expected = "a study directory, as `automl run` makes one"
    fix = "name the folder of one study, e.g. results/depth_net_mono-demo"
    problem = Problem(where=str(root), found=found, expected=expected, fix=fix)
    return ConfigurationError.from_problems([problem], subject="the command line")


def read_study(root: Path) -> tuple[dict[str, Any], StudyResult]:
    """Read the plan and the results of a study directory.

    Raises:
        ConfigurationError: the folder is no study directory.
    """
    directory = StudyPaths(root)
    plan = read_plan(directory)
    return plan, replace(study_of_plan(plan), trials=read_results(directory))


def study_of_plan(plan: Mapping[str, Any]) -> StudyResult:
    """Return the study of a `plan.json`, without trials."""
    leading, *further = plan.get("objectives") or [plan["objective"]]
    return StudyResult(
        objective=_objective(leading, plan.get("objective_source", "")),
        trials=(),
        further=tuple(_objective(entry) for entry in further),
        constraints=parse_constraints(plan.get("constraints", ())),
    )


def _objective(entry: dict[str, str], source: str = "") -> Objective:
    return Objective(metric=entry["metric"], direction=Direction(entry["direction"]), source=source)


def write_result(paths: StudyPaths, result: TrialResult) -> None:
    """Write a trial's result, replacing an earlier one at once or not at all."""
    write_document(paths.result_file(result.number), result)


def read_state(paths: StudyPaths) -> StudyState:
    """Fold the event log of a study; a study without one has not begun.

    Raises:
        ConfigurationError: a line of the log cannot be read or was changed.
    """
    state = StudyState()
    events = (
        upgraded(paths)
        if is_legacy(paths)
        else ((entry.event, entry.time) for entry in read_log(paths.events_file, is_strict=True))
    )
    for event, time in events:
        try:
            apply(state, event, time)
        except ValueError as error:
            raise damaged_log(paths.events_file, error) from error
    return state


def read_results(paths: StudyPaths) -> tuple[TrialResult, ...]:
    """Return what is known of the trials that were started, in order of their numbers.

    Raises:
        ConfigurationError: a line of the log cannot be read or was changed.
    """
    return read_state(paths).results


def read_evaluations(root: Path) -> dict[str, Evaluation]:
    """Read `evaluations.json`: role -> evaluation; empty if there is none that can be read."""
    try:
        return read_document(StudyPaths(root).evaluations_file, dict[str, Evaluation])
    except (OSError, ConfigurationError):
        return {}


def read_record(root: Path) -> RecordLocation | None:
    """Read `record.json`: where MLflow has the study; None before the study was recorded."""
    try:
        return read_document(StudyPaths(root).record_file, RecordLocation)
    except (OSError, ConfigurationError):
        return None
