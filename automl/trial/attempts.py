"""How each attempt of a trial starts: from nothing, from where an earlier attempt was cut off, or from another trial.

The start of an attempt is written to its directory before it runs, so that a resume after any crash finds the same
chain of attempts: which one continues which, and what was changed when memory ran out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from automl.space.values import Scalar
from automl.spec.special import takes_checkpoint
from automl.storage.documents import read_document, write_document
from automl.storage.paths import AttemptPaths
from automl.trial.continuation import find_continuation
from automl.trial.stop_request import read_last_epoch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from automl.storage.paths import StudyPaths
    from automl.study.model import StudyPlan


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
        remark: For the result, in words; empty when nothing is special.
        earlier_s: Seconds that the trial's earlier attempts took.
    """

    attempt: int = 1
    checkpoint: Path | None = None
    first_epoch: int = 0
    earlier: tuple[Path, ...] = ()
    parent: int | None = None
    changes: Mapping[str, Scalar] = field(default_factory=lambda: MappingProxyType({}))
    is_alone: bool = False
    remark: str = ""
    earlier_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What the next attempt does otherwise than the last one.

    Attributes:
        is_afresh: It takes up nothing from earlier attempts.
        changes: See `Start`.
        is_alone: See `Start`.
        remark: See `Start`.
    """

    is_afresh: bool = False
    changes: Mapping[str, Scalar] = field(default_factory=lambda: MappingProxyType({}))
    is_alone: bool = False
    remark: str = ""


CONTINUE = Change()


def goes_on_after(plan: StudyPlan, epoch: int) -> bool:
    """Tell whether a trial can be ended after an epoch and continued from there, and has anything left to do."""
    has_more = plan.max_epochs is None or epoch + 1 < plan.max_epochs
    return has_more and takes_checkpoint(plan.skill.actions[plan.action])


def next_attempt(directory: StudyPaths, number: int) -> int:
    """Return a trial's first attempt without a directory: a trainer resumes from whatever it finds in an old one."""
    attempt = 1
    while directory.attempt(number, attempt).root.exists():
        attempt += 1
    return attempt


def next_start(plan: StudyPlan, directory: StudyPaths, number: int, change: Change = CONTINUE) -> Start:
    """Return how the next attempt of a trial starts.

    It goes on from the last whole checkpoint of the attempts that continue each other, where the trainer can; else it
    begins where the trial began. Changes of earlier attempts stay.

    Raises:
        ConfigurationError: the start of an earlier attempt cannot be read.
    """
    attempt = next_attempt(directory, number)
    folders = [directory.attempt(number, earlier).root for earlier in range(1, attempt)]
    starts = [read_start(folder, directory.root) for folder in folders]
    if not starts:
        return Start(attempt=attempt)
    first, last = starts[0], starts[-1]
    begin = replace(
        first,
        attempt=attempt,
        changes=change.changes or last.changes,
        is_alone=change.is_alone or last.is_alone,
        remark=change.remark or last.remark,
        earlier_s=seconds_of_attempts(directory, number),
    )
    if change.is_afresh or change.changes or not takes_checkpoint(plan.skill.actions[plan.action]):
        return begin
    chain = _chain(folders, starts)
    # What a paused trial did after the decision to pause it did not count, and is done again.
    found = find_continuation(chain, plan.skill.architecture.checkpoints, until=read_last_epoch(chain[-1]))
    if found is None:
        return begin
    earlier = (*first.earlier, *found.directories)
    return replace(begin, checkpoint=found.checkpoint, first_epoch=found.first_epoch, earlier=earlier)


def measured_by(directory: StudyPaths, number: int) -> tuple[Path, ...]:
    """Return the directories that hold what a trial has measured so far, the oldest first.

    Raises:
        ConfigurationError: the start of an attempt cannot be read.
    """
    folders = [directory.attempt(number, attempt).root for attempt in range(1, next_attempt(directory, number))]
    starts = [read_start(folder, directory.root) for folder in folders]
    return (*starts[0].earlier, *_chain(folders, starts)) if starts else ()


def seconds_of_attempts(directory: StudyPaths, number: int) -> float:
    """Return how long the attempts of a trial have run, as its result says where the last one has one.

    Else that one ran from its start to the last thing that it wrote: whatever ended it, a killed driver too, the files
    tell it. A silent end is lost, and a clock that was set meanwhile counts; of all earlier attempts its start knows.

    Raises:
        ConfigurationError: the start of the last attempt cannot be read.
    """
    last = next_attempt(directory, number) - 1
    if last == 0:
        return 0.0
    measured_s = _seconds_of_result(directory.result_file(number), last)
    folder = directory.attempt(number, last).root
    return read_start(folder, directory.root).earlier_s + _seconds_of(folder) if measured_s is None else measured_s


def _seconds_of_result(file: Path, attempt: int) -> float | None:
    try:
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    has_ended = document.get("attempt") == attempt and document.get("elapsed_s")
    return float(document["elapsed_s"]) if has_ended else None


def _seconds_of(folder: Path) -> float:
    try:
        began_s = AttemptPaths(folder).start_file.stat().st_mtime
        return max([0.0, *(file.stat().st_mtime - began_s for file in AttemptPaths(folder).trainer_files())])
    except OSError:
        return 0.0


def write_start(folder: Path, start: Start, root: Path) -> None:
    """Write the start of an attempt into its directory, with paths relative to the study directory.

    Raises:
        OSError: it cannot be written.
    """
    write_document(AttemptPaths(folder).start_file, _with_paths(start, lambda path: _relative(path, root)))


def read_start(folder: Path, root: Path) -> Start:
    """Read the start of an attempt; that of an attempt that was never begun is a start from nothing.

    Raises:
        ConfigurationError: the file is there and cannot be read.
    """
    try:
        start = read_document(AttemptPaths(folder).start_file, Start)
    except FileNotFoundError:
        return Start()
    return _with_paths(start, lambda path: root / path)


def _chain(folders: Sequence[Path], starts: Sequence[Start]) -> list[Path]:
    """Return the directories of the last attempts that continue each other."""
    own = set(folders)
    begins = [index for index, start in enumerate(starts) if not own & set(start.earlier)]
    return list(folders[begins[-1] :])


def _with_paths(start: Start, change: Callable[[Path], Path]) -> Start:
    checkpoint = None if start.checkpoint is None else change(start.checkpoint)
    return replace(start, checkpoint=checkpoint, earlier=tuple(map(change, start.earlier)))


def _relative(path: Path, root: Path) -> Path:
    return path.relative_to(root) if path.is_relative_to(root) else path
