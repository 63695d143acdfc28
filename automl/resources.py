"""Where the files that come with `automl` lie: schemas, spec templates and studies.

In a checkout they are folders beside the package, in an installed wheel they lie inside it under ``packaged``. Nothing
is read here, and nothing outside these folders is ever returned.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent


def packaged(kind: Literal["schemas", "templates", "studies"]) -> Path:
    """Return the folder of one kind of packaged files.

    Raises:
        FileNotFoundError: the installation is incomplete; the folder is nowhere.
    """
    candidates = (_PACKAGE / "packaged" / kind, _PACKAGE.parent / kind)
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"this installation of automl has no {kind}; looked at {candidates[0]} and {candidates[1]}")


def builtin_skill(name: str) -> Path | None:
    """Return the folder of a built-in skill, e.g. of ``depth_net_mono``; None if there is none of that name."""
    # Compared with what is there: a file system refuses some names, such as very long ones, with errors.
    return packaged("templates") / name if name in builtin_skills() else None


def builtin_skills() -> tuple[str, ...]:
    """Return the names of the built-in skills, sorted."""
    return tuple(sorted(file.parent.name for file in packaged("templates").glob("*/skill_info.yaml")))


def builtin_studies() -> dict[str, Path]:
    """Return the packaged study files by name, ``depth_net_mono/demo`` -> file, sorted by name."""
    root = packaged("studies")
    files = sorted(root.rglob("*.yaml"))
    return {file.relative_to(root).with_suffix("").as_posix(): file for file in files}
