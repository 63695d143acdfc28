"""What a container engine does not see: mounts are paths of its machine, which may be another one than this."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from automl.errors import LaunchError
from automl.launch.engine import unseen_paths
from automl.launch.images import find_image
from automl.launch.mounts import readable_paths
from automl.preflight.findings import Finding, bad
from automl.preflight.probe import nearest_folder
from automl.study.launch_plan import LauncherKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automl.study.model import StudyPlan


def engine_path_findings(plan: StudyPlan, results: Path) -> Iterator[Finding]:
    """Say which paths of a study the engine's machine does not have; it may be another one than this.

    Args:
        plan: Its spec names what trials read.
        results: The results folder.
    """
    launch = plan.launch
    if launch.launcher not in {LauncherKind.DOCKER, LauncherKind.PODMAN} or launch.image is None:
        return
    folder = nearest_folder(results)
    paths = readable_paths(plan.spec.values, launch.mounts, own=results / plan.name)
    try:
        # Without the image nothing can be asked; a run has it by then.
        if find_image(launch.launcher, launch.image) is None:
            return
        unreadable = unseen_paths(launch.launcher, launch.image, paths, folder if os.access(folder, os.W_OK) else None)
    except LaunchError:
        return  # a row of its own says that the engine does not answer
    engine = os.environ.get("DOCKER_HOST") or f"the {launch.launcher.value} engine"
    for path in unreadable:
        what = "results" if path == folder else "path"
        yield bad(
            what,
            f"{path} is not on the machine of {engine}{', or is another folder there' if path == folder else ''}",
            expected="storage that this machine and the engine's see at the same path",
            fix="choose such a folder"
            + (" with --results" if path == folder else "")
            + ", or an engine of this machine",
        )
