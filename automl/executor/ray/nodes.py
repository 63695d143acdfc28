"""What the machines of a study start trials with, and that they can: checked before a GPU is reserved.

On each node, once: remove the containers that an earlier run of the study left, and pull the image if it is missing. A
node that cannot run the study is an error before the first trial.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import LaunchError
from automl.executor.ray.cluster import call_nodes
from automl.executor.ray.session import living_nodes
from automl.launch.choice import make_launcher, ready_launch
from automl.launch.engine import end_containers
from automl.launch.local import WarmLauncher
from automl.study.launch_plan import LauncherKind

if TYPE_CHECKING:
    from automl.launch.base import Launcher
    from automl.study.launch_plan import LaunchPlan
    from automl.study.model import Resources

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LauncherChoice:
    """Which launcher an actor makes.

    Attributes:
        kind: How trials are started.
        session: Name under which the launchers of one machine share the warm server.
        program: First word of the trials' command.
        log: Takes the warm server's output.
        plugin: The launcher's name where it is a plug-in's.
        shape: What a trial takes of each of its nodes; None for trials on one node.
    """

    kind: LauncherKind
    session: str
    program: str
    log: str
    plugin: str = ""
    shape: Resources | None = None

    def make(self) -> Launcher:
        """Return a new launcher; inside a Ray worker."""
        is_warm = self.kind is LauncherKind.WARM
        warm = WarmLauncher(self.session, self.program, log=Path(self.log)) if is_warm else None
        launcher = warm or make_launcher(self.kind, self.plugin)
        if self.shape is None:
            return launcher
        from automl.executor.ray.multi_node import MultiNodeLauncher  # noqa: PLC0415 # after Ray's environment is set

        return MultiNodeLauncher(launcher, self.shape, self.kind, self.plugin)


def ready_node(launch: LaunchPlan, study: str) -> int:
    """Prepare this machine for the study with this tag; return how many containers of an earlier run it had.

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

    asked = call_nodes(living_nodes(), _answer, launch, study)
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
