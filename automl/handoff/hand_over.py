"""When a study has ended: crown, evaluate and register the champion, write the report. Nothing here loses a study."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from automl.errors import StudyFailedError
from automl.handoff.champion import model_version, select_best
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_evaluations, read_plan
from automl.tracking.mlflow.projection import STUDY_RUN

if TYPE_CHECKING:
    from pathlib import Path

    from automl.handoff.champion import Champion
    from automl.handoff.evaluation import Evaluator
    from automl.tracking.mlflow.tracker import MlflowTracker

logger = logging.getLogger(__name__)


def hand_over(root: Path, tracker: MlflowTracker, evaluator: Evaluator) -> Champion | None:
    """Keep, evaluate and register the best checkpoint of a study that has ended, and write its report.

    Args:
        root: The study directory.
        tracker: The study's MLflow record, still open.
        evaluator: Evaluates the champion.

    Returns:
        The champion; None, with a warning, if the best trial left no checkpoint that can be trusted.

    Raises:
        ConfigurationError: the folder is no study directory.
    """
    from automl.report.page import write_report  # noqa: PLC0415 - plotly and pandas, at the end only

    champion = _crowned(root, tracker, evaluator)
    try:
        write_report(root)
    except OSError as error:
        logger.warning("the report could not be written: %s", error)
    else:
        tracker.attach(STUDY_RUN, StudyPaths(root).report_file.name)
    return champion


def _crowned(root: Path, tracker: MlflowTracker, evaluator: Evaluator) -> Champion | None:
    try:
        champion = select_best(root)
    except StudyFailedError as error:
        logger.warning("no checkpoint is handed over: %s", error)
        return None
    paths = StudyPaths(root)
    evaluator.champion()
    evaluator.record(tracker)
    tracker.register_model(model_version(champion, read_plan(paths), read_evaluations(root)))
    for file in (paths.best_spec, paths.best_file, paths.evaluations_file):
        tracker.attach(STUDY_RUN, file.name)
    return champion
