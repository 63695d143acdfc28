"""Delete the checkpoints that cannot win any more, once their writer is dead.

A trial's checkpoints are hundreds of megabytes an epoch, and only one epoch of one trial is handed over. What stays:
the checkpoint of the incumbent's best epoch, those of trials that others start from, and every file of a trial that may
still run; of a paused trial the checkpoint it goes on from and its best one. Status files, logs and specs always stay.
"""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING

from automl.executor.decide import result_of
from automl.trial.attempts import find_continuation, measured_by, starts_of
from automl.trial.checkpoints import all_checkpoints, checkpoint_of_epoch, size_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from automl.architectures.model import CheckpointNaming
    from automl.storage.paths import StudyPaths
    from automl.study.model import StudyPlan
    from automl.study.result import StudyResult
    from automl.study.state import TrialRecord
    from automl.study.trial import TrialResult

logger = logging.getLogger(__name__)


class Retention:
    """Deletes, after every end of a trial, what can no longer win; with ``keep_checkpoints: all`` nothing."""

    def __init__(self, plan: StudyPlan, paths: StudyPaths) -> None:
        self._plan = plan
        self._paths = paths
        self._naming = plan.skill.architecture.checkpoints
        self._keeps_all = plan.options.get("keep_checkpoints") == "all"
        self._swept: set[int] = set()

    def sweep(self, finished: Sequence[TrialResult], needed: Collection[Path]) -> None:
        """Delete what cannot win of the trials that have ended, but no checkpoint that a running one started from."""
        if self._keeps_all:
            return
        kept = winners(result_of(self._plan, finished), top=max(1, self._plan.replicates))
        unswept = [result for result in finished if result.number not in self._swept]
        freed = retire_checkpoints(self._paths, unswept, self._naming, kept=kept, needed=needed)
        self._swept = {result.number for result in finished} - kept
        if freed:
            logger.debug("deleted %d checkpoints, %d bytes", len(freed), sum(freed.values()))

    def thin(self, paused: TrialRecord) -> None:
        """Delete of a paused trial, whose writer is dead, all but the checkpoint it continues from and its best one."""
        result, chain = paused.result, measured_by(self._paths, paused)
        continued = find_continuation(chain, self._naming, until=paused.paused_at)
        if continued is None or self._keeps_all or result is None or result.best_epoch is None:
            return
        begun_from = starts_of(self._paths, paused)[0].checkpoint
        best = [checkpoint_of_epoch(folder, self._naming, result.best_epoch) for folder in chain]
        for attempt in self._paths.attempts(paused.number):
            _clear(attempt.root, self._naming, kept={continued.checkpoint, begun_from, *best})


def retire_checkpoints(
    paths: StudyPaths,
    finished: Sequence[TrialResult],
    naming: CheckpointNaming,
    *,
    kept: Collection[int],
    needed: Collection[Path] = (),
) -> dict[Path, int]:
    """Delete every checkpoint of trials whose processes are dead except the best one of each trial that is kept.

    ``kept`` has the numbers of the incumbent or the Pareto front, ``needed`` the checkpoints that running trials
    started from. Returns the deleted files with their sizes in bytes.
    """
    freed: dict[Path, int] = {}
    for result in finished:
        best = {paths.root / result.checkpoint} if result.number in kept and result.checkpoint else set()
        if result.number in kept and not best:
            continue  # its best checkpoint is not known: better too much than the wrong one
        for attempt in paths.attempts(result.number):
            freed |= _clear(attempt.root, naming, kept={*needed, *best})
    return freed


def winners(study: StudyResult, *, top: int = 1) -> set[int]:
    """Return the trials that may still be handed over: the best one, or with several objectives the Pareto front.

    While no trial has a value of every objective, each that has the primary one may still be on the front. Of trials
    that will be replicated, the ``top`` ones, any may win.
    """
    ranked = study.ranked()
    return {trial.number for trial in (*ranked[:top], *(study.pareto or ranked))}


def _clear(folder: Path, naming: CheckpointNaming, *, kept: Collection[Path | None]) -> dict[Path, int]:
    """Delete the checkpoints below a folder but those that are kept; return file -> bytes of those that are gone.

    Links called "latest" that lead to a deleted file are deleted with it. A file that cannot be deleted is left.
    """
    sizes = {path: size_of(path) for path in all_checkpoints(folder, naming) if path not in kept}
    freed = {path: size for path, size in sizes.items() if _delete(path)}
    for link in folder.rglob("*latest*"):
        if link.is_symlink() and not link.exists():
            _delete(link)
    return freed


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
