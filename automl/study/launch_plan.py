"""How the trials of a study are started: the launcher, the image and why, as they stand in the plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class LauncherKind(StrEnum):
    """How trials are started."""

    WARM = "warm"
    """In this environment, forked from a process that has the trainer imported; cold where that cannot be."""
    LOCAL = "local"
    """In this environment, each from the start."""
    DOCKER = "docker"
    PODMAN = "podman"
    APPTAINER = "apptainer"
    NONE = "none"
    """Nothing here can run the skill."""

    @property
    def uses_image(self) -> bool:
        """Whether trials run in a container."""
        return self in {LauncherKind.DOCKER, LauncherKind.PODMAN, LauncherKind.APPTAINER}


AUTO = "auto"
LAUNCHER_NAMES = (AUTO, *(kind.value for kind in LauncherKind if kind is not LauncherKind.NONE))


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchPlan:
    """How trials are started.

    Attributes:
        kind: The launcher.
        reason: Why this one.
        image: The container image; None where trials run in this environment.
        image_source: Where the image is named, e.g. ``--image``; empty where none is named.
        options: ``network``, ``shm_size``, ``memory``: for launchers that use containers.
        credentials: Names of environment variables that a container gets, where they are set.
        mounts: Further host paths that a container reads.
    """

    kind: LauncherKind = LauncherKind.WARM
    reason: str = "trials run in this environment"
    image: str | None = None
    image_source: str = ""
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    credentials: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the JSON form; `launch_from_document` is its inverse."""
        return {
            "launcher": self.kind.value,
            "reason": self.reason,
            "image": self.image,
            "image_source": self.image_source,
            "options": dict(self.options),
            "credentials": list(self.credentials),
            "mounts": list(self.mounts),
        }


def launch_from_document(document: Mapping[str, Any] | None) -> LaunchPlan:
    """Build the plan that `LaunchPlan.document` wrote; the default one for studies from before there were launchers."""
    if document is None:
        return LaunchPlan()
    return LaunchPlan(
        kind=LauncherKind(document["launcher"]),
        reason=document["reason"],
        image=document["image"],
        image_source=document["image_source"],
        options=MappingProxyType(dict(document["options"])),
        credentials=tuple(document["credentials"]),
        mounts=tuple(document["mounts"]),
    )
