"""Wrap the paragraphs and lists of a Markdown text at 100 columns.

    python -m benchmarks.markdown FILE ...      rewrites the files

Only paragraphs with a line that is too long are changed. Tables, code, headings, images and comments stay as they are.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

WIDTH = 100
_WHOLE = re.compile(r"\s*(\||#|<!--|!!!|!\[)| {4}")
_ITEM = re.compile(r"\s*(?:[-*+]|\d+\.)\s+")


def long_lines(text: str) -> list[int]:
    """Return the numbers of the lines that could be wrapped and are not."""
    found, is_code = [], text.startswith("---\n")
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("```") or (line == "---" and is_code and number > 1):
            is_code = not is_code
        elif len(line) > WIDTH and not is_code and not _WHOLE.match(line) and " " in line.strip():
            found.append(number)
    return found


def wrap(text: str) -> str:
    """Return the text with its long paragraphs wrapped."""
    lines = text.split("\n")
    wrapped: list[str] = []
    at, is_code = 0, False
    if lines[0] == "---":
        at = lines.index("---", 1) + 1
        wrapped = lines[:at]
    while at < len(lines):
        line = lines[at]
        is_code ^= line.startswith("```")
        at += 1
        if is_code or line.startswith("```") or not line.strip() or _WHOLE.match(line):
            wrapped.append(line)
            continue
        paragraph = [line]
        while at < len(lines) and _goes_on(lines[at]):
            paragraph.append(lines[at])
            at += 1
        wrapped += _flow(paragraph) if any(len(part) > WIDTH for part in paragraph) else paragraph
    return "\n".join(wrapped)


def _goes_on(line: str) -> bool:
    stripped = line.strip()
    return bool(stripped) and not (_WHOLE.match(stripped) or _ITEM.match(line) or stripped.startswith("```"))


def _flow(paragraph: list[str]) -> list[str]:
    item = _ITEM.match(paragraph[0])
    indent = item[0] if item else paragraph[0][: len(paragraph[0]) - len(paragraph[0].lstrip())]
    text = " ".join([paragraph[0][len(indent) :], *(line.strip() for line in paragraph[1:])])
    text = re.sub(r"`[^`]{1,60}`", lambda code: code[0].replace(" ", "\0"), text)
    lines = textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\0", " ") for line in lines]


if __name__ == "__main__":
    for file in map(Path, sys.argv[1:]):
        file.write_text(wrap(file.read_text(encoding="utf-8")), encoding="utf-8")
