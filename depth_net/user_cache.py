"""The folder of a user for what runs make for each other: compiled kernels, decoded samples."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


VARIABLE: Final = "DEPTH_NET_CACHE"
"""Names another folder than ``depth_net`` below ``XDG_CACHE_HOME``, by default ``~/.cache``."""


def cache_folder(name: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return a folder inside the one of the user, made if need be; None if it cannot be written."""
    home = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME") or Path.home()) / ".cache"
    folder = Path(environment.get(VARIABLE) or Path(home) / "depth_net").absolute() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None
