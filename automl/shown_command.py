"""What a message shows to be pasted into a shell as it stands: a command of this program, an option of one."""

from __future__ import annotations

import json
import shlex


def shown_command(*arguments: object) -> str:
    """Return `automl` with its arguments; what a shell would take apart, such as a path with a space, is quoted."""
    return shown("automl", *arguments)


def shown(*arguments: object) -> str:
    """Return arguments, quoted as those of `shown_command`: ``--search 'layers[0].lr'``."""
    return shlex.join(map(str, arguments))


def shown_setting(path: str, value: object) -> str:
    """Return the option that sets a value of the spec, whatever the schema says: ``--set '+layers[0].lr=0.1'``."""
    return shown("--set", f"+{path}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
