"""Check every file of a study that is read again, before anything is written to it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError, Problem
from automl.handoff.actions import ActionResult
from automl.handoff.best import StudyBest, require_best_spec
from automl.storage.documents import has_check
from automl.storage.legacy import is_legacy
from automl.storage.own_documents import read_own
from automl.storage.plan_document import StoredPlan
from automl.storage.study_directory import read_evaluations, read_state
from automl.study.evaluation import RecordLocation
from automl.study.state import StudyState
from automl.study.trial import TrialResult
from automl.tracking.mlflow.folder import MlflowFolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from automl.storage.paths import StudyPaths

logger = logging.getLogger(__name__)


def require_sound(paths: StudyPaths) -> StudyState:
    """Check the log, the documents and what waits to be sent of a study; return the state of the log.

    Documents of earlier versions have no check; a warning says so.

    Raises:
        ConfigurationError: files cannot be read, or were changed; with all of them.
        OSError: the log cannot be opened.
    """
    problems, unchecked = list[Problem](), list[str]()

    def read(reader: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 # what the reader returns
        try:
            return reader(*arguments)
        except FileNotFoundError:
            return None
        except ConfigurationError as error:
            problems.extend(error.problems)
            return None

    state: StudyState = read(read_state, paths) or StudyState()
    evaluations = read(read_evaluations, paths.root) or {}
    read(MlflowFolder(paths).check)
    documents: list[tuple[Path, type]] = [
        (paths.plan_file, StoredPlan),
        (paths.record_file, RecordLocation),
        (paths.best_file, StudyBest),
        *((paths.action(known.action).result_file, ActionResult) for known in evaluations.values() if known.action),
    ]
    own = {paths.result_file(trial.number): trial.result for trial in state.trials if trial.result is not None}
    documents += [(file, TrialResult) for file in own]
    found = {file: known for file, kind in documents if (known := read(read_own, paths, file, kind)) is not None}
    unchecked += [file.name for file in found if not has_check(file)]
    problems += [
        _foreign(file, own[file].number) for file in found if file in own and not _is_of(own[file], found[file])
    ]
    read(require_best_spec, paths)
    plan = found.get(paths.plan_file)
    if plan is not None and state.started is not None and plan.fingerprint != state.started.fingerprint:
        problems.append(_other_plan(paths, state.started.fingerprint, plan.fingerprint))
    if problems:
        raise ConfigurationError.from_problems([*dict.fromkeys(problems)], subject="the study directory")
    unchecked += [paths.events_file.name] * is_legacy(paths)
    if unchecked:
        names = ", ".join(dict.fromkeys(unchecked))
        logger.warning("%s: written by an earlier version, without a checksum: changes are not noticed", names)
    return state


def _is_of(known: TrialResult, found: TrialResult) -> bool:
    """Tell whether a result is that of a trial in the log: a folder may lead to the trials of another study."""
    return (known.number, known.assignment, known.elapsed_s) == (found.number, found.assignment, found.elapsed_s)


def _other_plan(paths: StudyPaths, known: str, found: str) -> Problem:
    return Problem(
        where=str(paths.plan_file),
        found=f"the plan of another study (fingerprint {found})",
        expected=f"the plan with which the log says that this one was started (fingerprint {known})",
        fix="restore it from a copy",
    )


def _foreign(file: Path, number: int) -> Problem:
    return Problem(
        where=str(file),
        found="the result of a trial of another study",
        expected=f"what the log of this study says of trial {number}",
        fix=f"put the folder of its own trials back in the place of {file.parent.parent}",
    )
