"""Start a local Ray without the helpers that a study does not need; `ray.init` has no switches for them.

An autoscaler's monitor, a reader of logs, a server for the dashboard and two agents (metrics, packages) take 5 s of a
processor at every start, which is a third of the time to the first trial on two cores, and each of them listens. They
are left out by replacing, while Ray starts, the functions of Ray that start them. What is replaced is looked up by name
first: a Ray that is built otherwise starts as it always does.
"""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from automl.executor.ray import agent as ray_agent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

logger = logging.getLogger(__name__)

_RAYLET = "raylet"
_STARTERS = ("start_monitor", "start_log_monitor", "start_api_server")
# The flag of the node process -> the ports that it then waits for, by the names of Ray's constants.
_AGENTS = {
    "--dashboard_agent_command": (
        "METRICS_AGENT_PORT_NAME",
        "METRICS_EXPORT_PORT_NAME",
        "DASHBOARD_AGENT_LISTEN_PORT_NAME",
    ),
    "--runtime_env_agent_command": ("RUNTIME_ENV_AGENT_PORT_NAME",),
}


@contextlib.contextmanager
def slim_start() -> Iterator[None]:
    """Start without helpers what is started inside; unchanged where this Ray is not the one we know."""
    from ray import _raylet  # noqa: PLC0415 # reads the environment when it is imported
    from ray._private import node, services, utils  # noqa: PLC0415

    places: list[tuple[Any, str]] = [(node.Node, name) for name in _STARTERS]
    places += [(services, "start_ray_process"), (utils, "get_dashboard_dependency_error")]
    ports = [name for names in _AGENTS.values() for name in names]
    if not all(hasattr(place, name) for place, name in places) or not all(hasattr(_raylet, name) for name in ports):
        logger.info("this Ray has other functions than the one we know; it is started with all its helpers")
        yield
        return
    before = {(place, name): getattr(place, name) for place, name in places}
    start_process: Any = services.start_ray_process

    def start(command: Sequence[str], process_type: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 # Ray's
        changed = without_agents(command) if process_type == _RAYLET else command
        return start_process(changed, process_type, *arguments, **options)

    try:
        for name in _STARTERS[:-1]:
            setattr(node.Node, name, lambda _: None)
        setattr(node.Node, _STARTERS[-1], _without_server)
        services.start_ray_process = start
        # Ray would import half a second of libraries to tell the dashboard's agent that it may use them.
        utils.get_dashboard_dependency_error = lambda: None
        yield
    finally:
        for (place, name), function in before.items():
            setattr(place, name, function)


def without_agents(command: Sequence[str]) -> list[str]:
    """Return the node process's command with `automl.executor.ray.agent` in place of Ray's two agents."""
    from ray import _raylet  # noqa: PLC0415 # reads the environment when it is imported

    flags = dict(word.partition("=")[::2] for word in command)
    program = [sys.executable, "-I", "-S", ray_agent.__file__, flags["--session_dir"], flags["--node_id"]]
    return [
        f"{flag}={subprocess.list2cmdline([*program, *(getattr(_raylet, port) for port in _AGENTS[flag])])}"
        if (flag := word.partition("=")[0]) in _AGENTS
        else word
        for word in command
    ]


def _without_server(self: Any, **_: object) -> None:  # noqa: ANN401 # Ray's node
    self._webui_url = None  # what Ray sets where there is no dashboard
