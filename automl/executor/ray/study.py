"""Run a study with Ray Tune: place trials on GPUs and nodes, follow them, end them, survive what is lost.

Ray schedules, and that is all: what to run and when to stop is decided by `automl.executor.loop`, what a trial is
by `automl.trial.runner`, and the event log is the record. Ray, the warm server and the trackers start at
the same time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import secrets
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from automl.errors import AutomlError, InterruptedStudyError, LaunchError
from automl.executor.loop import StudyLoop, recorded
from automl.executor.ray.nodes import ready_node, ready_nodes
from automl.executor.ray.private_names import ray_is_alive
from automl.executor.ray.session import ray_session, remove_leftovers
from automl.launch.command import build_command
from automl.launch.local import WarmLauncher
from automl.launch.processes import end_leftovers
from automl.storage.paths import StudyPaths
from automl.study.ends import EndKind, EndReason
from automl.study.launch_plan import LauncherKind
from automl.trial.task import study_tag

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import FrameType

    from automl.samplers.optuna_journal import OptunaJournal
    from automl.samplers.searcher import Searcher
    from automl.schedulers.base import Scheduler
    from automl.study.model import StudyLocation, StudyPlan
    from automl.study.result import StudyResult
    from automl.tracking.base import Tracker

logger = logging.getLogger(__name__)

_WATCH_INTERVAL_S = 0.5
_LOST = EndReason(kind=EndKind.RAY_LOST)


def execute_study(  # noqa: PLR0913 # two call sites; the parts of a study by name
    plan: StudyPlan,
    location: StudyLocation,
    *,
    searcher: Searcher,
    scheduler: Scheduler,
    trackers: Sequence[Tracker] = (),
    journal: OptunaJournal | None = None,
    launcher: str | None = None,
) -> StudyResult:
    """Run, or resume, a study to its end.

    Args:
        plan: What to do.
        location: Where; trials that were open when an earlier run ended are run first.
        searcher: Proposes trials.
        scheduler: Stops trials early.
        trackers: Projections of the event log.
        journal: The Optuna journal; None for none.
        launcher: In place of the plan's; warm falls back to local for commands it cannot serve.

    Returns:
        All trials, those of earlier runs included.

    Raises:
        LaunchError: Ray does not start, dies, or has no place for a trial, or the study directory no room.
        InterruptedStudyError: a signal ended the study; it can be resumed.
    """
    _end_earlier_run(study_tag(plan, location.directory))
    kind = plan.launch.launcher if launcher is None else LauncherKind(launcher)
    launch = dataclasses.replace(plan.launch, launcher=kind)
    tag = study_tag(plan, location.directory)
    if location.ray_address is None:
        ready_node(launch, tag)
    loop = StudyLoop(plan, location, searcher=searcher, scheduler=scheduler, trackers=trackers, journal=journal)
    session = location.session or secrets.token_hex(16)
    program = build_command(plan.skill.actions[plan.action].command, location.directory)[0]
    log = StudyPaths(location.directory).warm_server_log
    location.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (
        _suspended_by_errors(loop),
        _warm_server(session, program, log, is_wanted=kind is LauncherKind.WARM),
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="open study") as pool,
    ):
        opening = pool.submit(loop.open)
        with ray_session(plan.resources, location.ray_address) as folder:
            with recorded(location.directory):
                opening.result()
            if location.ray_address is not None:
                ready_nodes(launch, tag)
            _run(plan, loop, folder, session=session, program=program, log=log, kind=kind)
    result = loop.close()
    done = f"{sum(trial.state.is_final for trial in result.trials)} of {plan.budget.trials} trials"
    if loop.is_interrupted:
        raise InterruptedStudyError(f"interrupted after {done}; resume continues it")
    if loop.end is not None and loop.end.is_cut_off:
        raise LaunchError(f"ended after {done}: {loop.end} (automl resume {location.directory})")
    return result


def _end_earlier_run(tag: str) -> None:
    for count in (remove_leftovers(), end_leftovers(tag)):
        if count:
            noun = "process" if count == 1 else "processes"
            logger.warning("ended %d %s that an earlier run had left alive", count, noun)


@contextlib.contextmanager
def _suspended_by_errors(loop: StudyLoop) -> Iterator[None]:
    """Record in the event log what cut the study off."""
    try:
        yield
    except AutomlError as error:
        loop.suspend(EndReason(kind=EndKind.ERROR, detail=error.headline))
        raise
    except KeyboardInterrupt:
        loop.suspend(EndReason(kind=EndKind.SIGNAL))
        raise


def _run(  # noqa: PLR0913 # one call site; the names of the launcher's parts
    plan: StudyPlan, loop: StudyLoop, folder: Path, *, session: str, program: str, log: Path, kind: LauncherKind
) -> None:
    from ray import tune  # noqa: PLC0415 # after the session has set its environment

    from automl.executor.ray.actor import LauncherChoice, TrialActor  # noqa: PLC0415
    from automl.executor.ray.multi_node import MultiNodeShape  # noqa: PLC0415
    from automl.executor.ray.search import LoopSearch  # noqa: PLC0415

    resources = plan.resources
    shape = MultiNodeShape(
        nodes=resources.nodes_per_trial, cpus=resources.cpus_per_trial, gpus=resources.gpus_per_trial
    )
    is_multi_node = shape.nodes > 1
    choice = LauncherChoice(
        kind=kind, session=session, program=program, log=str(log), shape=shape if is_multi_node else None
    )
    search = LoopSearch(session, loop, choice)
    placement = tune.PlacementGroupFactory(
        [{"CPU": shape.cpus, "GPU": shape.gpus}] * shape.nodes, strategy="STRICT_SPREAD" if is_multi_node else "PACK"
    )
    tuner = tune.Tuner(
        tune.with_resources(TrialActor, placement),
        tune_config=tune.TuneConfig(
            search_alg=search, num_samples=-1, max_concurrent_trials=resources.jobs, reuse_actors=True
        ),
        run_config=tune.RunConfig(
            name="study",
            storage_path=str(folder / "tune"),
            verbose=0,
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False, checkpoint_frequency=0),
        ),
    )
    try:
        with _watch(loop) as watch, _signals(loop, watch):
            _fit(tuner, watch)
    finally:
        search.forget()


def _fit(tuner: Any, watch: _Watch) -> None:  # noqa: ANN401 # Ray's
    """Run Tune to its end.

    Raises:
        LaunchError: Ray's node process has died; whatever Tune made of it is the cause.
    """
    import ray  # noqa: PLC0415

    try:
        tuner.fit()
    except (LaunchError, SystemError, RuntimeError, OSError, ray.exceptions.RayError) as error:
        if not watch.has_lost_ray:
            raise
        raise LaunchError(f"{_LOST}; the study can be resumed") from error


class _Watch:
    """Looks at the clock and at Ray while Tune is busy."""

    def __init__(self, loop: StudyLoop) -> None:
        self._loop = loop
        self._is_over = threading.Event()
        self.has_lost_ray = False
        self._thread = threading.Thread(target=self._watch, name="watch study", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(_WATCH_INTERVAL_S):
            self._loop.check_budget()
            if not ray_is_alive():
                self.has_lost_ray = True
                self._loop.suspend(_LOST)  # without its global server Ray ends this process after a minute
                # Tune would wait for a node that never answers; the handler in the main thread raises.
                signal.raise_signal(signal.SIGTERM)
                return


@contextlib.contextmanager
def _watch(loop: StudyLoop) -> Iterator[_Watch]:
    watch = _Watch(loop)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()


@contextlib.contextmanager
def _signals(loop: StudyLoop, watch: _Watch) -> Iterator[None]:
    """Let SIGINT end the study politely, a second SIGINT or SIGTERM at once.

    Raises:
        LaunchError: out of the main thread's work, when Ray's node process has died.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        if watch.has_lost_ray:
            raise LaunchError(str(_LOST))
        loop.interrupt()
        if number == signal.SIGTERM:
            loop.interrupt()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _warm_server(session: str, program: str, log: Path, *, is_wanted: bool) -> Iterator[None]:
    """Preload on this machine while Ray starts, and hold the server until the study is over."""
    if not is_wanted:
        yield
        return
    launcher = WarmLauncher(session, program, log=log, inherited=dict(os.environ))
    launcher.start()
    try:
        yield
    finally:
        launcher.close()
