"""How each attempt of a trial starts: from nothing, from where an earlier attempt was cut off, or from another trial.

Each attempt has a directory of its own, because trainers resume by themselves from whatever they find in an old one.
The starts of a trial's attempts are part of the event log, so a resume after any crash finds the same chain of
attempts: which one continues which, and what was changed when memory ran out. `attempt.json` repeats the start for
people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.space.values import Scalar
from automl.spec.special import takes_checkpoint
from automl.storage.documents import write_document
from automl.trial.continuation import find_continuation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl.storage.paths import StudyPaths
    from automl.study.model import StudyPlan
    from automl.study.state import TrialRecord


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

    def document(self, paths: StudyPaths) -> dict[str, Any]:
        """Return its JSON form, with paths relative to the study directory."""
        return {
            "attempt": self.attempt,
            "checkpoint": None if self.checkpoint is None else paths.relative(self.checkpoint),
            "first_epoch": self.first_epoch,
            "earlier": [paths.relative(path) for path in self.earlier],
            "parent": self.parent,
            "changes": dict(self.changes),
            "is_alone": self.is_alone,
            "remark": self.remark,
            "earlier_s": round(self.earlier_s, 3),
        }

    @classmethod
    def of_document(cls, document: Mapping[str, Any], root: Path) -> Start:
        """Return the start of which a document is the JSON form; what the document lacks has its default."""
        checkpoint = document.get("checkpoint")
        return cls(
            **{
                **document,
                "checkpoint": None if checkpoint is None else root / checkpoint,
                "earlier": tuple(root / path for path in document.get("earlier", ())),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What the next attempt does differently from the last one.

    Attributes:
        is_afresh: It continues no earlier attempt.
        changes: See `Start`.
        is_alone: See `Start`.
        remark: See `Start`.
    """

    is_afresh: bool = False
    changes: Mapping[str, Scalar] = field(default_factory=dict)
    is_alone: bool = False
    remark: str = ""


CONTINUE = Change()


def may_continue_after(plan: StudyPlan, epoch: int) -> bool:
    """Tell whether a trial can be ended after an epoch and continued from there, and has anything left to do."""
    has_more = plan.max_epochs is None or epoch + 1 < plan.max_epochs
    return has_more and takes_checkpoint(plan.skill.actions[plan.action])


def next_start(plan: StudyPlan, paths: StudyPaths, trial: TrialRecord) -> Start:
    """Return how the next attempt of a trial starts.

    It continues from the last whole checkpoint of the attempts that continue each other, where the trainer can; else it
    begins where the trial began. Changes of earlier attempts stay.

    Args:
        plan: The study.
        paths: Of the study.
        trial: What the events say of the trial.
    """
    attempt = 1 + trial.attempt
    while paths.attempt(trial.number, attempt).root.exists():  # made by a driver that died before its event
        attempt += 1
    starts = starts_of(paths, trial)
    if not starts:
        return Start(attempt=attempt)
    first, last, change = starts[0], starts[-1], Change(**trial.change)
    begin = replace(
        first,
        attempt=attempt,
        changes=change.changes or last.changes,
        is_alone=change.is_alone or last.is_alone,
        remark=change.remark or last.remark,
        earlier_s=trial.elapsed_s,
    )
    if change.is_afresh or change.changes or not takes_checkpoint(plan.skill.actions[plan.action]):
        return begin
    # What a paused trial did after the decision to pause it did not count, and is done again.
    found = find_continuation(_chain(paths, trial), plan.skill.architecture.checkpoints, until=trial.paused_at)
    if found is None:
        return begin
    earlier = (*first.earlier, *found.directories)
    return replace(begin, checkpoint=found.checkpoint, first_epoch=found.first_epoch, earlier=earlier)


def starts_of(paths: StudyPaths, trial: TrialRecord) -> list[Start]:
    """Return the starts of a trial's attempts, the oldest first."""
    return [Start.of_document(document, paths.root) for document in trial.starts]


def measured_by(paths: StudyPaths, trial: TrialRecord) -> tuple[Path, ...]:
    """Return the directories that hold what a trial has measured so far, the oldest first."""
    starts = starts_of(paths, trial)
    return (*starts[0].earlier, *_chain(paths, trial)) if starts else ()


def write_start(paths: StudyPaths, number: int, start: Start) -> None:
    """Write the start of an attempt into its directory.

    Raises:
        OSError: it cannot be written.
    """
    write_document(paths.attempt(number, start.attempt).start_file, start.document(paths))


def _chain(paths: StudyPaths, trial: TrialRecord) -> list[Path]:
    """Return the directories of the last attempts that continue each other."""
    starts = starts_of(paths, trial)
    folders = [paths.attempt(trial.number, start.attempt).root for start in starts]
    own = set(folders)
    begins: Sequence[int] = [index for index, start in enumerate(starts) if not own & set(start.earlier)]
    return folders[begins[-1] :]
