"""A Ray session: a local Ray that is bound to loopback and has its own token, or an existing cluster.

Ray is configured mostly by environment variables that it reads when it is imported or started; they are set for the
session and restored afterwards. For the files of a local Ray see `automl.executor.ray.folders`.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import logging
import math
import os
import secrets
import signal
import sys
import threading
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from automl.errors import LaunchError, Problem
from automl.executor.ray.folders import left_folders, make_folders
from automl.executor.ray.private_names import (
    job_settings,
    late_settings,
    own_signals,
    shared_workers,
    slim_start,
    sockets_in,
)
from automl.launch.processes import read_processes, send_signal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from automl.executor.ray.folders import RayFolders
    from automl.study.model import Resources

logger = logging.getLogger(__name__)

_START_ATTEMPTS = 3
_OBJECT_STORE_BYTES = 100_000_000  # measurements and results are all that passes through it
_QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    # Ray's own snapshots are not used; the study directory is the record.
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
    # Ray would kill its workers, and the trials with them, when other programs fill the memory. Without it the kernel
    # kills the trainer that needs the memory (see automl.launch.supervisor), and its trial fails for that reason.
    "RAY_memory_monitor_refresh_ms": "0",
    # Ray's default is 15, and the trainers inherit it: beside any other program they would get 3 % of a processor.
    "RAY_worker_niceness": "0",
    "OMP_NUM_THREADS": "1",
}
# Ray reads its token once per process, so a second session of this process uses the same.
_TOKEN = secrets.token_hex(32)
_SET_BY_RAY = ("PYTHONBREAKPOINT",)
"""Variables that Ray changes for its own debugger; a later `breakpoint()` of the user would open that."""
_LOGGERS = ("ray", "ray.tune", "ray.train", "ray.data")


@contextlib.contextmanager
def ray_session(resources: Resources, address: str | None) -> Iterator[Path]:
    """Start a local Ray with CPUs enough for the trials, or join the cluster at an address, and leave it at the end.

    Yields:
        A folder for Ray's own files, removed at the end.

    Raises:
        LaunchError: Ray does not start, the cluster does not answer, or a trial fits nowhere.
    """
    folders = make_folders()
    try:
        with quiet_ray(_local_settings(folders.files) if address is None else {}), sockets_in(folders.sockets):
            # Tune takes as long as Ray's start, which waits for other processes; it needs all of Ray imported.
            importing = threading.Thread(target=importlib.import_module, args=("ray.tune",), daemon=True)
            importing.start()
            try:
                with uninterrupted(importing):
                    _start(resources, address, folders)
                check_fit(resources, [node["Resources"] for node in living_nodes()])
                with shared_workers() if address is None else contextlib.nullcontext():
                    yield folders.files
            finally:
                _leave()
    finally:
        folders.remove()


@contextlib.contextmanager
def uninterrupted(importing: threading.Thread | None = None) -> Iterator[None]:
    """Defer Ctrl-C and SIGTERM until what Ray does here, and an import of it in another thread, are over.

    A process that ends during its start crashes in Ray's own code (status 139), and two threads inside Ray's circular
    imports would see a partial module. A half-made import of Ray stays half-made: no study of a notebook could start
    or resume until its kernel is restarted.
    """
    interrupts: list[int] = []
    deferred = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, lambda got, _: interrupts.append(got)) for number in deferred}
    try:
        yield
    finally:
        if importing is not None:
            importing.join()
        for number, handler in before.items():
            signal.signal(number, handler)
    if interrupts:
        raise KeyboardInterrupt


@contextlib.contextmanager
def joined(address: str) -> Iterator[None]:
    """Join a cluster for some calls, and leave it.

    Raises:
        LaunchError: the cluster does not answer.
    """
    with quiet_ray():
        late = _init({"address": address}, address)
        if late is not None:
            raise LaunchError(f"the Ray cluster at {address} does not answer: {late}") from late

        try:
            yield
        finally:
            _leave()


@contextlib.contextmanager
def quiet_ray(settings: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
    """Import Ray and keep it from printing, with further settings of its environment: it reads some at its import.

    Raises:
        LaunchError: this process is connected to Ray already.
    """
    settings = {**_QUIET, **settings}
    before = {name: os.environ[name] for name in (*settings, *_SET_BY_RAY) if name in os.environ}
    os.environ.update(settings)
    try:
        with uninterrupted():
            import ray  # noqa: F401, PLC0415

        refuse_running_ray()
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        with late_settings():
            yield
    finally:
        for name in (*settings, *_SET_BY_RAY):
            os.environ.pop(name, None)
        os.environ.update(before)


def refuse_running_ray() -> None:
    """Refuse to start where this process is connected to Ray: it can be connected once, and that is the user's.

    Raises:
        LaunchError: it is.
    """
    ray: Any = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        raise LaunchError("this process is connected to Ray already: call ray.shutdown() first, then start the study")


def living_nodes() -> list[dict[str, Any]]:
    """Return the living nodes of the cluster that is joined, as Ray describes them."""
    import ray  # noqa: PLC0415 # after the session has set its environment

    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call] # Ray's
    return [node for node in nodes if node["Alive"]]


def remove_leftovers() -> int:
    """End the Ray processes of killed drivers and remove their folders; return how many processes there were."""
    ended = 0
    for folders in left_folders():
        ended += _end_processes_of(folders)
        folders.remove()
    return ended


def _end_processes_of(folders: RayFolders) -> int:
    names, ended = [os.fsencode(folder) for folder in (folders.sockets, folders.files)], 0
    for process in read_processes().values():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            command = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            if process.pid != os.getpid() and any(name in command for name in names):
                send_signal(process, signal.SIGKILL)
                ended += 1
    return ended


def _start(resources: Resources, address: str | None, folders: RayFolders) -> None:

    options: dict[str, Any] = {"address": address}
    if address is None:
        options = {
            "address": "local",
            "num_cpus": max(os.cpu_count() or 1, math.ceil(resources.jobs * resources.cpus_per_trial)),
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE_BYTES,
            "_temp_dir": str(folders.files),
        }
    for attempt in range(1, _START_ATTEMPTS + 1):
        with slim_start() if address is None and attempt == 1 else contextlib.nullcontext():
            late = _init(options, address)
        if late is None:
            return
        if attempt == _START_ATTEMPTS:
            raise LaunchError(f"Ray could not be started in {_START_ATTEMPTS} attempts: {late}") from late
        logger.warning("Ray did not start in time (%s); it is started again", late)
        _leave()
        _end_processes_of(folders)


def _leave() -> None:
    """Shut Ray down, or leave a cluster, with Python's garbage collector at rest.

    A reference of Ray that any thread frees in the middle of that ends the process at once, with status 1: Ray's core
    is gone then, and its Python side does not know yet. Threads that only import something collect garbage.
    """
    import ray  # noqa: PLC0415

    collects = gc.isenabled()
    gc.disable()
    try:
        ray.shutdown()
    finally:
        if collects:
            gc.enable()


def _init(options: Mapping[str, Any], address: str | None) -> Exception | None:
    """Start or join Ray; return its error if its node process was too slow (it allows a fixed 30 s)."""
    import ray  # noqa: PLC0415

    try:
        with own_signals():
            ray.init(
                **options,
                job_config=job_settings(),
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                configure_logging=False,
            )
    except (ConnectionError, RuntimeError, ValueError, OSError, TimeoutError, ray.exceptions.RayError) as error:
        if str(error).startswith("Timed out"):
            return error
        raise LaunchError(f"Ray could not be started at {address or 'this machine'}: {error}") from error
    except Exception as error:
        if type(error) is not Exception:  # Ray raises the base class then
            raise
        return error
    return None


def check_fit(resources: Resources, nodes: Sequence[Mapping[str, float]]) -> None:
    """Refuse a study whose trials fit on none of the nodes, given by Ray's names; Ray would wait without a message.

    Raises:
        LaunchError: a trial needs more than any node has, or there are too few nodes.
    """
    gpus, cpus = (max((node.get(kind, 0.0) for node in nodes), default=0.0) for kind in ("GPU", "CPU"))
    larger = "lower nodes_per_trial of the study, or name a larger cluster with --ray-address"
    limits = (
        ("GPUs", resources.gpus_per_trial, gpus, "the most that a node has", "lower --gpus-per-trial"),
        ("CPUs", resources.cpus_per_trial, cpus, "the most that a node has", "lower cpus_per_trial of the study"),
        ("nodes", resources.nodes_per_trial, len(nodes), "the number of nodes", larger),
    )
    problems = [
        Problem(
            where=f"resources: {what} per trial", found=f"{amount:g}", expected=f"at most {most:g}, {meaning}", fix=fix
        )
        for what, amount, most, meaning, fix in limits
        if amount > most
    ]
    if problems:
        raise LaunchError("no trial of the study can be placed", problems)


def _local_settings(folder: Path) -> dict[str, str]:
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(_TOKEN, encoding="ascii")
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        # This makes Ray listen on 127.0.0.1 only, on Linux too; a node address alone does not.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_TMPDIR": str(folder),
        # Nobody reads Ray's events of tasks, and at the end it would wait for a server that has died to take them.
        "RAY_task_events_report_interval_ms": "0",
        # Workers that wait for the import of Tune count as idle after a second, and would be replaced.
        "RAY_kill_idle_workers_interval_ms": "0",
        # A machine that is very busy needs more than the 30 s that Ray gives its first server.
        "RAY_gcs_server_port_wait_time_s": "60",
        # It also misses heartbeats; after five Ray would give up its only node and all trials on it.
        # `ray_is_alive` sees a node process that has died.
        "RAY_health_check_failure_threshold": "100",
    }
