"""Streams of a terminal: text of strangers acts on none (see `automl.visible_text`), and errors name the stream."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TextIO

from automl.visible_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


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
