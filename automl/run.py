"""The straight line of `automl run`: read this first.

load skill -> build spec -> build space -> decide policy -> plan -> Ray Tune trials -> record -> best checkpoint.
`automl plan` is the same line stopped before Ray, so a dry run cannot drift from a run. Training once is a study of one
trial with an empty space.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import secrets
import threading
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, InterruptedStudyError, LaunchError, StudyFailedError
from automl.executor.failure_summary import summarize_failure
from automl.launch.choice import choose_launch, ready_launch
from automl.machine import detect_machine, most_threads
from automl.plugin_kinds import plugins_of
from automl.plugins import PluginKind, load_plugin
from automl.preflight.cluster import filling_cluster
from automl.preflight.data import check_inputs, pending_folder, prepare_data, with_prepared_paths
from automl.preflight.doctor import before_run, require, require_sound_data
from automl.preflight.engine import engine_path_findings
from automl.program.skill import find_skill
from automl.request.apply_text import apply_request_text, explain_gpus
from automl.request.location import RunLocation, chosen_study_directory, new_study_directory
from automl.request.policy import decide
from automl.resolve import TEST, TRAIN, check_settings, chosen_scheduler, loss_notes, resolve_inputs, resolve_objectives
from automl.samplers.registry import make_searcher
from automl.shown_command import shown_command
from automl.smoke import smoke_test
from automl.storage.documents import only_for_user
from automl.storage.held_study import held_study
from automl.storage.owner import OwnerLock
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import write_plan
from automl.storage.study_directory import ended_study, write_record
from automl.study.evaluation import RecordLocation
from automl.study.model import StudyLocation, StudyParts
from automl.study.plan import plan_study
from automl.tracking.base import Tracker, TrackerGroup
from automl.tracking.mlflow.uri import default_tracking_uri, without_password
from automl.tracking.tensorboard import TensorboardTracker
from automl.warm_start import with_earlier_points

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from automl.handoff.evaluation import Evaluator
    from automl.request.study_request import StudyRequest
    from automl.study.model import StudyPlan
    from automl.study.result import StudyResult
    from automl.tracking.mlflow.tracker import MlflowTracker

logger = logging.getLogger(__name__)

_RUNNING = threading.Lock()


def make_plan(request: StudyRequest, place: RunLocation) -> StudyPlan:
    """Turn a request into a plan; nothing is written, nothing is started.

    Raises:
        ConfigurationError: skill, study, spec, space or resources cannot be used; with every problem.
    """
    skill = find_skill(request.skill, request.program)
    machine = None if place.ray_address else detect_machine()
    request, parsed, notes = apply_request_text(
        with_prepared_paths(request, place.results), skill, all_gpus=len(machine.gpus) if machine else None
    )
    inputs = resolve_inputs(request, skill)
    decision = decide(
        requested=request.policy,
        off_phrase=parsed.phrases["policy"].text if parsed.policy == "off" else None,
        facts=inputs.facts,
        must_search=request.require_search,
    )
    objectives, constraints = resolve_objectives(request, inputs.skill, decision.route)
    parts = StudyParts(
        skill=inputs.skill,
        decision=decision,
        spec=inputs.spec,
        space=inputs.space,
        objectives=objectives,
        constraints=constraints,
        launch=choose_launch(request, inputs.skill, TRAIN),
    )
    try:
        plan = plan_study(request, parts, machine, most_threads=most_threads())
    except ConfigurationError as error:
        raise explain_gpus(error, notes) from error
    plan = filling_cluster(plan, request, place.ray_address) if place.ray_address else plan
    plan = dataclasses.replace(plan, reasons=(*plan.reasons, *inputs.notes, *notes, *loss_notes(plan)))
    check_settings(plan, request)
    plan = dataclasses.replace(plan, plugins=plugins_of(request, plan))
    return with_earlier_points(request, plan, place)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Refuse a study beside another one of this process, or beside the user's own Ray, before anything is done for it.

    Both would share one Ray, the process's environment and what it may write.

    Raises:
        LaunchError: there is one.
    """
    from automl.executor.ray.session import refuse_running_ray  # noqa: PLC0415 - imported when a study starts

    if not _RUNNING.acquire(blocking=False):
        fix = "start this one when that has ended, or in a process of its own"
        raise LaunchError(f"another study runs in this process: {fix}")
    try:
        refuse_running_ray()
        yield
    finally:
        _RUNNING.release()


@alone()
def run_plan(
    request: StudyRequest,
    plan: StudyPlan,
    place: RunLocation,
    *,
    is_checked: bool = True,
    is_smoked: bool = False,
    extra_trackers: Sequence[Tracker] = (),
) -> Path:
    """Run a plan in a new study directory and return that; see `make_directory`, and `run_in` for what it raises."""
    directory = make_directory(request, plan, place, is_checked=is_checked, is_smoked=is_smoked)
    return run_in(directory, request, plan, place, extra_trackers=extra_trackers)


def make_directory(
    request: StudyRequest, plan: StudyPlan, place: RunLocation, *, is_checked: bool = True, is_smoked: bool = False
) -> StudyPaths:
    """Check that a plan can succeed, prepare data, and make the study directory.

    With ``is_checked`` the trainer checks the data first, where it has a command for that. With ``is_smoked`` one step
    of trial 0 is trained before the study is made; a failure ends the run.

    Raises:
        ConfigurationError: the run cannot succeed; every reason that is known before it starts.
        LaunchError: nothing can run the skill, or its image or its data cannot be had.
    """
    require(before_run(request, plan, place, is_checked=is_checked, meanwhile=_import_early))
    if place.ray_address is None:
        ready_launch(plan.launch)
    if pending_folder(request, place.results) is not None:
        prepare_data(request, place.results)
        if place.ray_address is None:
            require(engine_path_findings(plan, place.results))
        check_inputs(plan.skill, plan.action, plan.spec)
        if is_checked:
            require_sound_data(plan)
    if is_smoked:
        smoke_test(plan, place)
    chosen = chosen_study_directory(place.directory) if place.directory else None
    return StudyPaths(chosen or new_study_directory(place.results, plan.name))


@only_for_user()
def run_in(
    directory: StudyPaths,
    request: StudyRequest,
    plan: StudyPlan,
    place: RunLocation,
    *,
    extra_trackers: Sequence[Tracker] = (),
    is_over: bool = False,
) -> Path:
    """Run a plan in a study directory; trials that have ended are kept, unfinished ones continue.

    The caller keeps other studies out of this process, see `alone`. With ``is_over`` the study has ended, and only what
    comes after its trials is done; how it ended is no error then.

    Raises:
        LaunchError: Ray does not start, or the study directory cannot be written.
        StudyFailedError: no trial has a usable value, or three in a row failed for the same reason.
        InterruptedStudyError: a signal ended the study.
    """
    from automl.executor.recording import recorded  # noqa: PLC0415 - imported when a study starts

    with recorded(directory.root):
        lock = OwnerLock(directory)
    try:
        with lock, held_study(directory.root):
            _run_locked(directory, request, plan, place, extra_trackers=extra_trackers, is_over=is_over)
    except KeyboardInterrupt as error:
        raise InterruptedStudyError(f"interrupted; {shown_command('resume', directory.root)} does the rest") from error
    finally:
        # A notification says where the record is and, as the lock is free, what became of the study.
        for tracker in extra_trackers:
            tracker.close()
    return directory.root


def _run_locked(
    directory: StudyPaths,
    request: StudyRequest,
    plan: StudyPlan,
    place: RunLocation,
    *,
    extra_trackers: Sequence[Tracker],
    is_over: bool,
) -> None:
    from automl.executor.ray.study import execute_study  # noqa: PLC0415 - ray
    from automl.executor.recording import recorded  # noqa: PLC0415 - imported when a study starts
    from automl.handoff.evaluation import local_evaluator  # noqa: PLC0415 - imported when a study starts
    from automl.samplers.optuna_journal import OptunaJournal  # noqa: PLC0415 - optuna
    from automl.tracking.mlflow.tracker import (  # noqa: PLC0415 - imported when a study starts
        CLOSE_LIMIT_S,
        SYNC_LIMIT_S,
        MlflowTracker,
    )

    uri = place.tracking_uri or default_tracking_uri(place.results)
    record = RecordLocation(tracking_uri=without_password(uri), experiment=plan.experiment)
    with recorded(directory.root):
        write_plan(directory, plan, request, record, place.results)
    mlflow = MlflowTracker(uri, plan.experiment, directory, limit_s=SYNC_LIMIT_S if is_over else CLOSE_LIMIT_S)
    recorders = TrackerGroup((TensorboardTracker(), mlflow, *_of_plugins(plan)))
    session = secrets.token_hex(16)
    location = StudyLocation(directory=directory.root, tracking_uri=uri, ray_address=place.ray_address, session=session)
    test = with_prepared_paths(request, place.results).data.get(TEST)
    evaluator = local_evaluator(directory.root, plan.skill, test, session)
    try:
        with mlflow.given_up_if_interrupted():
            evaluator.baseline()
            if is_over:
                result = ended_study(directory.root)
            else:
                result = execute_study(
                    plan,
                    location,
                    searcher=make_searcher(plan),
                    scheduler=chosen_scheduler(plan),
                    trackers=(recorders, *extra_trackers),
                    journal=OptunaJournal(directory.journal_file, plan),
                )
            with recorded(directory.root):
                _conclude(result, plan, evaluator, is_over=is_over)
    finally:
        evaluator.launcher.close()
        _close_record(directory, recorders, mlflow, place.results)


def _of_plugins(plan: StudyPlan) -> list[Tracker]:
    chosen = [plugin for plugin in plan.plugins if plugin.kind is PluginKind.TRACKERS]
    return [load_plugin(plugin, Tracker)() for plugin in chosen]  # type: ignore[type-abstract]  # a plug-in's class is concrete


def _close_record(directory: StudyPaths, recorders: Tracker, mlflow: MlflowTracker, results: Path) -> None:
    """Send what is left of the record, and write where it is, also where a signal ends the sending."""
    from automl.executor.recording import recorded  # noqa: PLC0415 - imported when a study starts

    try:
        recorders.close()
    finally:
        if directory.events_file.is_file():  # a study that was moved or deleted is not made again
            with recorded(directory.root):
                write_record(directory, mlflow.describe(), results)


def _import_early() -> None:
    """Import what every study needs before Ray, half a second, while the trainer checks its data."""
    import automl.handoff.evaluation  # noqa: PLC0415 - imported when a study starts
    import automl.samplers.optuna_journal  # noqa: F401, PLC0415 - optuna


def _conclude(result: StudyResult, plan: StudyPlan, evaluator: Evaluator, *, is_over: bool) -> None:
    """Hand the study over; where that fails, no trial has a usable value or errors ended it, raise `StudyFailedError`.

    Where it had failed before and this run only did what was left of it, a warning says so.
    """
    from automl.handoff.hand_over import hand_over  # noqa: PLC0415 - imported when a study starts

    try:
        hand_over(evaluator)
    except StudyFailedError as error:
        if result.failure is None:
            raise
        logger.warning("%s", error)
    if result.failure is None and result.best is not None:
        return
    failure = result.failure or summarize_failure(result.trials, evaluator.root, plan.constraints)
    if not is_over:
        raise StudyFailedError(failure)
    logger.warning("the study itself has failed: %s", failure)
