"""Syne Tune's local back-end on the benchmark's tasks; run by the interpreter of an environment that has Syne Tune.

SYNE_TUNE_PYTHON syne_tune_peer.py TRAINER TASKS.json JOBS
"""

from __future__ import annotations

import json
import logging
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syne_tune import StoppingCriterion, Tuner
from syne_tune.backend import LocalBackend
from syne_tune.optimizer.scheduler import (
    SchedulerDecision,
    TrialScheduler,
    TrialSuggestion,
)

if TYPE_CHECKING:
    from syne_tune.backend.trial_status import Trial

POLL_S = 0.1


class ListScheduler(TrialScheduler):  # type: ignore[misc] # a peer, in an environment of its own
    """Suggests the tasks in their order and stops what reports NaN."""

    def __init__(self, tasks: list[dict[str, str]]) -> None:
        super().__init__(random_seed=0)
        self._tasks = list(tasks)

    def suggest(self) -> TrialSuggestion | None:
        """Return the next task."""
        return TrialSuggestion.start_suggestion(self._tasks.pop(0)) if self._tasks else None

    def on_trial_result(self, trial: Trial, result: dict[str, Any]) -> str:
        """Stop a trial whose loss is not finite."""
        del trial
        is_finite = math.isfinite(result["train_loss"])
        return str(SchedulerDecision.CONTINUE if is_finite else SchedulerDecision.STOP)

    def metadata(self) -> dict[str, Any]:
        """Return nothing that cannot be written."""
        return {}

    def metric_names(self) -> list[str]:
        """Return the metric."""
        return ["train_loss"]

    def metric_mode(self) -> str:
        """Return the direction."""
        return "min"


def main() -> None:
    """Run the tasks."""
    logging.getLogger().setLevel(logging.ERROR)
    trainer, tasks, jobs = sys.argv[1], json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")), int(sys.argv[3])
    backend = LocalBackend(entry_point=trainer, binary=f"{sys.executable} -S -E")
    Tuner(
        trial_backend=backend,
        scheduler=ListScheduler(tasks),
        stop_criterion=StoppingCriterion(max_num_trials_finished=len(tasks)),
        n_workers=jobs,
        sleep_time=POLL_S,
        save_tuner=False,
        max_failures=len(tasks),
    ).run()


if __name__ == "__main__":
    main()
