"""A trial over several nodes: one process tree per node, started together, followed together, ended together.

The trial's actor is in the first bundle of its placement group and starts rank 0; a runner in each further bundle
starts another rank. Every rank has `WORLD_SIZE` (nodes), `NODE_RANK`, `MASTER_ADDR`, `MASTER_PORT` (free when it was
chosen) and `NUM_GPU_PER_NODE` in its environment. The job has succeeded when every rank has; the first rank that fails,
or a lost node, ends it.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ray
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from automl.errors import LaunchError
from automl.launch.base import ExternalEnd, Job, Launcher
from automl.launch.choice import make_launcher
from automl.launch.processes import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from automl.launch.base import LaunchRequest
    from automl.study.launch_plan import LauncherKind
    from automl.study.model import Resources

logger = logging.getLogger(__name__)

START_LIMIT_S = 120.0
STRAGGLER_LIMIT_S = 60.0
"""How long the other ranks may take to end once rank 0 has succeeded."""
_ANSWER_LIMIT_S = 20.0
_POLL_S = 0.1


class NodeRunner:
    """Runs one rank on its node; an actor, so it dies with its node and its job with it."""

    def __init__(self, kind: LauncherKind, plugin: str) -> None:
        die_with_parent(os.getppid())
        self._launcher = make_launcher(kind, plugin)
        self._job: Job | None = None

    def start(self, request: LaunchRequest) -> None:
        """Start the rank on the devices of this node."""
        gpus = tuple(str(gpu) for gpu in ray.get_gpu_ids())
        environment = {**request.environment, "CUDA_VISIBLE_DEVICES": ",".join(gpus)}
        self._job = self._launcher.launch(replace(request, environment=environment, gpus=gpus))

    def wait(self) -> int:
        """Return the exit status once the rank has ended."""
        job = self._job
        assert job is not None  # noqa: S101 # started before
        while (status := job.wait(1.0)) is None:
            pass
        return status

    def kill(self, grace_s: float) -> None:
        """End the rank's whole process tree."""
        if self._job is not None:
            self._job.kill(grace_s=grace_s)


class MultiNodeJob(Job):
    """All ranks of a trial as one job: rank 0, and the started runners of the others."""

    def __init__(self, head: Job, runners: Sequence[Any]) -> None:
        self._head = head
        self._runners = tuple(runners)
        self._waiting = {runner.wait.remote(): rank for rank, runner in enumerate(self._runners, start=1)}
        self._status: int | None = None
        self._head_ended_s: float | None = None

    def poll(self) -> int | None:
        """Return 0 once every rank has succeeded, or the first other status; all ranks have ended then."""
        if self._status is None:
            self._status = self._poll_ranks()
            if self._status is not None:
                self._end(0.0)
        return self._status

    def kill(self, *, grace_s: float) -> None:
        """End every rank; returns when no process of them lives, on all nodes that still answer."""
        if self._status is None:
            self._end(grace_s)
            self._status = self._head.poll() or -int(signal.SIGTERM)

    def _poll_ranks(self) -> int | None:
        status = self._head.poll()
        if status is not None and status != 0:
            return status
        waiting = list(self._waiting)
        for future in ray.wait(waiting, num_returns=len(waiting), timeout=0)[0] if waiting else ():
            rank = self._waiting.pop(future)
            try:
                other = int(ray.get(future))
            except ray.exceptions.RayError as error:
                self.external_end = ExternalEnd(reason=f"rank {rank} was lost: {type(error).__name__}")
                logger.warning(self.external_end.reason)
                return -int(signal.SIGKILL)
            if other != 0:
                return other
        if status is None or not self._waiting:
            return status
        self._head_ended_s = self._head_ended_s or time.monotonic()
        return None if time.monotonic() < self._head_ended_s + STRAGGLER_LIMIT_S else -int(signal.SIGKILL)

    def _end(self, grace_s: float) -> None:
        killing = [runner.kill.remote(grace_s) for runner in self._runners]
        self._head.kill(grace_s=grace_s)
        ray.wait(killing, num_returns=len(killing), timeout=grace_s + _ANSWER_LIMIT_S)


class MultiNodeLauncher(Launcher):
    """Starts a trial on every node of the actor's placement group: rank 0 by a launcher, the others by one of a kind.

    Only rank 0 can be warm.
    """

    def __init__(self, launcher: Launcher, shape: Resources, kind: LauncherKind, plugin: str = "") -> None:
        self._launcher = launcher
        self._kind = kind
        self._plugin = plugin
        self._shape = shape
        self._runners: list[Any] = []

    def launch(self, request: LaunchRequest) -> Job:
        """Start all ranks, or rank 0 alone where the request is for a single process tree.

        Raises:
            LaunchError: a rank could not be started; the others are ended.
        """
        if request.is_single:
            return self._launcher.launch(request)
        if not self._runners:
            self._runners = self._place_runners()
        address: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call] # Ray's
        ranks = rank_requests(request, self._shape, address=address, port=free_port())
        head = self._launcher.launch(ranks[0])
        try:
            starting = [runner.start.remote(rank) for runner, rank in zip(self._runners, ranks[1:], strict=True)]
            ray.get(starting, timeout=START_LIMIT_S)
        except (ray.exceptions.RayError, LaunchError) as error:
            head.kill(grace_s=0.0)
            self._release()
            raise LaunchError(f"a rank of {request.command[0]} could not be started: {error}") from error
        return MultiNodeJob(head, self._runners)

    def close(self) -> None:
        """End the runners."""
        self._release()
        self._launcher.close()

    def _release(self) -> None:
        for runner in self._runners:
            ray.kill(runner)
        self._runners = []

    def _place_runners(self) -> list[Any]:
        group: Any = ray.util.get_current_placement_group()
        actor: Any = ray.remote(NodeRunner)
        return [
            actor.options(
                num_cpus=self._shape.cpus_per_trial,
                num_gpus=self._shape.gpus_per_trial,
                max_concurrency=4,  # `kill` is called while `wait` runs
                scheduling_strategy=PlacementGroupSchedulingStrategy(
                    placement_group=group, placement_group_bundle_index=bundle
                ),
            ).remote(self._kind, self._plugin)
            for bundle in range(1, self._shape.nodes_per_trial)
        ]


def rank_requests(request: LaunchRequest, shape: Resources, *, address: str, port: int) -> list[LaunchRequest]:
    """Return the request of every rank, rank 0 first; ranks above 0 log beside the trial's log."""
    shared = {
        "WORLD_SIZE": str(shape.nodes_per_trial),
        "NUM_GPU_PER_NODE": str(max(1, round(shape.gpus_per_trial))),
        "MASTER_ADDR": address,
        "MASTER_PORT": str(port),
    }
    requests = []
    for rank in range(shape.nodes_per_trial):
        log = request.log if rank == 0 else request.log.with_name(f"{request.log.stem}.node{rank}{request.log.suffix}")
        environment = {**request.environment, **shared, "NODE_RANK": str(rank)}
        # A rank's tag names its container too.
        tag = request.tag if rank == 0 else f"{request.tag}/node{rank}"
        requests.append(replace(request, environment=environment, log=log, tag=tag))
    return requests


def free_port() -> int:
    """Return a TCP port that is free at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])
