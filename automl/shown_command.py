"""A command of this program as a message shows it: to be pasted into a shell as it stands."""

from __future__ import annotations

import shlex


def shown_command(*arguments: object) -> str:
    """Return `automl` with its arguments; what a shell would take apart, such as a path with a space, is quoted."""
    return shlex.join(["automl", *map(str, arguments)])
