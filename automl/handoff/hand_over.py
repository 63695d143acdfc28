"""When a study has ended: select, evaluate and register the best checkpoint, write the report.

Failures are logged, not raised.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import StudyFailedError
from automl.handoff.best import select_best
from automl.skill.load import recorded_architecture
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import read_plan
from automl.storage.study_directory import read_evaluations, read_study
from automl.study.events import FileAttached, ModelRegistered
from automl.tracking.mlflow.projection import STUDY_RUN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.handoff.best import StudyBest
    from automl.handoff.evaluation import Evaluator
    from automl.storage.event_log import EventLog
    from automl.storage.plan_document import StoredPlan
    from automl.study.evaluation import Evaluation

logger = logging.getLogger(__name__)


def hand_over(root: Path, log: EventLog, evaluator: Evaluator) -> StudyBest | None:
    """Keep, evaluate and register the best checkpoint of a study that has ended, and write its report.

    Returns:
        The best; None, with a warning, if the best trial left no checkpoint that can be trusted.

    Raises:
        ConfigurationError: the folder is no study directory.
    """
    from automl.report.page import write_report  # noqa: PLC0415 - plotly and pandas, at the end only

    paths, best = StudyPaths(root), None
    try:
        best = select_best(root)
    except StudyFailedError as error:
        logger.warning("no checkpoint is handed over: %s", error)
    else:
        evaluator.best()
        evaluator.record(log)
        log.append(ModelRegistered(request=model_version(best, read_plan(paths), read_evaluations(root))))
        for file in (paths.best_spec, paths.best_file, paths.evaluations_file):
            log.append(FileAttached(run=STUDY_RUN, path=file.name))
    try:
        write_report(root)
    except OSError as error:
        logger.warning("the report could not be written: %s", error)
    else:
        log.append(FileAttached(run=STUDY_RUN, path=paths.report_file.name))
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


def model_version(best: StudyBest, plan: StoredPlan, evaluations: Mapping[str, Evaluation]) -> dict[str, Any]:
    """Return what is registered for the best checkpoint: the request of `ModelRegistered`."""
    facts = {
        "automl.trial": best.trial,
        "automl.epoch": best.epoch,
        "automl.metric": best.metric_name,
        "automl.direction": best.direction,
        "automl.value": best.value,
        "automl.sha256": best.sha256,
        "automl.fingerprint": plan.fingerprint,
        "automl.skill": plan.skill.name,
        **{f"automl.parameter.{path}": value for path, value in best.assignment.items()},
    }
    paths = StudyPaths(Path())
    return {
        "name": plan.name,
        "files": {
            f"checkpoint{Path(best.checkpoint).suffix}": best.checkpoint,
            "spec.yaml": str(paths.best_spec),
            "best.json": str(paths.best_file),
        },
        "tags": {name: str(value) for name, value in facts.items()},
        "loader": recorded_architecture(plan.skill.network_arch, plan.skill.root).model_loader,
        "metadata": {"metric": best.metric_name, "sha256": best.sha256},
        "later_tags": {
            f"automl.evaluated.{role}": str(found.value)
            for role, found in evaluations.items()
            if found.value is not None
        },
    }
