"""Run one attempt of a trial: write its spec, launch it, follow what it reports, end it when it must end, judge it.

Knows neither Ray nor the study. Whatever the trainer does becomes a result; nothing it does is raised. The exit status
proves nothing: a trainer may exit with 0 after a NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.tuning.trial_task import TrialTask

if TYPE_CHECKING:
    from collections.abc import Callable

    from automl.launch.base import Launcher
    from automl.study.trial import Measurement, TrialResult

__all__ = ["INTERRUPTED", "TrialTask", "run_trial"]

INTERRUPTED = "interrupted"
"""A stop reason that begins with this word makes the trial INTERRUPTED (a resume continues it) instead of STOPPED."""


def run_trial(
    task: TrialTask,
    launcher: Launcher,
    *,
    report: Callable[[Measurement], None],
    stop_requested: Callable[[], str | None],
) -> TrialResult:
    """Run one attempt of a trial to its end.

    Args:
        task: What to run.
        launcher: Starts and ends the process tree.
        report: Called with every measurement, at once, from this thread.
        stop_requested: Asked at every poll; a text ends the trial and is its reason.

    Returns:
        How the attempt ended; never PENDING or RUNNING.
    """
    raise NotImplementedError
