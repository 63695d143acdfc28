"""When a study has ended: select, evaluate and register the best checkpoint, write the report, and say that it is done.

Each step may be done twice, so a resume does what a killed driver left. A step that fails keeps no other from being
done.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError, StudyFailedError
from automl.handoff.best import read_best, select_best
from automl.handoff.evaluation import CHAMPION
from automl.spec.model import Spec
from automl.storage.event_log import EventLog
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import read_plan
from automl.storage.study_directory import read_evaluations, read_record, read_state, read_study
from automl.storage.working_folder import leave_deleted_folder
from automl.study.events import FileAttached, HandedOver, ModelRegistered
from automl.tracking.data_fingerprint import evaluation_data
from automl.tracking.mlflow.folder import MlflowFolder
from automl.tracking.mlflow.uploads import STUDY_RUN

if TYPE_CHECKING:
    from automl.handoff.best import StudyBest
    from automl.handoff.evaluation import Evaluator
    from automl.study.trial import TrialResult

logger = logging.getLogger(__name__)


def hand_over(evaluator: Evaluator) -> StudyBest | None:
    """Keep, evaluate and register the best checkpoint of a study that has ended, and write its report.

    Returns:
        The best, with a warning where it left no checkpoint; None if no trial has a usable value.

    Raises:
        ConfigurationError: the folder is no study directory.
        StudyFailedError: the best checkpoint cannot be trusted or kept; all else is done.
    """
    root, paths = evaluator.root, StudyPaths(evaluator.root)
    leave_deleted_folder()
    log = EventLog(paths.events_file)
    best, refusal = None, None
    try:
        best = _kept_best(root)
    except StudyFailedError as error:
        refusal = error
    has_checkpoint = best is not None and bool(best.checkpoint)
    if has_checkpoint:
        evaluator.best()
        leave_deleted_folder()
    evaluator.record(log)
    if best is not None and has_checkpoint:
        log.append(ModelRegistered(request=model_version(best, paths)))
    if best is not None:
        for file in (paths.best_spec, paths.best_file, *([paths.evaluations_file] if has_checkpoint else [])):
            log.append(FileAttached(run=STUDY_RUN, path=file.name))
    _write_report(paths, log)
    log.append(HandedOver(sha256=best.sha256 if best is not None and has_checkpoint else None))
    log.close()
    if refusal is not None:
        raise refusal
    return best


def _write_report(paths: StudyPaths, log: EventLog) -> None:
    from automl.html_report.page import write_report  # noqa: PLC0415 - plotly and pandas, at the end only

    try:
        write_report(paths.root)
    except OSError as error:
        logger.warning("the report could not be written: %s", error)
    else:
        log.append(FileAttached(run=STUDY_RUN, path=paths.report_file.name))


def _kept_best(root: Path) -> StudyBest | None:
    if read_study(root)[1].best is None:
        return None
    best = select_best(root)
    if not best.checkpoint:
        names = StudyPaths(root).best_spec.name, StudyPaths(root).best_file.name
        logger.warning("trial %d, the best, left no checkpoint; its values are in %s and %s", best.trial, *names)
    return best


def missing_parts(paths: StudyPaths, tracking_uri: str) -> list[str]:
    """Name what of the hand-over of a study that has ended is left to do, its record at a server included.

    Raises:
        ConfigurationError: the folder is no study directory.
    """
    best, is_handed_over = read_study(paths.root)[1].best, read_state(paths).is_handed_over
    record, champion = MlflowFolder(paths), read_evaluations(paths.root).get(CHAMPION)
    kept = "" if best is None else _sha256_of_best(paths.root, best)
    has_checkpoint = best is not None and best.checkpoint is not None
    is_there = {
        "best checkpoint" if has_checkpoint else paths.best_file.name: kept is not None,
        "evaluation": not has_checkpoint or kept == "" or (champion is not None and champion.sha256 == kept),
        "registration": is_handed_over,
        "report": paths.report_file.is_file(),
        "record": record.is_complete(tracking_uri) and read_record(paths.root) is not None,
    }
    return [part for part, is_done in is_there.items() if not is_done]


def _sha256_of_best(root: Path, best: TrialResult) -> str | None:
    """Return the hash of the checkpoint that is kept, empty for none; None where it is not that of the best trial."""
    try:
        kept = read_best(root)
    except ConfigurationError:
        return None
    return kept.sha256 if (kept.trial, kept.epoch) == (best.number, best.best_epoch) else None


def model_version(best: StudyBest, study: StudyPaths) -> dict[str, Any]:
    """Return what is registered for the best checkpoint of a study: the request of `ModelRegistered`."""
    plan, state = read_plan(study), read_state(study)
    environment = state.started.environment if state.started is not None else {}
    architecture = plan.architecture()
    spec = Spec(values=plan.spec).with_values(best.assignment, origin="best")
    known = architecture.model_output
    output = known.kinds.get(str(spec.get(known.path)), {}) if known.path and spec.has(known.path) else {}
    facts = {
        "automl.evaluation_data": evaluation_data(environment, state.changed_data),
        **{f"automl.output.{name}": text for name, text in output.items()},
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
        "name": plan.model or plan.name,
        "files": {
            f"checkpoint{Path(best.checkpoint).suffix}": best.checkpoint,
            "spec.yaml": str(paths.best_spec),
            "best.json": str(paths.best_file),
        },
        "sha256": {best.checkpoint: best.sha256, str(paths.best_spec): best.spec_sha256},
        "tags": {name: str(value) for name, value in facts.items()},
        "loader": architecture.model_loader,
        "metadata": {"metric": best.metric_name, "sha256": best.sha256, **output},
        "later_tags": {
            "automl.study": study.root.name,
        }
        | {
            f"automl.evaluated.{role}": str(found.value)
            for role, found in read_evaluations(study.root).items()
            if found.value is not None
        },
    }
