"""The names of Ray that are not its public API. A failure here names what this version of Ray has changed."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
import ray
from ray._private import node, services

import automl
from automl.executor.ray import agent, private_names
from automl.executor.ray.private_names import NAMES, exists, slim_start, without_agents

PACKAGE = Path(automl.__file__).parent
PRIVATE = re.compile(r"\bray\._|\bray import _|\b_raylet\b|ray\.core\.generated|class_cache")


@pytest.mark.parametrize("name", [name for names in NAMES.values() for name in names])
def test_this_ray_has_every_private_name_that_is_used(name: str) -> None:
    assert exists(name), f"Ray {ray.__version__} has no {name}; see automl/executor/ray/private_names.py"


def test_a_name_that_ray_lacks_does_not_exist() -> None:
    assert not exists("ray._private.node.Node.no_such_method")
    assert not exists("ray.no_such_module.name")


def test_no_other_module_uses_a_private_name() -> None:
    users = [
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        if PRIVATE.search(file.read_text(encoding="utf-8"))
    ]

    assert users == ["executor/ray/private_names.py"]


def test_helpers_are_methods_without_a_result_and_processes_are_started_by_command_and_type() -> None:
    said = f"Ray {ray.__version__} has changed the signature"
    assert list(inspect.signature(node.Node.start_monitor).parameters) == ["self"], said
    assert list(inspect.signature(node.Node.start_log_monitor).parameters) == ["self"], said
    api_server = inspect.signature(node.Node.start_api_server).parameters.values()
    assert all(p.name == "self" or p.kind is inspect.Parameter.KEYWORD_ONLY for p in api_server), said
    assert list(inspect.signature(services.start_ray_process).parameters)[:2] == ["command", "process_type"], said


@pytest.mark.parametrize("flag", ["session_dir", "node_id", "dashboard_agent_command", "runtime_env_agent_command"])
def test_the_node_process_gets_the_flags_that_are_read_and_replaced(flag: str) -> None:
    source = inspect.getsource(services.start_raylet)

    assert f'"--{flag}=' in source, f"Ray {ray.__version__} starts its node process without --{flag}"


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
        assert f'{agent.__file__} "/t/a b/session" f00d ' in word
    assert dashboard.endswith("metrics_agent_port metrics_export_port dashboard_agent_listen_port")
    assert runtime.endswith("f00d runtime_env_agent_port")


def test_ray_is_as_it_was_after_the_start() -> None:
    before = (node.Node.start_monitor, node.Node.start_api_server, services.start_ray_process)

    with slim_start():
        assert node.Node.start_monitor is not before[0]

    assert (node.Node.start_monitor, node.Node.start_api_server, services.start_ray_process) == before


def test_a_ray_that_is_built_otherwise_starts_as_it_always_does(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(node.Node, "start_monitor")
    before = services.start_ray_process

    with caplog.at_level("INFO", private_names.__name__), slim_start():
        assert services.start_ray_process is before
        assert not hasattr(node.Node, "start_monitor")

    assert "this version has no ray._private.node.Node.start_monitor" in caplog.text
