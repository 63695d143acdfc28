"""The blocks of the README and of the pages of `docs/` that can be run: files and console commands, in their order.

A fenced block with the language `console` is run by bash, all blocks of a page in one folder. Its title says when it
is not: ``title="Needs: ..."`` names the machine or service that is missing here, ``title="Slow: ..."`` moves the block
into the slow tests. A block of another language with a path as its title is a file of that name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^```(?P<language>\w+)(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block of a page."""

    line: int
    language: str
    title: str
    text: str

    @property
    def is_console(self) -> bool:
        """Whether the block holds commands."""
        return self.language == "console"

    @property
    def is_file(self) -> bool:
        """Whether the block is a file that later commands read."""
        return not self.is_console and re.fullmatch(r"[\w./-]+\.\w+", self.title) is not None

    @property
    def is_fast(self) -> bool:
        """Whether the commands are run by `make test`."""
        return self.is_console and not self.title.startswith(("Needs:", "Slow:"))

    @property
    def is_slow(self) -> bool:
        """Whether the commands are run by `make test-all`."""
        return self.is_console and self.title.startswith("Slow:")


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        title = _TITLE.search(match["info"])
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(line=line, language=match["language"], title=title[1] if title else "", text=match["text"]))
    return found
