"""Delete the checkpoints that cannot win any more, once their writer is dead.

A trial's checkpoints are hundreds of megabytes an epoch, and only one epoch of one trial is handed over. What stays:
the checkpoint of the incumbent's best epoch, those of trials that others start from, and every file of a trial that may
still run; of a paused trial the checkpoint it goes on from and its best one. Status files, logs and specs always stay,
and so does what lies behind a link, unless the study has recorded it (see `automl.storage.deletion`).
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from automl.executor.decide import result_of
from automl.regular_file import followed
from automl.storage.deletion import delete, is_deletable, real_path
from automl.trial.attempts import find_continuation, measured_by, starts_of
from automl.trial.checkpoints import all_checkpoints, checkpoint_of_epoch, latest_links, size_of
from automl.trial.watch import watch_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
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
        self._kept: dict[int, TrialResult] = {}

    def sweep(self, ended: Iterable[TrialResult], needed: Collection[Path]) -> None:
        """Delete what cannot win any more, but no checkpoint that a running trial started from.

        ``ended`` has the trials that ended since the last call. What could not win before cannot win now.
        """
        if self._keeps_all:
            return
        candidates = {**self._kept, **{result.number: result for result in ended}}
        kept = winners(result_of(self._plan, candidates.values()), top=max(1, self._plan.replicates))
        freed = retire_checkpoints(self._paths, tuple(candidates.values()), self._naming, kept=kept, needed=needed)
        self._kept = {number: result for number, result in candidates.items() if number in kept}
        if freed:
            logger.debug("deleted %d checkpoints, %d bytes", len(freed), sum(freed.values()))

    def thin(self, paused: TrialRecord) -> None:
        """Delete of a paused trial, whose writer is dead, all but the checkpoint it continues from and its best one."""
        result, chain = paused.result, measured_by(self._paths, paused)
        continued = find_continuation(chain, watch_of(self._plan), until=paused.paused_at)
        if continued is None or self._keeps_all or result is None or result.best_epoch is None:
            return
        begun_from = starts_of(self._paths, paused)[0].checkpoint
        best = [checkpoint_of_epoch(folder, self._naming, result.best_epoch) for folder in chain]
        _clear(self._paths, result, self._naming, kept={continued.checkpoint, begun_from, *best})

    def recorded(self, trial: TrialRecord, result: TrialResult, links: Mapping[str, str]) -> TrialResult:
        """Return a result with the checkpoints that lie behind links which stood in the study when it was started."""
        folders = [self._paths.attempt(trial.number, start["attempt"]).root for start in trial.starts if links]
        found = [real_path(path) for folder in folders for path in all_checkpoints(folder, self._naming)]
        behind = {str(path) for path in found if any(path.is_relative_to(target) for target in links.values())}
        return replace(result, files_behind_links=tuple(sorted(behind)))


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
        freed |= _clear(paths, result, naming, kept={*needed, *best})
    return freed


def winners(study: StudyResult, *, top: int = 1) -> set[int]:
    """Return the trials that may still be handed over: the best one, or with several objectives the Pareto front.

    While no trial has a value of every objective, each that has the primary one may still be on the front. Of trials
    that will be replicated, the ``top`` ones, any may win.
    """
    ranked = study.ranked()
    return {trial.number for trial in (*ranked[:top], *(study.pareto or ranked))}


def _clear(
    paths: StudyPaths, result: TrialResult, naming: CheckpointNaming, *, kept: Collection[Path | None]
) -> dict[Path, int]:
    """Delete the checkpoints of a trial but those that are kept; return file -> bytes of those that are gone.

    Links called "latest" that led to a deleted file are deleted with it. A file that cannot be deleted is left.
    """
    inside, recorded = followed(paths.root), result.files_behind_links
    stay = {followed(path) for path in kept if path is not None}
    freed: dict[Path, int] = {}
    for attempt in paths.attempts(result.number):
        links = latest_links(attempt.root)
        for path in all_checkpoints(attempt.root, naming):
            real = followed(path)
            if real in stay or not is_deletable(path, inside=inside, recorded=recorded):
                continue
            size = size_of(path)
            try:
                delete(path, inside=inside, recorded=recorded)
                for link in (link for link, target in links.items() if target == real):
                    delete(link, inside=inside)
            except OSError as error:
                logger.warning("the checkpoint %s could not be deleted: %s", path, error)
            if not path.exists():
                freed[path] = size
    return freed
