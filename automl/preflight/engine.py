"""Check the container engine: that it answers, that it has the image, and that the study's paths are on its machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from automl.errors import LaunchError
from automl.launch.engine import find_engine, unseen_paths
from automl.launch.images import find_image
from automl.launch.mounts import readable_paths
from automl.preflight.findings import Finding, bad, doubt, good
from automl.preflight.probe import nearest_folder
from automl.study.launch_plan import LauncherKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automl.study.launch_plan import LaunchPlan
    from automl.study.model import StudyPlan

# NVIDIA's table of minor version compatibility: the first driver that runs any CUDA of a major version.
_LEAST_DRIVER = {"11": "450.80.02", "12": "525.60.13", "13": "580.65.06"}


def launch_findings(launch: LaunchPlan, *, driver: str = "", is_quick: bool = False) -> Iterator[Finding]:
    """Check that the launcher can start trials: the engine answers, the image is here or will be pulled.

    Args:
        launch: The launcher of the plan.
        driver: Version of this machine's GPU driver; empty where there is none.
        is_quick: Leave out the engine and its image; a run checks them later.
    """
    if launch.launcher is LauncherKind.NONE:
        fix = "start docker, or choose --launcher podman or apptainer; or install the trainer here: --launcher local"
        yield bad("launcher", launch.reason, expected="something that can run the trainer", fix=fix)
    if is_quick or not launch.launcher.uses_image or launch.image is None:
        return
    try:
        version = find_engine(launch.launcher).version
        image = find_image(launch.launcher, launch.image)
    except LaunchError as error:
        problem = error.problems[0]
        yield bad("engine", problem.found, expected=problem.expected, fix=problem.fix)
        return
    yield good("engine", f"{launch.launcher.value} {version}")
    if image is None:
        yield doubt("image", f"{launch.image} is not here", fix="nothing to do: it is pulled before the first trial")
    else:
        yield good("image", f"{launch.image}, {image.size_bytes / 1e9:.1f} GB, {image.digest}")
        yield from _driver(driver, image.cuda)


def _driver(driver: str, cuda: str) -> Iterator[Finding]:
    needed = _LEAST_DRIVER.get(cuda.partition(".")[0])
    if not driver or needed is None:
        return
    found = f"{driver}; the image has CUDA {cuda}"
    if _numbers(driver) < _numbers(needed):
        fix = "update the driver, or choose an older image; images with NVIDIA's compatibility libraries may still run"
        yield doubt("driver", found, expected=f"at least {needed}", fix=fix)
    else:
        yield good("driver", found)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]


def engine_path_findings(plan: StudyPlan, results: Path) -> Iterator[Finding]:
    """Return the paths of a study that are missing on the engine's machine, which may be another one than this."""
    launch = plan.launch
    if launch.launcher not in {LauncherKind.DOCKER, LauncherKind.PODMAN} or launch.image is None:
        return
    folder = nearest_folder(results)
    paths = readable_paths(plan.spec.values, launch.mounts, own=results / plan.name)
    try:
        # The check runs in a container of the image; a run has pulled it by then.
        if find_image(launch.launcher, launch.image) is None:
            return
        unreadable = unseen_paths(launch.launcher, launch.image, paths, folder if os.access(folder, os.W_OK) else None)
    except LaunchError:
        return  # launch_findings has a row for an engine that does not answer
    engine = os.environ.get("DOCKER_HOST") or f"the {launch.launcher.value} engine"
    for path in unreadable:
        is_results = path == folder
        yield bad(
            "results" if is_results else "path",
            f"{path} is not on the machine of {engine}{', or is another folder there' if is_results else ''}",
            expected="storage that this machine and the engine's have at the same path",
            fix=f"choose such a folder{' with --results' if is_results else ''}, or an engine of this machine",
        )
