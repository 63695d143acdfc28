"""What `automl` and `depth_net` may not do with files just anywhere: delete them, and make folders with their parents.

One module deletes what belongs to studies, `automl.storage.deletion`, and only the start of a study makes its folder,
so that nothing makes one again that was moved meanwhile. Every other call is an error, unless a comment on its line
says what it deletes or makes: `# not of a study` in `automl`, and `# its own` in `depth_net`, which deletes only what
it wrote.

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
_MARKS = {"automl": "# not of a study", "depth_net": "# its own"}


def calls(name: str, text: str) -> Iterator[str]:
    """Yield what a module may not do and is not marked, as ``file:line: name``."""
    lines, package = text.splitlines(), Path(name).parts[0]
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr="remove" | "removedirs" as called):
                what = f"{called} outside of automl.storage.deletion"
            case ast.Attribute(attr=called) | ast.alias(name=called) if called in _DELETES - {"remove"}:
                what = f"{called} outside of automl.storage.deletion"
            case ast.Attribute(attr="makedirs") if package == "automl":
                what = "makedirs"
            case ast.Call(func=ast.Attribute(attr="mkdir"), keywords=keywords) if package == "automl":
                if not any(keyword.arg == "parents" for keyword in keywords):
                    continue
                what = "mkdir with parents, where automl.storage.paths.make_folder makes none that has to be there"
            case _:
                continue
        if _MARKS[package] not in lines[node.lineno - 1]:
            yield f"{name}:{node.lineno}: {what}"


def main() -> int:
    """Check, print what was found, and return the exit status."""
    files = [file for package in _MARKS for file in sorted((ROOT / package).rglob("*.py")) if file != _ALLOWED]
    found = [call for file in files for call in calls(str(file.relative_to(ROOT)), file.read_text(encoding="utf-8"))]
    for call in found:
        sys.stdout.write(f"{call}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
