"""Everything of Ray that is not its public API: this module alone uses it, and a test checks every name.

Ray has no public way to start without its helper processes, to reuse its first workers for Tune, to see whether its
servers run, or to ask a cluster for its nodes without joining it. `NAMES` lists what is used for that. A Ray without
the names for a slim start starts as it does by itself: slower, with the same result.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import pkgutil
import shutil
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, cast

from automl.executor.ray import agent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

logger = logging.getLogger(__name__)

_RAYLET = "raylet"
# The flag of the node process -> the ports that it then waits for, by the names of Ray's constants.
_AGENTS = {
    "--dashboard_agent_command": (
        "METRICS_AGENT_PORT_NAME",
        "METRICS_EXPORT_PORT_NAME",
        "DASHBOARD_AGENT_LISTEN_PORT_NAME",
    ),
    "--runtime_env_agent_command": ("RUNTIME_ENV_AGENT_PORT_NAME",),
}
_HELPERS = ("start_monitor", "start_log_monitor", "start_api_server")
"""Methods of Ray's node that start an autoscaler's monitor, a reader of logs and a server for the dashboard."""


NAMES = {
    "slim_start": (
        *(f"ray._private.node.Node.{helper}" for helper in _HELPERS),
        "ray._private.services.start_ray_process",
        *(f"ray._raylet.{port}" for ports in _AGENTS.values() for port in ports),
    ),
    "shared_workers": (
        "ray.tune.execution.class_cache.DEFAULT_ENV_VARS",
        "ray.tune.execution.class_cache.ENV_VARS_TO_PROPAGATE",
    ),
    "job_settings": ("ray.job_config.JobConfig",),
    "late_settings": ("ray._raylet.Config.initialize", "ray._private.ray_constants.ENABLE_RAY_CLUSTER"),
    "sockets_in": ("ray._private.node.Node._prepare_socket_file",),
    "own_signals": ("ray._private.utils.set_sigterm_handler",),
    "changed_tune": (
        "ray.tune.tune._setup_signal_catching",
        "ray.tune.execution.tune_controller.TuneController.cleanup",
    ),
    "ray_is_alive": ("ray._private.worker._global_node", "ray._private.node.Node.dead_processes"),
    "request_nodes": (
        "ray._private.gcs_utils.create_gcs_channel",
        "ray._private.services.canonicalize_bootstrap_address_or_die",
        "ray.core.generated.gcs_pb2.GcsNodeInfo.ALIVE",
        "ray.core.generated.gcs_service_pb2.GetAllNodeInfoRequest",
        "ray.core.generated.gcs_service_pb2_grpc.NodeInfoGcsServiceStub",
    ),
    "sends_token": ("ray._private.authentication.authentication_utils.is_token_auth_enabled",),
}
"""Function of this module -> the names that it uses and that Ray may change at any time."""


def exists(name: str) -> bool:
    """Return whether this Ray has a dotted name."""
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


@contextlib.contextmanager
def slim_start() -> Iterator[None]:
    """Start without helper processes what is started inside.

    The three helpers and two agents (metrics, packages) take 3 s of a processor and delay the first trial of a study
    from 18 to 38 s on two busy cores, and each of them listens.
    """
    missing = [name for name in NAMES["slim_start"] if not exists(name)]
    if missing:
        logger.info("Ray is started with all its helper processes: this version has no %s", ", ".join(missing))
        yield
        return
    from ray._private import node, services  # noqa: PLC0415 # reads the environment when it is imported

    start_process: Any = services.start_ray_process

    def start(command: Sequence[str], process_type: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 # Ray's
        changed = without_agents(command) if process_type == _RAYLET else list(command)
        # A signal to the driver's process group is the driver's to answer: Ray's servers live until it ends them.
        own_group = [program] if (program := shutil.which("setsid")) else []
        # Its workers are started in its folder, and that of the driver may be deleted.
        return start_process([*own_group, *changed], process_type, *arguments, cwd="/", **options)

    with _replaced((services, "start_ray_process", start), *((node.Node, helper, _no_helper) for helper in _HELPERS)):
        yield


@contextlib.contextmanager
def shared_workers() -> Iterator[None]:
    """Let Tune's actors use the workers that Ray has started already.

    Tune requests workers with additional variables (one that forbids PyTorch Lightning to fork inside the worker, and
    some of this environment), so Ray would discard the prestarted workers and start new ones: 3 s or more on two cores.
    The variables have no effect here: trainers do not run in a worker, and a local worker inherits this environment.
    After `slim_start` there is also no agent that could set them.
    """
    from ray.tune.execution import class_cache  # noqa: PLC0415 # reads the environment when it is imported

    with _replaced((class_cache, "DEFAULT_ENV_VARS", {}), (class_cache, "ENV_VARS_TO_PROPAGATE", set())):
        yield


@contextlib.contextmanager
def late_settings() -> Iterator[None]:
    """Let a Ray that was imported before its environment was set follow it; a notebook may have imported it.

    It would start servers that want a token, and send none, and they would listen on all addresses.
    """
    from ray import _raylet  # noqa: PLC0415
    from ray._private import ray_constants  # noqa: PLC0415

    _raylet.Config.initialize("")  # type: ignore[attr-defined] # Cython
    is_cluster = os.environ.get(ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR, "1") != "0"
    with _replaced((ray_constants, "ENABLE_RAY_CLUSTER", is_cluster)):
        yield


@contextlib.contextmanager
def own_signals() -> Iterator[None]:
    """Keep the handler of SIGTERM: Ray would set one that ends the process with status 15 and without a message."""
    from ray._private import utils  # noqa: PLC0415 # reads the environment when it is imported

    with _replaced((utils, "set_sigterm_handler", lambda _: None)):
        yield


@contextlib.contextmanager
def changed_tune() -> Iterator[None]:
    """Keep Tune from setting a handler of SIGUSR1, which it leaves there, and from waiting for servers that have died.

    What it would tidy up at its end goes with them; no signal ends that wait, but Ray would end the process.
    """
    tune = importlib.import_module("ray.tune.tune")  # the package has a function of this name
    from ray.tune.execution.tune_controller import TuneController  # noqa: PLC0415

    tidy_up: Any = TuneController.cleanup

    def cleanup(self: TuneController) -> None:
        if ray_is_alive():
            tidy_up(self)

    with _replaced((tune, "_setup_signal_catching", threading.Event), (TuneController, "cleanup", cleanup)):
        yield


@contextlib.contextmanager
def sockets_in(folder: Path) -> Iterator[None]:
    """Let a Ray that is started inside make its sockets in a folder; else they are in its temporary one."""
    from ray._private import node  # noqa: PLC0415 # reads the environment when it is imported

    def prepare(self: Any, socket_path: str | None, default_prefix: str) -> Any:  # noqa: ANN401 # Ray's node
        file = folder / default_prefix
        file.unlink(missing_ok=True)  # not of a study: a socket of a start that was too slow
        return original(self, socket_path or str(file), default_prefix)

    original: Any = node.Node._prepare_socket_file  # noqa: SLF001 # there is no option for it
    with _replaced((node.Node, "_prepare_socket_file", prepare)):
        yield


def job_settings() -> Any:  # noqa: ANN401 # Ray's
    """Return settings of a job whose workers do not look for code in the folder where the driver was started.

    A ``random.py`` there would be imported in place of Python's.
    """
    from ray.job_config import JobConfig  # noqa: PLC0415 # reads the environment when it is imported

    return JobConfig(_client_job=True)


def without_agents(command: Sequence[str]) -> list[str]:
    """Return the node process's command with `automl.executor.ray.agent` in place of Ray's two agents."""
    from ray import _raylet  # noqa: PLC0415 # reads the environment when it is imported

    flags = dict(argument.partition("=")[::2] for argument in command)
    program = [sys.executable, "-I", "-S", agent.__file__, flags["--session_dir"], flags["--node_id"]]
    changed = {
        flag: f"{flag}={subprocess.list2cmdline([*program, *(getattr(_raylet, port) for port in ports)])}"
        for flag, ports in _AGENTS.items()
    }
    return [changed.get(argument.partition("=")[0], argument) for argument in command]


def ray_is_alive() -> bool:
    """Return whether both servers of a local Ray run, if there is one; one is of no use without the other.

    While Ray is imported there is none.
    """
    worker = sys.modules.get("ray._private.worker")
    local_node: Any = getattr(worker, "_global_node", None)  # there is no public way to see the processes
    dead = local_node.dead_processes() if local_node is not None else ()
    return not any(process_type in {_RAYLET, "gcs_server"} for process_type, _ in dead)


def request_nodes(address: str, limit_s: float) -> list[dict[str, float]]:
    """Return the resources of each living node of a cluster; its head is asked, the cluster not joined.

    Raises:
        grpc.RpcError: the head does not answer, or refuses the token.
        ray.exceptions.AuthenticationError: it wants a token and this process has none.
        ConnectionError, RuntimeError, ValueError: the address is not that of a cluster.
    """
    from ray._private.gcs_utils import create_gcs_channel  # noqa: PLC0415 # reads the environment when imported
    from ray._private.services import canonicalize_bootstrap_address_or_die  # noqa: PLC0415
    from ray.core.generated import gcs_pb2, gcs_service_pb2, gcs_service_pb2_grpc  # noqa: PLC0415

    types, service, stubs = (cast("Any", module) for module in (gcs_pb2, gcs_service_pb2, gcs_service_pb2_grpc))
    alive = types.GcsNodeInfo.ALIVE
    head = canonicalize_bootstrap_address_or_die("auto") if address == "auto" else address
    with create_gcs_channel(head) as channel:
        request = service.GetAllNodeInfoRequest(state_filter=alive)
        answer = stubs.NodeInfoGcsServiceStub(channel).GetAllNodeInfo(request, timeout=limit_s)
    return [dict(node.resources_total) for node in answer.node_info_list if node.state == alive]


def sends_token() -> bool:
    """Return whether this process has a token to send to a cluster."""
    from ray._private.authentication import authentication_utils  # noqa: PLC0415

    return bool(authentication_utils.is_token_auth_enabled())


@contextlib.contextmanager
def _replaced(*changes: tuple[Any, str, Any]) -> Iterator[None]:
    before = [(place, name, getattr(place, name)) for place, name, _ in changes]
    try:
        for place, name, value in changes:
            setattr(place, name, value)
        yield
    finally:
        for place, name, value in before:
            setattr(place, name, value)


def _no_helper(self: Any, **_: object) -> None:  # noqa: ANN401 # Ray's node
    self._webui_url = None  # what Ray sets where there is no dashboard
