"""How each attempt of a trial starts: from nothing, from where an earlier attempt was cut off, or from another trial.

Each attempt has a directory of its own, because trainers resume by themselves from whatever they find in an old one. So
a continued attempt is given its checkpoint, and the epochs before it are read from the directories left behind. The
starts are part of the event log, so a resume after any crash finds the same chain of attempts; `attempt.json` repeats
them for people. What follows an attempt that failed depends on the cause:

| cause | then |
|---|---|
| infrastructure (node lost, port taken, disk gone) | another attempt that goes on where it was, at most 3 in all |
| out of memory | one more attempt: half the batch and twice the accumulation where the skill allows, else alone |
| a continued attempt failed before it measured anything | one more, from the start: its checkpoint may be the reason |
| the trainer's own error, its data, its spec | none: it would fail again |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import count, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.space.values import Scalar
from automl.spec.special import takes_checkpoint
from automl.storage.paths import AttemptPaths
from automl.study.trial import FailureKind, TrialState
from automl.trial.checkpoints import list_checkpoints
from automl.trial.sources import recorded_measurements
from automl.trial.watch import watch_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from automl.storage.paths import StudyPaths
    from automl.study.model import StudyPlan
    from automl.study.state import TrialRecord
    from automl.study.trial import Measurement, TrialResult
    from automl.trial.watch import TrialWatch

MAX_ATTEMPTS = 3
"""Attempts of one trial that the infrastructure may cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How one attempt starts.

    Attributes:
        attempt: One-based.
        checkpoint: Continued from; None for a start from nothing.
        first_epoch: Zero-based epoch that the attempt begins with.
        earlier: Directories whose measurements before ``first_epoch`` count, the oldest first.
        parent: Number of the trial whose checkpoint the trial began with.
        changes: Values laid over the trial's, because memory ran out.
        is_alone: No other trial runs beside it, because memory ran out.
        remark: Sentence for the result; empty when nothing is special.
        earlier_s: Seconds that the trial's earlier attempts took.
        token: Random, and in ``attempt.json``: of this attempt alone; empty before version 0.2.
    """

    attempt: int = 1
    checkpoint: Path | None = None
    first_epoch: int = 0
    earlier: tuple[Path, ...] = ()
    parent: int | None = None
    changes: Mapping[str, Scalar] = field(default_factory=dict)
    is_alone: bool = False
    remark: str = ""
    earlier_s: float = field(default=0.0, compare=False)
    token: str = field(default="", compare=False)

    def document(self, paths: StudyPaths) -> dict[str, Any]:
        """Return its JSON form, with paths relative to the study directory."""
        return asdict(self) | {
            "checkpoint": None if self.checkpoint is None else paths.relative(self.checkpoint),
            "earlier": [paths.relative(path) for path in self.earlier],
            "earlier_s": round(self.earlier_s, 3),
        }

    @classmethod
    def of_document(cls, document: Mapping[str, Any], root: Path) -> Start:
        """Return the start of which a document is the JSON form; what the document lacks has its default."""
        checkpoint = document.get("checkpoint")
        located = {
            "checkpoint": None if checkpoint is None else root / checkpoint,
            "earlier": tuple(root / path for path in document.get("earlier", ())),
        }
        return cls(**{**document, **located})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What the next attempt does differently: afresh, it continues no earlier attempt; the rest is as in `Start`."""

    is_afresh: bool = False
    changes: Mapping[str, Scalar] = field(default_factory=dict)
    is_alone: bool = False
    remark: str = ""


CONTINUE = Change()


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """The last whole checkpoint of earlier attempts, and the zero-based epoch that is measured first after it."""

    checkpoint: Path
    first_epoch: int


def may_continue_after(plan: StudyPlan, epoch: int) -> bool:
    """Tell whether a trial can be ended after an epoch and continued from there, and has anything left to do."""
    has_more = plan.max_epochs is None or epoch + 1 < plan.max_epochs
    return has_more and takes_checkpoint(plan.skill.actions[plan.action])


def next_start(plan: StudyPlan, paths: StudyPaths, trial: TrialRecord) -> Start:
    """Return how the next attempt of a trial starts.

    It continues from the last whole checkpoint of the attempts that continue each other, where the trainer can; else it
    begins where the trial began. Changes of earlier attempts stay.
    """
    attempt = unused_attempt(paths, trial.number, after=trial.attempt)
    starts = starts_of(paths, trial)
    if not starts:
        return Start(attempt=attempt)
    last, change = starts[-1], Change(**trial.change)
    begin = replace(
        starts[0],
        attempt=attempt,
        changes=change.changes or last.changes,
        is_alone=change.is_alone or last.is_alone,
        remark=change.remark or last.remark,
        earlier_s=trial.elapsed_s,
    )
    if change.is_afresh or change.changes or not takes_checkpoint(plan.skill.actions[plan.action]):
        return begin
    # What a paused trial did after the decision to pause it did not count, and is done again.
    earlier = measured_by(paths, trial)
    own = earlier[len(begin.earlier) :]
    found = find_continuation(own, watch_of(plan), until=trial.paused_at)
    if found is None:
        return begin
    return replace(begin, checkpoint=found.checkpoint, first_epoch=found.first_epoch, earlier=earlier)


def unused_attempt(paths: StudyPaths, number: int, *, after: int = 0) -> int:
    """Return the first number of an attempt of a trial, after one, that has no directory.

    A driver that died before its event leaves a directory, and a person may.
    """
    return next(n for n in count(after + 1) if not paths.attempt(number, n).root.exists())


def starts_of(paths: StudyPaths, trial: TrialRecord) -> list[Start]:
    """Return the starts of a trial's attempts, the oldest first."""
    return [Start.of_document(document, paths.root) for document in trial.starts]


def measured_by(paths: StudyPaths, trial: TrialRecord) -> tuple[Path, ...]:
    """Return the directories that hold what a trial has measured so far, the oldest first.

    They are those that its first attempt began with, and those of its last attempts that continue each other.
    """
    starts = starts_of(paths, trial)
    if not starts:
        return ()
    folders = [paths.attempt(trial.number, start.attempt).root for start in starts]
    begin = max(index for index, start in enumerate(starts) if not set(folders) & set(start.earlier))
    return (*starts[0].earlier, *folders[begin:])


def find_continuation(
    directories: Sequence[Path], watch: TrialWatch, *, until: int | None = None
) -> Continuation | None:
    """Return how to continue a trial, or None where no attempt left a whole checkpoint with an epoch.

    A checkpoint is used only where the files tell the epochs before it: trainers that report to their log alone are
    started anew unless the study says how they number epochs, because their earlier epochs would be lost. A checkpoint
    of an epoch that was not reported yet was saved in the middle of it; the trainer then finishes that epoch.

    The earlier attempts come oldest first; after epoch ``until`` checkpoints are used only if there is no earlier one.
    """
    measured = sorted({m.epoch for m in _measurements(directories, watch) if m.epoch is not None})
    furthest = measured[-1] + max([1, *(b - a for a, b in pairwise(measured))]) if measured else -1
    found = [checkpoint for directory in directories for checkpoint in list_checkpoints(directory, watch.naming)]
    usable = [checkpoint for checkpoint in found if checkpoint.epoch <= furthest]
    if not usable:
        return None
    usable = [checkpoint for checkpoint in usable if until is None or checkpoint.epoch <= until] or usable
    # Of equal ones the newest attempt's: an older attempt may have been started from other weights.
    last = max(reversed(usable), key=lambda checkpoint: (checkpoint.epoch, checkpoint.step))
    first_epoch = last.epoch + 1 if last.epoch in measured else last.epoch
    return Continuation(checkpoint=last.path, first_epoch=first_epoch)


def earlier_measurements(start: Start, watch: TrialWatch) -> Iterator[Measurement]:
    """Yield what counts of the measurements of earlier attempts, the oldest attempt first."""
    return (m for m in _measurements(start.earlier, watch) if m.epoch is not None and m.epoch < start.first_epoch)


def _measurements(directories: Sequence[Path], watch: TrialWatch) -> Iterator[Measurement]:
    return (m for directory in directories for m in recorded_measurements(AttemptPaths(directory), watch))


def change_after(result: TrialResult, start: Start, losses: int, plan: StudyPlan) -> Change | None:
    """Return what the next attempt does differently, or None when there is none.

    ``losses`` counts the attempts that the infrastructure has cost before.
    """
    if result.state is not TrialState.FAILED:
        return None
    if result.failure is FailureKind.INFRASTRUCTURE:
        return CONTINUE if losses + 1 < MAX_ATTEMPTS else None
    if result.failure is FailureKind.OUT_OF_MEMORY:
        return _with_more_memory(start, plan, result.assignment)
    if result.failure is FailureKind.TIMEOUT or start.checkpoint is None or not start.earlier:
        return None
    has_progressed = any(epoch >= start.first_epoch for epoch, _ in result.curve)
    return None if has_progressed else Change(is_afresh=True)


def _with_more_memory(start: Start, plan: StudyPlan, assignment: Mapping[str, Scalar]) -> Change | None:
    if start.changes or start.is_alone:
        return None
    keys = plan.skill.architecture.keys
    batch_key, accumulate_key = plan.spec.first_of(keys.batch_size), plan.spec.first_of(keys.accumulate)
    if batch_key is not None and accumulate_key is not None:
        spec = plan.spec.with_values(dict(assignment), origin="trial")
        batch, accumulate = spec.get(batch_key), spec.get(accumulate_key)
        if isinstance(batch, int) and isinstance(accumulate, int) and batch > 1 and batch % 2 == 0:
            return Change(
                changes={batch_key: batch // 2, accumulate_key: 2 * accumulate},
                remark=f"memory ran out: batches of {batch // 2} instead of {batch}, {2 * accumulate} to a step",
            )
    return Change(is_alone=True, is_afresh=True, remark="memory ran out: tried again with no other trial beside it")
