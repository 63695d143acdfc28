"""Delete the checkpoints that cannot win any more, once their writer is dead.

A trial's checkpoints are hundreds of megabytes an epoch, and only one epoch of one trial is handed over. What stays:
the checkpoint of the incumbent's best epoch, those of trials that others start from, and every file of a trial that may
still run; of a paused trial the checkpoint it goes on from and its best one. Status files, logs and specs always stay.
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.study.result import StudyResult
from automl.trial.attempts import find_continuation, measured_by, starts_of
from automl.trial.checkpoints import all_checkpoints, checkpoint_of_epoch, size_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from automl.architectures.model import CheckpointNaming
    from automl.storage.paths import StudyPaths
    from automl.study.model import Objective, StudyPlan
    from automl.study.objectives import Constraint
    from automl.study.state import TrialRecord
    from automl.study.trial import TrialResult

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    """What was deleted.

    Attributes:
        files: Checkpoints, relative to the study directory.
        freed_bytes: Their size.
    """

    files: tuple[str, ...]
    freed_bytes: int


class Retention:
    """Deletes, after every end of a trial, what can no longer win.

    Args:
        plan: The study; with its option ``keep_checkpoints: all`` nothing is deleted.
        paths: Of the study.
    """

    def __init__(self, plan: StudyPlan, paths: StudyPaths) -> None:
        self._plan = plan
        self._paths = paths
        self._swept: set[int] = set()

    def sweep(self, finished: Sequence[TrialResult], needed: Collection[Path]) -> None:
        """Delete what cannot win.

        Args:
            finished: All trials that have ended.
            needed: Checkpoints that running trials started from.
        """
        if self._plan.options.get("keep_checkpoints") == "all":
            return
        kept = winners(finished, self._plan.objectives, self._plan.constraints, top=max(1, self._plan.replicates))
        unswept = [result for result in finished if result.number not in self._swept]
        retired = retire_checkpoints(
            self._paths, unswept, self._plan.skill.architecture.checkpoints, kept=kept, needed=needed
        )
        self._swept = {result.number for result in finished} - kept
        if retired.files:
            logger.debug("deleted %d checkpoints, %d bytes", len(retired.files), retired.freed_bytes)

    def thin(self, paused: TrialRecord) -> None:
        """Delete of a paused trial, whose writer is dead, all but the checkpoint it continues from and its best one."""
        result, naming = paused.result, self._plan.skill.architecture.checkpoints
        chain = measured_by(self._paths, paused)
        continued = find_continuation(chain, naming, until=paused.paused_at)
        keeps_all = self._plan.options.get("keep_checkpoints") == "all"
        if continued is None or keeps_all or result is None or result.best_epoch is None:
            return
        begun_from = starts_of(self._paths, paused)[0].checkpoint
        best = [checkpoint_of_epoch(folder, naming, result.best_epoch) for folder in chain]
        kept = {continued.checkpoint, begun_from, *best}
        for attempt in self._paths.attempts(paused.number):
            for path in all_checkpoints(attempt.root, naming):
                if path not in kept:
                    _delete(path)
            _delete_dangling_links(attempt.root)


def retire_checkpoints(
    paths: StudyPaths,
    finished: Sequence[TrialResult],
    naming: CheckpointNaming,
    *,
    kept: Collection[int],
    needed: Collection[Path] = (),
) -> Retired:
    """Delete every checkpoint of the finished trials except the best one of each trial that is kept.

    Links called "latest" that lead to a deleted file are deleted with it. A file that cannot be deleted is left.

    Args:
        paths: Of the study.
        finished: Trials whose processes are dead; others are not touched.
        naming: How the trainer names its checkpoints.
        kept: Numbers of the trials that keep their best checkpoint: the incumbent, the Pareto front.
        needed: Checkpoints that running trials started from.
    """
    files: list[str] = []
    freed_bytes = 0
    for result in finished:
        best = paths.root / result.checkpoint if result.number in kept and result.checkpoint else None
        for folder in (attempt.root for attempt in paths.attempts(result.number)):
            for path in all_checkpoints(folder, naming):
                # A kept trial whose best checkpoint is not known keeps everything: better too much than the wrong one.
                if path == best or path in needed or (result.number in kept and best is None):
                    continue
                size = size_of(path)
                if _delete(path):
                    files.append(str(path.relative_to(paths.root)))
                    freed_bytes += size
            _delete_dangling_links(folder)
    return Retired(files=tuple(files), freed_bytes=freed_bytes)


def winners(
    finished: Sequence[TrialResult],
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint] = (),
    *,
    top: int = 1,
) -> set[int]:
    """Return the trials that may still be handed over: the best one, or with several objectives the Pareto front.

    While no trial has a value of every objective, each that has the primary one may still be on the front. Of trials
    that will be replicated, the ``top`` ones, any may win.
    """
    leading, *further = objectives
    result = StudyResult(
        objective=leading, trials=tuple(finished), further=tuple(further), constraints=tuple(constraints)
    )
    return {trial.number for trial in (*result.ranked()[:top], *(result.pareto or result.ranked()))}


def _delete(path: Path) -> bool:
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError as error:
        logger.warning("the checkpoint %s could not be deleted: %s", path, error)
        return False
    return True


def _delete_dangling_links(folder: Path) -> None:
    for link in folder.rglob("*latest*"):
        if link.is_symlink() and not link.exists():
            _delete(link)
