"""How the trials of a study are started: the launcher, the image and why, as they stand in the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class LauncherKind(StrEnum):
    """How trials are started."""

    WARM = "warm"
    """In this environment, forked from a process that has the trainer imported; cold where that cannot be."""
    LOCAL = "local"
    """In this environment, each from the start."""
    DOCKER = "docker"
    PODMAN = "podman"
    APPTAINER = "apptainer"
    PLUGIN = "plugin"
    """By the launcher of another distribution."""
    NONE = "none"
    """Nothing here can run the skill."""

    @property
    def uses_image(self) -> bool:
        """Whether trials run in a container."""
        return self in {LauncherKind.DOCKER, LauncherKind.PODMAN, LauncherKind.APPTAINER}


AUTO = "auto"
LAUNCHER_NAMES = (AUTO, *(k.value for k in LauncherKind if k not in {LauncherKind.PLUGIN, LauncherKind.NONE}))


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchPlan:
    """How trials are started.

    Attributes:
        reason: Why this launcher.
        image: The container image; None where trials run in this environment.
        image_source: Where the image is named, e.g. ``--image``; empty where none is named.
        options: ``network``, ``shm_size``, ``memory``: for launchers that use containers.
        credentials: Names of environment variables that a container gets, where they are set.
        mounts: Further host paths that a container reads.
        plugin: The launcher's name where it is a plug-in's; empty for the others.
    """

    launcher: LauncherKind = LauncherKind.WARM
    reason: str = "trials run in this environment"
    image: str | None = None
    image_source: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    credentials: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    plugin: str = ""
