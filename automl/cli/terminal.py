"""Text of strangers on a terminal: control characters are shown, never obeyed.

Names in skills, texts of trainers and paths may hold sequences that move the cursor, set the window's title or hide
what stands before them.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

# What terminals act on, but for line breaks and tabs: C0, C1, and marks of direction and of lines.
_CONTROL = re.compile("\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_LAST_C0 = 0x1F


def visible(text: str) -> str:
    r"""Return a text with its control characters as ``\x1b`` or ``\u009b``, but for line breaks and tabs."""
    return _CONTROL.sub(_escaped, text)


def one_line(text: str) -> str:
    r"""Return a text in one line: its line breaks are ``\n``, other control characters as in `visible`."""
    return visible(text.replace("\n", "\\n"))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    # Beyond C0, as JSON writes it: lines of events may hold these as they are.
    return f"\\x{code:02x}" if code <= _LAST_C0 else f"\\u{code:04x}"


class StreamName(str):
    """The name of a standard stream, in place of a file's in an error."""

    __slots__ = ()


class NamedStream:
    """A text stream whose errors name it; everything else is that of the stream behind it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text."""
        with self._named():
            return self._stream.write(text)

    def flush(self) -> None:
        """Write what waits."""
        with self._named():
            self._stream.flush()

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            error.filename = StreamName(self._stream.name.strip("<>"))
            raise

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 # whatever the stream has
        return getattr(self._stream, name)


class VisibleStream:
    """A text stream that shows control characters; everything else is that of the stream behind it."""

    def __init__(self, stream: TextIO) -> None:
        self.unescaped = NamedStream(stream)

    def write(self, text: str) -> int:
        """Write a text, its control characters made visible."""
        self.unescaped.write(visible(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 # whatever the stream has
        return getattr(self.unescaped, name)
