"""Whether files of a user's own program change while its study runs: each trial is a process that reads them anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.errors import counted
from automl.program.sources import digests

if TYPE_CHECKING:
    from pathlib import Path

    from automl.study.model import StudyPlan


class CodeWatch:
    """Says once of each change of a program's files that trials from now on run another program.

    Args:
        plan: Of the study, with the digests that the files had when it was planned.
    """

    def __init__(self, plan: StudyPlan) -> None:
        self._files = plan.skill.sources
        self._known = dict(plan.skill.fingerprints)
        self._seen: dict[str, tuple[int, ...]] = {}

    def change(self) -> str:
        """Return what has changed since the last call, as a sentence; empty for nothing."""
        looked = {name: _look(file) for name, file in self._files.items()}
        touched = {name: self._files[name] for name, look in looked.items() if look != self._seen.get(name)}
        self._seen = looked
        now = digests(touched)
        changed = [name for name, digest in now.items() if digest != self._known.get(name, digest)]
        self._known |= now
        return changed_code(changed) if changed else ""


def changed_code(names: list[str]) -> str:
    """Return what it means that files have changed."""
    verb = "has" if len(names) == 1 else "have"
    more = f" and {counted(len(names) - 3, 'more file')}" if len(names) > 3 else ""  # noqa: PLR2004 - fit into a line
    listed = ", ".join(names[:3]) + more
    return f"{listed} {verb} changed: trials from this one on run other code than those before; compare with care"


def _look(file: Path) -> tuple[int, ...]:
    try:
        found = file.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
