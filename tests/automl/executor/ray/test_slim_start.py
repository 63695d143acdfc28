from __future__ import annotations

from typing import TYPE_CHECKING

from ray._private import node, services

from automl.executor.ray import agent as ray_agent
from automl.executor.ray.slim_start import slim_start, without_agents

if TYPE_CHECKING:
    import pytest


def test_only_the_two_agents_of_the_node_process_are_replaced() -> None:
    command = [
        "raylet",
        "--session_dir=/t/a b/session",
        "--node_id=f00d",
        "--dashboard_agent_command=python agent.py --listen-port=0",
        "--labels={}",
        "--runtime_env_agent_command=python main.py",
    ]

    changed = without_agents(command)

    assert [word for word in changed if "_agent_command" not in word] == [*command[:3], command[4]]
    dashboard, runtime = changed[3], changed[5]
    assert dashboard.startswith("--dashboard_agent_command=")
    assert runtime.startswith("--runtime_env_agent_command=")
    for word in (dashboard, runtime):
        assert f'{ray_agent.__file__} "/t/a b/session" f00d ' in word
    assert dashboard.endswith("metrics_agent_port metrics_export_port dashboard_agent_listen_port")
    assert runtime.endswith("f00d runtime_env_agent_port")


def test_ray_is_as_it_was_after_the_start() -> None:
    before = (node.Node.start_monitor, node.Node.start_api_server, services.start_ray_process)

    with slim_start():
        assert node.Node.start_monitor is not before[0]

    assert (node.Node.start_monitor, node.Node.start_api_server, services.start_ray_process) == before


def test_a_ray_that_is_built_otherwise_starts_as_it_always_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(node.Node, "start_monitor")
    before = services.start_ray_process

    with slim_start():
        assert services.start_ray_process is before
        assert not hasattr(node.Node, "start_monitor")
