"""The compute side: what nodes cannot see, and how a study fills them. Asking real nodes is in tests/acceptance."""

from __future__ import annotations

import dataclasses
import socket
from typing import TYPE_CHECKING, Any

import pytest

from automl.errors import LaunchError
from automl.executor.ray import cluster as ray_cluster
from automl.executor.ray.cluster import NoAnswer
from automl.machine import Machine
from automl.preflight.cluster import cluster_findings, filling_cluster, fit_to_nodes
from automl.preflight.findings import Level
from automl.preflight.machine import Demand
from automl.preflight.probe import ProbeRequest, ProbeResult
from automl.request.study_request import StudyRequest
from automl.study.model import Resources
from tests.automl.study.examples import make_plan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSIONS = {"python": "3.11.7", "ray": "2.60.0", "automl-vision": "0.1.0"}
NODE = ProbeResult(
    host="node1",
    machine=Machine(cpus=8),
    free_bytes=2**40,
    shm_bytes=2**36,
    open_files=(65536, 65536),
    has_marker=True,
    program="/usr/bin/train",
    versions=VERSIONS,
)
REQUEST = StudyRequest(skill="toy", name="x")
GPU_NODES = [{"CPU": 32.0, "GPU": 8.0}, {"CPU": 32.0, "GPU": 8.0}]


@pytest.fixture
def address() -> Iterator[str]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"127.0.0.1:{server.getsockname()[1]}"


def rows(
    monkeypatch: pytest.MonkeyPatch, address: str, folder: Path, answers: dict[str, Any]
) -> dict[tuple[str, str], Level]:
    monkeypatch.setattr(ray_cluster, "ask_nodes", lambda *_, **__: answers)
    found = cluster_findings(address, ProbeRequest(results=str(folder)), Demand(program="train"), VERSIONS)
    assert list(folder.iterdir()) == []
    return {(row.where, row.check): row.level for row in found}


def test_a_sound_node_is_one_row(monkeypatch: pytest.MonkeyPatch, address: str, tmp_path: Path) -> None:
    assert rows(monkeypatch, address, tmp_path, {"node1": NODE}) == {("node1", "node"): Level.OK}


def test_nodes_that_look_the_same_are_one_row_for_good_and_for_bad(
    monkeypatch: pytest.MonkeyPatch, address: str, tmp_path: Path
) -> None:
    blind = dataclasses.replace(NODE, has_marker=False)
    fuller = dataclasses.replace(NODE, free_bytes=2**39)

    found = rows(monkeypatch, address, tmp_path, {"a": NODE, "b": fuller, "c": NODE, "d": blind, "e": blind})

    assert found == {("a and 2 others", "node"): Level.OK, ("d and 1 other", "results"): Level.FAIL}


def test_what_a_node_does_not_see_is_found_and_named(
    monkeypatch: pytest.MonkeyPatch, address: str, tmp_path: Path
) -> None:
    blind = dataclasses.replace(
        NODE, has_marker=False, unreadable={"/data/train.txt": "No such file or directory"}, program=None
    )

    answers = {"node1": NODE, "node2": blind, "node3": NoAnswer("ModuleNotFoundError: automl")}

    found = rows(monkeypatch, address, tmp_path, answers)

    assert found == {
        ("node1", "node"): Level.OK,
        ("node2", "results"): Level.FAIL,
        ("node2", "path"): Level.FAIL,
        ("node2", "program"): Level.FAIL,
        ("node3", "node"): Level.FAIL,
    }


@pytest.mark.parametrize(("needs_cuda", "level"), [(True, Level.FAIL), (False, Level.OK)])
def test_gpus_that_a_node_only_declares_are_enough_for_a_trainer_that_does_not_compute_on_them(
    monkeypatch: pytest.MonkeyPatch, address: str, tmp_path: Path, *, needs_cuda: bool, level: Level
) -> None:
    monkeypatch.setattr(ray_cluster, "ask_nodes", lambda *_, **__: {"node1": NODE})
    demand = Demand(program="train", gpus_per_trial=1, needs_cuda=needs_cuda)
    assert not NODE.machine.gpus

    (row,) = cluster_findings(address, ProbeRequest(results=str(tmp_path)), demand, VERSIONS)

    assert row.level is level


def test_a_node_that_is_only_busy_stops_nothing(monkeypatch: pytest.MonkeyPatch, address: str, tmp_path: Path) -> None:
    late = NoAnswer("no answer within 7 s", is_late=True)

    assert rows(monkeypatch, address, tmp_path, {"node1": late}) == {("node1", "node"): Level.WARN}


def test_other_versions_of_ray_fail_and_of_automl_are_doubted(
    monkeypatch: pytest.MonkeyPatch, address: str, tmp_path: Path
) -> None:
    other = dataclasses.replace(NODE, versions={**VERSIONS, "ray": "2.9.0", "automl-vision": "0.0.9"})

    assert rows(monkeypatch, address, tmp_path, {"node1": other}) == {
        ("node1", "version of ray"): Level.FAIL,
        ("node1", "version of automl-vision"): Level.WARN,
    }


def test_a_cluster_that_does_not_answer_fails_with_the_way_to_its_token(
    monkeypatch: pytest.MonkeyPatch, address: str, tmp_path: Path
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise LaunchError("Unauthenticated")

    monkeypatch.setattr(ray_cluster, "ask_nodes", refuse)

    (row,) = cluster_findings(address, ProbeRequest(results=str(tmp_path)), Demand(), VERSIONS)

    assert row.level is Level.FAIL
    assert "RAY_AUTH_TOKEN_PATH" in row.fix


def fitted(nodes: list[dict[str, float]], request: StudyRequest = REQUEST, **changes: Any) -> tuple[int, float, float]:  # noqa: ANN401 - fields of Resources
    wanted = Resources(jobs=1, gpus_per_trial=changes.pop("gpus", 1.0), **changes)
    resources = fit_to_nodes(wanted, request, nodes, trials=100)
    return resources.jobs, resources.gpus_per_trial, resources.cpus_per_trial


def test_trials_fill_every_gpu_and_share_the_cpus() -> None:
    assert fitted(GPU_NODES) == (16, 1.0, 4.0)
    assert fitted(GPU_NODES, gpus=4.0) == (4, 4.0, 16.0)
    assert fitted(GPU_NODES, REQUEST.with_settings(jobs=2)) == (2, 1.0, 32.0)
    assert fitted(GPU_NODES, gpus=8.0, nodes_per_trial=2) == (1, 8.0, 32.0)


def test_a_cluster_without_gpus_trains_on_its_cpus_unless_gpus_were_asked_for() -> None:
    nodes = [{"CPU": 4.0}, {"CPU": 2.0}]

    assert fitted(nodes) == (6, 0.0, 1.0)
    assert fitted(nodes, REQUEST.with_settings(gpus_per_trial=1.0)) == (1, 1.0, 1.0)


def test_an_address_that_is_no_cluster_leaves_the_plan_as_it_is() -> None:
    plan = make_plan()

    assert filling_cluster(plan, REQUEST, "of the job") is plan
    assert filling_cluster(plan, REQUEST, "127.0.0.1:1") is plan
