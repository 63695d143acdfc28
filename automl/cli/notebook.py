"""What a person sees of a running study below the cell of a notebook: one output, written anew as the study goes on.

It needs no widgets, so every front end shows it, and a saved notebook keeps how it ended.
"""

from __future__ import annotations

import io
import logging
import time
import warnings
from collections import deque
from importlib import import_module
from typing import TYPE_CHECKING, Any

from automl.cli.render import VisibleConsole

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table
    from rich.text import Text

_INTERVAL_S = 0.5
_LINES = 40
"""Of ended trials; the report and `trials_dataframe` have all."""
_WIDTH = 140
_PAGE = '<pre style="white-space: pre; overflow-x: auto; line-height: 1.3">{code}</pre>'


class NotebookCell:
    """The output of one cell: lines, and the running trials below them."""

    def __init__(self, running: Callable[[], Table]) -> None:
        self._running = running
        self._heading: list[tuple[str, str]] = []
        self._lines: deque[Text] = deque(maxlen=_LINES)
        self._printed = 0
        self._handle: Any = None
        self._shown_s = 0.0
        # Ray and tqdm ask for widgets when they are imported in a notebook; nothing here uses theirs.
        logging.getLogger("ray.widgets.util").setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", message="IProgress not found")

    def print_heading(self, text: str, style: str = "") -> None:
        """Show a line that stays on top."""
        self._heading.append((text, style))

    def print_line(self, text: Text) -> None:
        """Show a line; of many only the last ones are kept."""
        self._lines.append(text)
        self._printed += 1

    def refresh(self, *, is_last: bool = False) -> None:
        """Write the output anew, at most twice a second but for the last time."""
        now_s = time.monotonic()
        if not is_last and now_s - self._shown_s < _INTERVAL_S:
            return
        self._shown_s = now_s
        display: Any = import_module("IPython.display").display  # there where a notebook runs; it has no types

        shown = self._page()
        if self._handle is None:
            self._handle = display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)

    def _page(self) -> dict[str, str]:
        page = VisibleConsole(io.StringIO(), width=_WIDTH, is_page=True)
        for text, style in self._heading:
            page.print(text, style=style, no_wrap=True, crop=False)
        if left_out := self._printed - len(self._lines):
            page.print(f"... {left_out} more above")
        for line in self._lines:
            page.print(line, no_wrap=True, overflow="ignore", crop=False)
        page.print(self._running())
        text = page.export_text(clear=False)
        return {"text/plain": text, "text/html": page.export_html(inline_styles=True, code_format=_PAGE)}
