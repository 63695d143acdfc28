"""Text of strangers where people read it: control characters and invisible ones are shown, never obeyed.

Names in skills, texts of trainers and paths may hold sequences that move a terminal's cursor, set its title, or hide or
turn round what stands beside them, in a page too.
"""

from __future__ import annotations

import re

# What terminals act on, but for line breaks and tabs: C0, C1, marks of direction and of lines; what has no width; and
# halves of characters, which no file of UTF-8 can hold.
_SHOWN = re.compile(
    "\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_LAST_C0 = 0x1F


def visible(text: str) -> str:
    r"""Return a text with control and invisible characters as ``\x1b`` or ``\u009b``, but for line breaks and tabs."""
    return _SHOWN.sub(_escaped, text)


def one_line(text: str) -> str:
    r"""Return a text in one line: its line breaks are ``\n``, other characters as in `visible`."""
    return visible(text.replace("\n", "\\n"))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    # Beyond C0, as JSON writes it: lines of events may hold these as they are.
    return f"\\x{code:02x}" if code <= _LAST_C0 else f"\\u{code:04x}"
