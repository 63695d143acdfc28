from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import ray

from automl.executor.ray import multi_node
from automl.executor.ray.multi_node import MultiNodeJob, free_port, rank_requests
from automl.launch.base import LaunchRequest
from automl.launch.container import container_name, home_of
from automl.launch.processes import find_leftovers
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_results
from automl.study.launch_plan import LauncherKind
from automl.study.model import Resources
from automl.study.trial import TrialState
from automl.trial.task import study_tag
from tests.automl.executor.toy_study import toy_plan
from tests.scripted_launcher import Script, ScriptedLauncher

DRIVER = Path(__file__).parent / "multi_node_driver.py"
SHAPE = Resources(jobs=1, nodes_per_trial=3, gpus_per_trial=2.0)


def request_in(directory: Path) -> LaunchRequest:
    return LaunchRequest(
        command=("train",), directory=directory, environment={"X": "1"}, log=directory / "train.log", tag="g/0/1"
    )


def test_every_rank_finds_the_rendezvous_and_has_its_own_log(tmp_path: Path) -> None:
    ranks = rank_requests(request_in(tmp_path), SHAPE, address="10.0.0.1", port=4711)

    shared = {"X": "1", "WORLD_SIZE": "3", "NUM_GPU_PER_NODE": "2", "MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "4711"}
    assert [rank.environment for rank in ranks] == [{**shared, "NODE_RANK": str(number)} for number in range(3)]
    assert [rank.log.name for rank in ranks] == ["train.log", "train.node1.log", "train.node2.log"]


def test_every_rank_has_a_container_and_a_home_of_its_own(tmp_path: Path) -> None:
    ranks = rank_requests(
        request_in(tmp_path), Resources(jobs=1, nodes_per_trial=3, gpus_per_trial=1), address="10.0.0.1", port=29501
    )

    assert len({container_name(rank.tag) for rank in ranks}) == 3
    assert len({home_of(rank) for rank in ranks}) == 3
    assert len({rank.tag.split("/")[0] for rank in ranks}) == 1


def test_the_other_ranks_are_started_as_the_first_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multi_node, "die_with_parent", lambda _: None)
    made: list[LauncherKind] = []
    monkeypatch.setattr(multi_node, "make_launcher", lambda kind, _: made.append(kind))

    multi_node.NodeRunner(LauncherKind.DOCKER, "")

    assert made == [LauncherKind.DOCKER]


def test_a_free_port_can_be_bound() -> None:
    assert 1024 <= free_port() <= 65535


class FakeMethod:
    def __init__(self, answer: object) -> None:
        self.answer = answer

    def remote(self, *_: object) -> FakeMethod:
        return self


class FakeRunner:
    """A runner whose rank has ended in some way, or still runs (None)."""

    def __init__(self, status: int | Exception | None) -> None:
        self.wait = FakeMethod(status)
        self.kill = FakeMethod(0)


@pytest.fixture(autouse=True)
def _without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(futures: list[FakeMethod], **_: object) -> tuple[list[FakeMethod], list[FakeMethod]]:
        ended = [future for future in futures if future.answer is not None]
        return ended, [future for future in futures if future.answer is None]

    def get(future: FakeMethod) -> object:
        if isinstance(future.answer, Exception):
            raise future.answer
        return future.answer

    monkeypatch.setattr(ray, "wait", wait)
    monkeypatch.setattr(ray, "get", get)


def multi_node_job(directory: Path, head: Script, *others: Any) -> MultiNodeJob:  # noqa: ANN401 # statuses, errors or None
    job = ScriptedLauncher(lambda _: head).launch(request_in(directory))
    return MultiNodeJob(job, [FakeRunner(other) for other in others])


def test_a_job_has_succeeded_when_every_rank_has(tmp_path: Path) -> None:
    assert multi_node_job(tmp_path, Script(exit_status=0), 0, 0).poll() == 0
    assert multi_node_job(tmp_path, Script(exit_status=0), 0, None).poll() is None
    assert multi_node_job(tmp_path, Script(exit_status=None), 0, 0).poll() is None


def test_the_first_rank_that_fails_ends_the_job_with_its_status(tmp_path: Path) -> None:
    assert multi_node_job(tmp_path, Script(exit_status=None), None, 7).poll() == 7
    assert multi_node_job(tmp_path, Script(exit_status=5), None, None).poll() == 5


def test_a_lost_node_makes_the_job_lost(tmp_path: Path) -> None:
    job = multi_node_job(tmp_path, Script(exit_status=None), None, ray.exceptions.RayActorError())

    assert job.poll() == -signal.SIGKILL
    assert job.was_lost


def test_a_killed_job_keeps_its_status(tmp_path: Path) -> None:
    job = multi_node_job(tmp_path, Script(exit_status=None), None)

    job.kill(grace_s=0.0)

    assert job.poll() == -signal.SIGTERM
    assert not job.was_lost


@pytest.mark.slow
def test_a_trial_runs_on_two_nodes_and_fails_as_a_whole(tmp_path: Path) -> None:
    # Without a token Ray's server dies where this user has never started a Ray before.
    environment = {**os.environ, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    command = [sys.executable, str(DRIVER), str(tmp_path), "good", "fail_rank", "good"]

    subprocess.run(command, env=environment, check=True, timeout=280)

    results = read_results(StudyPaths(tmp_path / "study"))
    assert [result.state for result in results] == [TrialState.COMPLETED, TrialState.FAILED, TrialState.COMPLETED]
    ranks = [json.loads((tmp_path / f"study/trials/0000/rank{n}.json").read_text(encoding="utf-8")) for n in (0, 1)]
    assert [rank["NODE_RANK"] for rank in ranks] == ["0", "1"]
    assert {rank["WORLD_SIZE"] for rank in ranks} == {"2"}
    assert len({rank["MASTER_PORT"] for rank in ranks}) == 1


@pytest.mark.slow
def test_a_lost_node_ends_the_whole_job_and_the_trial_is_tried_again(
    tmp_path: Path,
) -> None:
    environment = {**os.environ, "RAY_AUTH_TOKEN": secrets.token_hex(32)}

    subprocess.run([sys.executable, str(DRIVER), str(tmp_path), "hang_first"], env=environment, check=True, timeout=280)

    (result,) = read_results(StudyPaths(tmp_path / "study"))
    assert (result.state, result.attempt) == (TrialState.COMPLETED, 2)
    assert (tmp_path / "study/trials/0000.2/rank1.json").exists()
    assert not find_leftovers(study_tag(toy_plan(tmp_path / "skill", trials=1), tmp_path / "study"))
