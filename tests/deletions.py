"""One module of `automl` deletes what belongs to studies, `automl.storage.deletion`; every other call is an error.

A call that deletes something else, such as a temporary file of its own, has the comment `# not of a study` on its line.

    python -m tests.deletions     exit status 1 if a call is found
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
_ALLOWED = ROOT / "automl/storage/deletion.py"
_DELETES = frozenset({"unlink", "rmdir", "rmtree", "remove", "removedirs"})
_OWNERS_OF_REMOVE = frozenset({"os"})  # `remove` is also a method of lists
_MARK = "# not of a study"


def calls(name: str, text: str) -> Iterator[str]:
    """Yield the calls in a module that delete files and are not marked, as ``file:line: name``."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr="remove" | "removedirs" as called):
                is_delete = owner in _OWNERS_OF_REMOVE
            case ast.Attribute(attr=called) | ast.alias(name=called):
                is_delete = called in _DELETES - {"remove"}
            case _:
                continue
        if is_delete and _MARK not in lines[node.lineno - 1]:
            yield f"{name}:{node.lineno}: {called} outside of automl.storage.deletion"


def main() -> int:
    """Check, print what was found, and return the exit status."""
    files = [file for file in sorted((ROOT / "automl").rglob("*.py")) if file != _ALLOWED]
    found = [call for file in files for call in calls(str(file.relative_to(ROOT)), file.read_text(encoding="utf-8"))]
    for call in found:
        sys.stdout.write(f"{call}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
