"""What a study directory holds, read as values: its results, its evaluations and its record, beside the plan."""

from __future__ import annotations

import gc
import json
import os
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from automl.regular_file import followed
from automl.storage.documents import from_json, study_error, to_json, without_check
from automl.storage.event_log import damaged_log, named_damage, read_settled
from automl.storage.legacy import is_legacy, upgraded
from automl.storage.own_attempts import linked_attempts, require_own_links
from automl.storage.own_documents import read_own, token_of, write_own
from automl.storage.own_folders import require_own_folders
from automl.storage.paths import StudyPaths, make_folder
from automl.storage.plan_document import read_plan
from automl.storage.portable import made_portable, record_of_moved
from automl.storage.trainer_files import read_made, set_aside
from automl.study.evaluation import Evaluation, RecordLocation
from automl.study.events import StudyEnded
from automl.study.objectives import parse_constraints
from automl.study.result import StudyResult
from automl.study.state import StudyState, apply
from automl.study.trial import TrialResult

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automl.errors import ConfigurationError
    from automl.storage.plan_document import PlanDocument, StoredPlan


def read_study(root: Path) -> tuple[StoredPlan, StudyResult]:
    """Read the plan and the results of a study directory.

    Raises:
        ConfigurationError: the folder is no study directory, or a result cannot be read.
        OSError: its log cannot be opened.
    """
    paths = StudyPaths(root)
    plan = read_plan(paths)
    return plan, replace(study_of_plan(plan), trials=read_results(paths))


def ended_study(root: Path) -> StudyResult:
    """Return the study of a directory as its run returned it: with why errors ended it; raises as `read_study`."""
    _, result = read_study(root)
    end = read_state(StudyPaths(root)).last
    return replace(result, failure=end.reason) if isinstance(end, StudyEnded) and end.is_failure else result


def why_unreadable(root: Path, error: OSError | ConfigurationError) -> str:
    """Return why `read_study` could not read a study, in one line."""
    if isinstance(error, OSError):
        return f"{error.filename or root}: {error.strerror or error}"
    return "; ".join(f"{problem.where}: {problem.found}" for problem in error.problems)


def study_of_plan(plan: PlanDocument) -> StudyResult:
    """Return the study of a plan, without trials."""
    primary, *further = plan.all_objectives
    return StudyResult(
        objective=primary, trials=(), further=tuple(further), constraints=parse_constraints(plan.constraints)
    )


def write_result(paths: StudyPaths, result: TrialResult) -> list[str]:
    """Write a trial's result, replacing an earlier one at once or not at all.

    Returns:
        What was set aside for that, see `set_aside`.

    Raises:
        OSError: it cannot be written.
    """
    file = paths.result_file(result.number)
    done = [*set_aside(file.parent, is_folder=True), *set_aside(file)]
    make_folder(file.parent, below=paths.root)
    write_own(paths, file, result)
    return done


def read_state(paths: StudyPaths, *, with_starts: bool = True) -> StudyState:
    """Fold the event log of a study; a study without one has not begun.

    Args:
        paths: Of the study.
        with_starts: Say of trials that have ended how they were started, too.

    Raises:
        ConfigurationError: a line of the log cannot be read, was changed or is missing; or the log, or what a link in
            the directory leads to, is that of another study.
        OSError: the log cannot be opened.
    """
    require_own_folders(paths)
    has_links = paths.trials.is_symlink() or any(linked_attempts(paths))
    state = _folded(paths, with_starts=with_starts or has_links)
    if has_links:
        require_own_links(paths, {trial.number: trial.starts for trial in state.trials})
    if state.started is not None and state.started.token != token_of(paths):
        other = f"the log of another study than that of {paths.plan_file.name}"
        raise study_error(paths.events_file, other, "both of one study", "restore them from a copy")
    if state == StudyState() and paths.result_files():
        raise damaged_log(paths.events_file, "no line, and trials have ended")
    if without_line := [number for number in _numbers(paths) - {*state.ended} if _is_final(paths.result_file(number))]:
        # A result is written after its line: that of a trial that has ended since is in the log by now.
        known = {*_folded(paths, with_starts=False).ended}
        for number in sorted(without_line):
            if number not in known:
                found = followed(paths.result_file(number))
                raise damaged_log(paths.events_file, f"no line for the end of trial {number}, which has {found}")
    return state


def _folded(paths: StudyPaths, *, with_starts: bool) -> StudyState:
    state, file = StudyState(), paths.events_file
    with named_damage(file), _without_collections():
        for entry in upgraded(paths) if is_legacy(paths) else read_settled(file, with_starts=with_starts):
            apply(state, entry.event, entry.time)
    return state


@contextmanager
def _without_collections() -> Iterator[None]:
    """Let nothing look for cycles meanwhile: of a log of 10,000 trials that takes a quarter of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _numbers(paths: StudyPaths) -> set[int]:
    """Return the numbers of the trials that have a folder."""
    with suppress(OSError):
        return {int(name) for name in os.listdir(paths.trials) if name.isdigit()}  # noqa: PTH208 # of 10,000
    return set()


def _is_final(file: Path) -> bool:
    """Tell whether a file is a whole result that `automl` wrote, of a trial that has ended."""
    try:
        document, is_checked = without_check(json.loads(read_made(file.parent, file)))
        return is_checked and from_json(document, TrialResult).state.is_final
    except (OSError, ValueError, RecursionError):
        return False  # it may be the trainer's own


def read_results(paths: StudyPaths) -> tuple[TrialResult, ...]:
    """Return what is known of the trials that were started, in order of their numbers; raises as `read_state`."""
    return read_state(paths, with_starts=False).results


def read_evaluations(root: Path) -> dict[str, Evaluation]:
    """Read `evaluations.json`: role -> evaluation; empty before the first one.

    Raises:
        ConfigurationError: the file cannot be read, was changed, or belongs to another study.
    """
    paths = StudyPaths(root)
    try:
        return read_own(paths, paths.evaluations_file, dict[str, Evaluation])
    except FileNotFoundError:
        return {}


def evaluations_of(root: Path, best: TrialResult | None) -> dict[str, Evaluation]:
    """Return the evaluations of a study but those of a checkpoint that is the best one no more; raises as they do.

    Between the end of a further trial and the hand-over that is the one before.
    """
    known = {None, best.sha256} if best is not None else set()
    return {
        role: found
        for role, found in read_evaluations(root).items()
        if not role.startswith("champion") or found.sha256 in known or (best is not None and best.sha256 is None)
    }


def write_record(paths: StudyPaths, record: RecordLocation, results: Path) -> None:
    """Write `record.json`.

    Raises:
        OSError: it cannot be written.
    """
    write_own(paths, paths.record_file, made_portable(to_json(record), paths.root, results))


def read_record(root: Path) -> RecordLocation | None:
    """Read `record.json`: where MLflow has the study; None before the study was recorded.

    Raises:
        ConfigurationError: the file cannot be read, was changed, or belongs to another study.
    """
    paths = StudyPaths(root)
    try:
        record = read_own(paths, paths.record_file, RecordLocation, is_portable=True)
    except FileNotFoundError:
        return None
    return replace(record, tracking_uri=record_of_moved(record.tracking_uri, root))
