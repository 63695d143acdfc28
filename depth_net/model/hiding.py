"""Import a library as if another one, which it would only use for features we do not use, were not installed."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def hidden(name: str) -> Iterator[None]:
    """Hide a top-level package from the imports inside the block; one that has been imported already stays visible.

    Args:
        name: The package; afterwards it can be imported as usual.
    """
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # documented: None makes an import fail and find_spec return None
    try:
        yield
    finally:
        del sys.modules[name]
