"""Ray Tune's search algorithm: asks our loop for tasks and reports how they ended.

Ray copies and pickles search algorithms; what is copied here is a key, behind which the one loop of this process
stands. No value ever reaches Ray's own bookkeeping, so none that is not finite can upset it.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

from ray.tune.progress_reporter import ProgressReporter
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher as TuneSearcher

from automl.executor.ray.actor import LAUNCHER, MEASUREMENTS, RESULT, TASK

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController
    from ray.tune.experiment import Trial

    from automl.executor.loop import StudyLoop
    from automl.executor.ray.nodes import LauncherChoice
    from automl.study.trial import Measurement

_LOOPS: dict[str, StudyLoop] = {}


class ForgetEnded(FIFOScheduler):
    """Lets Tune forget trials that have ended, of which it would keep 100 KB each and look at all in every step.

    A scheduler, since Tune imports MLflow and others as soon as it has a callback.
    """

    def on_trial_add(self, tune_controller: TuneController, trial: Trial) -> None:
        """Remove what has ended from Tune's own list, and empty what else refers to it."""
        super().on_trial_add(tune_controller, trial)
        trials = tune_controller.get_trials()  # type: ignore[no-untyped-call] # Ray's
        ended = [known for known in trials if known.status in {trial.TERMINATED, trial.ERROR}]
        for known in ended:
            known.config.clear()
            known.evaluated_params.clear()
            vars(known.run_metadata).update(last_result={}, metric_analysis={}, metric_n_steps={})
        trials[:] = [known for known in trials if known not in ended]


class NoProgress(ProgressReporter):
    """Shows nothing: in a notebook Tune's own reporter would clear the output of the cell, and with it our progress."""

    def should_report(self, trials: list[Trial], done: bool = False) -> bool:  # noqa: FBT001, FBT002 - Ray's
        """Return False."""
        del trials, done
        return False


class LoopSearch(TuneSearcher):
    """Connects Ray Tune with a `StudyLoop`, which ``key`` names within this process."""

    def __init__(self, key: str, loop: StudyLoop, launcher: LauncherChoice) -> None:
        super().__init__(metric=None, mode=None)
        _LOOPS[key] = loop
        self._key = key
        self._launcher = pickle.dumps(launcher)
        self._numbers: dict[str, int] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override] # Ray omits FINISHED
        """Return the next attempt, None while there is none, or FINISHED."""
        loop = _LOOPS[self._key]
        task = loop.next_task()
        if task is None:
            return TuneSearcher.FINISHED if loop.is_over else None
        self._numbers[trial_id] = task.number
        return {TASK: pickle.dumps(task), LAUNCHER: self._launcher}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Hand on what a running trial reported."""
        loop = _LOOPS[self._key]
        measurements: list[Measurement] = pickle.loads(result[MEASUREMENTS])  # noqa: S301 # from our own actors
        for measurement in measurements:
            loop.measured(self._numbers[trial_id], measurement)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:  # noqa: FBT001, FBT002 # Ray's signature
        """Hand on how a trial ended, or that its actor is gone."""
        loop = _LOOPS[self._key]
        if error or result is None or RESULT not in result:
            loop.lost(self._numbers.pop(trial_id), "its Ray worker or node was lost")
            return
        self.on_trial_result(trial_id, result)
        del self._numbers[trial_id]
        loop.ended(pickle.loads(result[RESULT]))  # noqa: S301 # from our own actors

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: the event log is the record."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing."""

    def forget(self) -> None:
        """Let go of the loop."""
        _LOOPS.pop(self._key, None)
