"""The result of a trial, built in one place from its task, what it measured and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.readers.names import find_name
from automl.storage.paths import StudyPaths
from automl.study.ends import StopKind
from automl.study.trial import TrialResult, TrialState
from automl.trial.best_checkpoint import BestCheckpoint, find_best
from automl.trial.checkpoints import last_epoch
from automl.trial.failures import read_tail

if TYPE_CHECKING:
    from automl.trial.history import TrialHistory
    from automl.trial.outcome import TrialOutcome
    from automl.trial.task import TrialTask


def build_result(
    task: TrialTask, history: TrialHistory, outcome: TrialOutcome, *, elapsed_s: float, exit_status: int | None = None
) -> TrialResult:
    """Return the result of an attempt that ended, whoever notices it: its worker, or a driver whose worker was lost.

    The history includes what earlier attempts measured, and ``elapsed_s`` the seconds that they took.
    """
    if outcome.state.has_value and not history.needs_metric:
        history.end_at(last_epoch(task.directory, task.watch.naming))
    best_epoch = history.best_epoch
    competes = outcome.state.has_value and best_epoch is not None
    # The sampler observes what a paused trial has measured; it competes once it has ended.
    is_paused = outcome.cause is not None and outcome.cause.kind is StopKind.PAUSE
    is_measured = best_epoch is not None and (competes or is_paused)
    best = find_best(task, history) if competes else BestCheckpoint()
    values = history.values_at(best_epoch) if is_measured and best_epoch is not None else {}
    missing = f"epoch {best_epoch}, its best, left no checkpoint" if competes and best.path is None else ""
    return TrialResult(
        number=task.number,
        state=outcome.state,
        reason="; ".join(filter(None, (outcome.reason, missing, task.start.remark))),
        failure=outcome.failure,
        assignment=dict(task.proposal.assignment),
        values=with_wanted(task, values),
        best_epoch=best_epoch if is_measured else None,
        epochs=history.epochs,
        curve=history.curve,
        elapsed_s=elapsed_s,
        directory=StudyPaths(task.study_directory).relative(task.directory),
        checkpoint=best.path,
        sha256=best.sha256,
        attempt=task.start.attempt,
        exit_status=exit_status,
        log_tail=read_tail(task.files.log_file) if outcome.state is TrialState.FAILED else (),
        parent=task.start.parent,
        replicate_of=task.proposal.replicate_of,
        seed=task.proposal.seed,
        origin=task.proposal.origin,
        changes=dict(task.start.changes),
        gpus=task.command.gpus,
        cause=outcome.cause,
    )


def with_wanted(task: TrialTask, values: dict[str, float]) -> dict[str, float]:
    """Return metrics with those that the study looks at under the names it gives them, where they have others."""
    found = {name: values[alias] for name in task.watch.wanted if (alias := find_name(values, name)) is not None}
    return {**values, **found}
