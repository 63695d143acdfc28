"""Prepare the nodes of a cluster for containers before a GPU is reserved.

On each node, once: remove the containers that an earlier run of the study left, and pull the image if it is missing. A
node that cannot run the study is an error before the first trial.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from automl.errors import LaunchError
from automl.launch.choice import ready_launch
from automl.launch.engine import end_containers

if TYPE_CHECKING:
    from automl.study.launch_plan import LaunchPlan

logger = logging.getLogger(__name__)


def ready_node(launch: LaunchPlan, study: str) -> int:
    """Prepare this machine; return how many containers of an earlier run it had.

    Args:
        launch: How trials are started.
        study: The study's tag.

    Raises:
        LaunchError: trials cannot be started here.
    """
    ready_launch(launch)
    count = end_containers(launch.launcher, study)
    if count:
        logger.warning("%d containers of an earlier run have been removed", count)
    return count


def ready_nodes(launch: LaunchPlan, study: str) -> None:
    """Prepare every node of the cluster that this driver is connected to, all at once.

    Raises:
        LaunchError: trials cannot be started on some nodes; with the reason for each.
    """
    if not launch.launcher.uses_image:
        return
    import ray  # noqa: PLC0415 # after the session has set its environment
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415

    task: Any = ray.remote(_answer)
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call] # Ray's
    asked = {
        node["NodeManagerHostname"]: task.options(
            num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False)
        ).remote(launch, study)
        for node in nodes
        if node["Alive"]
    }
    failed = {name: answer for name, future in asked.items() if (answer := ray.get(future))}
    if failed:
        listed = "; ".join(f"{name}: {answer}" for name, answer in failed.items())
        raise LaunchError(f"trials cannot be started on {len(failed)} of {len(asked)} nodes: {listed}")


def _answer(launch: LaunchPlan, study: str) -> str:
    """Run on a node: return why it cannot run trials; empty when it can."""
    try:
        ready_node(launch, study)
    except LaunchError as error:
        return " ".join(str(error).split())
    return ""
