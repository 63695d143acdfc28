"""When a study has ended: select, evaluate and register the best checkpoint, write the report.

Failures are logged, not raised.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from automl.errors import StudyFailedError
from automl.handoff.best import model_version, select_best
from automl.storage.documents import to_json
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import read_plan
from automl.storage.study_directory import read_evaluations, read_study
from automl.study.events import FileAttached, ModelRegistered
from automl.tracking.mlflow.projection import STUDY_RUN

if TYPE_CHECKING:
    from pathlib import Path

    from automl.handoff.best import StudyBest
    from automl.handoff.evaluation import Evaluator
    from automl.storage.event_log import EventLog

logger = logging.getLogger(__name__)


def hand_over(root: Path, log: EventLog, evaluator: Evaluator) -> StudyBest | None:
    """Keep, evaluate and register the best checkpoint of a study that has ended, and write its report.

    Args:
        root: The study directory.
        log: The study's event log.
        evaluator: Evaluates the best checkpoint.

    Returns:
        The champion; None, with a warning, if the best trial left no checkpoint that can be trusted.

    Raises:
        ConfigurationError: the folder is no study directory.
    """
    from automl.report.page import write_report  # noqa: PLC0415 - plotly and pandas, at the end only

    best = _register_best(root, log, evaluator)
    try:
        write_report(root)
    except OSError as error:
        logger.warning("the report could not be written: %s", error)
    else:
        log.append(FileAttached(run=STUDY_RUN, path=StudyPaths(root).report_file.name))
    return best


def is_handed_over(root: Path) -> bool:
    """Tell whether nothing of the hand-over of a study that has ended is left to do.

    Raises:
        ConfigurationError: the folder is no study directory.
    """
    paths, best = StudyPaths(root), read_study(root)[1].best
    if best is None:
        return True
    return paths.report_file.is_file() and (best.checkpoint is None or paths.best_file.is_file())


def _register_best(root: Path, log: EventLog, evaluator: Evaluator) -> StudyBest | None:
    try:
        best = select_best(root)
    except StudyFailedError as error:
        logger.warning("no checkpoint is handed over: %s", error)
        return None
    paths = StudyPaths(root)
    evaluator.best()
    evaluator.record(log)
    request = model_version(best, read_plan(paths), read_evaluations(root))
    log.append(ModelRegistered(request=to_json(request)))
    for file in (paths.best_spec, paths.best_file, paths.evaluations_file):
        log.append(FileAttached(run=STUDY_RUN, path=file.name))
    return best
