"""Run an action on a checkpoint of a study and record it in MLflow beside the study's trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.handoff.actions import run_action
from automl.storage.documents import to_json
from automl.storage.event_log import EventLog
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import read_plan
from automl.study.evaluation import ActionStatus
from automl.study.events import ActionEnded
from automl.tracking.mlflow.tracker import MlflowTracker

if TYPE_CHECKING:
    from pathlib import Path

    from automl.handoff.action_spec import ActionOptions
    from automl.handoff.actions import ActionResult
    from automl.launch.base import Launcher


def run_recorded(root: Path, action: str, launcher: Launcher, options: ActionOptions) -> ActionResult:
    """Run an action and send its run to the study's MLflow record; a server that is down costs a warning only.

    Args:
        root: The study directory.
        action: Name of the action in the skill.
        launcher: Starts it.
        options: What the user chose.

    Raises:
        ConfigurationError: see `automl.handoff.actions.run_action`.
    """
    record = read_plan(StudyPaths(root)).mlflow
    result = run_action(root, action, launcher, options)
    if result.status is not ActionStatus.UNAVAILABLE:
        paths = StudyPaths(root)
        log = EventLog(paths.events_file)
        log.append(ActionEnded(key=result.key, result=to_json(result)))
        log.close()
        MlflowTracker(record.tracking_uri, record.experiment, paths).close()
    return result
