"""Whether an engine sees the paths that its containers are to mount: they are those of its machine, not of ours.

The engine may be on another machine (`DOCKER_HOST`, a Docker context), or this process in a container that was given
the engine's socket. No container is started: an engine checks mounts when it creates one.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from automl.launch.engine import bind_mount, call_client, find_engine, removal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from automl.launch.engine import Engine
    from automl.study.launch_plan import LauncherKind

_LIMIT_S = 30.0
_ABSENT = ("does not exist", "no such file or directory")


def unseen_paths(kind: LauncherKind, image: str, paths: Iterable[Path], folder: Path | None = None) -> tuple[Path, ...]:
    """Return the paths that the engine's machine does not have, and the folder if it is another one there.

    Args:
        kind: Docker or podman.
        image: One that the engine has.
        paths: Files and folders that are here.
        folder: One that can be written here; a file is put into it for a moment, which tells it from a namesake.

    Raises:
        LaunchError: the engine does not answer.
    """
    engine = find_engine(kind)
    marker = None if folder is None else folder / f".automl-seen-{secrets.token_hex(6)}"
    asked = list(paths)
    try:
        if marker is not None:
            marker.touch(mode=0o600)
            asked.append(marker)
        unseen = (
            () if _sees(engine, image, asked) else tuple(path for path in asked if not _sees(engine, image, [path]))
        )
    finally:
        if marker is not None:
            marker.unlink(missing_ok=True)
    return tuple(folder if path == marker and folder is not None else path for path in unseen)


def _sees(engine: Engine, image: str, paths: Sequence[Path]) -> bool:
    """Tell whether a container with these mounts can be created; what else keeps it from that is told elsewhere."""
    name = f"automl-sight-{secrets.token_hex(6)}"
    mounts = [word for path in paths for word in ("--mount", bind_mount(path, is_written=False))]
    done = call_client(
        engine.program,
        "create",
        "--name",
        name,
        "--network",
        "none",
        "--pull",
        "never",
        *mounts,
        image,
        "true",
        limit_s=_LIMIT_S,
    )
    if done.returncode == 0:
        call_client(engine.program, *removal(engine.kind, name), limit_s=_LIMIT_S)
        return True
    return not any(words in done.stderr.lower() for words in _ABSENT)
