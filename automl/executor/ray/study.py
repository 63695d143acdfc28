"""Run a study with Ray Tune: place trials on GPUs and nodes, follow them, end them, survive what is lost.

Ray schedules, and that is all: what to run and when to stop is decided by `automl.executor.loop`, what a trial is by
`automl.trial.runner`, and the event log is the record. Ray, the warm server and the trackers start at the same time.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import AutomlError, InterruptedStudyError, LaunchError
from automl.executor.loop import StudyLoop
from automl.executor.ray.nodes import LauncherChoice, ready_node, ready_nodes
from automl.executor.ray.private_names import changed_tune
from automl.executor.ray.session import ray_session, remove_leftovers
from automl.executor.ray.watch import Watch
from automl.executor.recording import recorded
from automl.launch.command import example_command
from automl.launch.local import WarmLauncher
from automl.launch.processes import end_leftovers
from automl.shown_command import shown_command
from automl.storage.held_study import ReplacedFolderError
from automl.storage.paths import StudyPaths
from automl.study.ends import EndKind, EndReason
from automl.study.launch_plan import LauncherKind
from automl.trial.task import study_tag

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from automl.samplers.optuna_journal import OptunaJournal
    from automl.samplers.searcher import Searcher
    from automl.schedulers.base import Scheduler
    from automl.study.model import Resources, StudyLocation, StudyPlan
    from automl.study.result import StudyResult
    from automl.tracking.base import Tracker

logger = logging.getLogger(__name__)


def execute_study(
    plan: StudyPlan,
    location: StudyLocation,
    *,
    searcher: Searcher,
    scheduler: Scheduler,
    trackers: Sequence[Tracker] = (),
    journal: OptunaJournal | None = None,
) -> StudyResult:
    """Run, or resume, a study to its end; trials that were open when an earlier run ended are run first.

    Returns:
        All trials, those of earlier runs included.

    Raises:
        LaunchError: Ray does not start, dies, or has no place for a trial, or the study directory no room.
        InterruptedStudyError: a signal ended the study; it can be resumed.
    """
    tag = study_tag(plan, location.directory)
    for count in (remove_leftovers(), end_leftovers(tag)):
        if count:
            noun = "process" if count == 1 else "processes"
            logger.warning("ended %d %s that an earlier run had left alive", count, noun)
    if location.ray_address is None:
        ready_node(plan.launch, tag)
    loop = StudyLoop(plan, location, searcher=searcher, scheduler=scheduler, trackers=trackers, journal=journal)
    choice = LauncherChoice(
        kind=plan.launch.launcher,
        plugin=plan.launch.plugin,
        session=location.session or secrets.token_hex(16),
        program=example_command(plan.skill.actions[plan.action].command)[0],
        log=str(StudyPaths(location.directory).warm_server_log),
        shape=plan.resources if plan.resources.nodes_per_trial > 1 else None,
    )
    location.directory.mkdir(parents=True, exist_ok=True, mode=0o700)  # not of a study: its start
    with (
        _suspended_by_errors(loop),
        _preloaded(choice),
        contextlib.closing(Watch(loop, location.directory, tag)) as watch,
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="open study") as pool,
    ):
        opening = pool.submit(loop.open)
        with contextlib.ExitStack() as session:
            with watch.starting():
                folder = session.enter_context(ray_session(plan.resources, location.ray_address))
            with recorded(location.directory):
                opening.result()
            if location.ray_address is not None:
                ready_nodes(plan.launch, tag)
            _run(plan.resources, loop, choice, folder, watch)
    result = loop.close()
    ended = sum(trial.state.is_final and trial.replicate_of is None for trial in result.trials)
    done, resume = f"{ended} of {plan.budget.trials} trials", shown_command("resume", location.directory)
    if loop.is_interrupted:
        raise InterruptedStudyError(f"interrupted after {done}; {resume} continues it")
    if loop.end is not None and loop.end.is_cut_off:
        raise LaunchError(f"ended after {done}: {loop.end} ({resume})")
    return result


@contextlib.contextmanager
def _suspended_by_errors(loop: StudyLoop) -> Iterator[None]:
    """Record in the event log what cut the study off, if it can still be written."""
    try:
        yield
    except (AutomlError, KeyboardInterrupt) as error:
        end = EndReason(kind=EndKind.SIGNAL)
        if isinstance(error, AutomlError):
            end = EndReason(kind=EndKind.ERROR, detail=error.headline)
        try:
            loop.suspend(end)
        except (FileNotFoundError, ReplacedFolderError):  # the log is open, wherever the study was moved to
            loop.leave(end)
        except OSError as unwritten:
            logger.debug("the end is not in the log: %s", unwritten)
        raise


@contextlib.contextmanager
def _preloaded(choice: LauncherChoice) -> Iterator[None]:
    """Preload the trainer on this machine while Ray starts, and hold its server until the study is over."""
    if choice.kind is not LauncherKind.WARM:
        yield
        return
    with contextlib.closing(WarmLauncher(choice.session, choice.program, log=Path(choice.log))) as launcher:
        launcher.start()
        yield


def _run(resources: Resources, loop: StudyLoop, choice: LauncherChoice, folder: Path, watch: Watch) -> None:
    from ray import tune  # noqa: PLC0415 # after the session has set its environment

    from automl.executor.ray.actor import TrialActor  # noqa: PLC0415
    from automl.executor.ray.search import ForgetEnded, LoopSearch, NoProgress  # noqa: PLC0415

    search = LoopSearch(choice.session, loop, choice)
    placement = tune.PlacementGroupFactory(
        [{"CPU": resources.cpus_per_trial, "GPU": resources.gpus_per_trial}] * resources.nodes_per_trial,
        strategy="PACK" if choice.shape is None else "STRICT_SPREAD",
    )
    tuner = tune.Tuner(
        tune.with_resources(TrialActor, placement),
        tune_config=tune.TuneConfig(
            search_alg=search,
            scheduler=ForgetEnded(),  # type: ignore[no-untyped-call] # Ray's
            num_samples=-1,
            max_concurrent_trials=resources.jobs,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="study",
            storage_path=str(folder / "tune"),
            verbose=0,
            progress_reporter=NoProgress(),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False, checkpoint_frequency=0),
        ),
    )
    try:
        with watch.running(), changed_tune():
            tuner.fit()
    finally:
        search.forget()
