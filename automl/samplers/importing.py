"""Import libraries in the background, so that nothing waits for them. This module imports none of them."""

from __future__ import annotations

import importlib
import threading
import time


def import_ahead(*modules: str, delay_s: float = 0.0) -> threading.Thread:
    """Import modules in the background; return the thread that does.

    A failed import is ignored here; it raises where the module is needed.

    Args:
        modules: Their names.
        delay_s: Start so much later, where something else needs the processor first.
    """

    def work() -> None:
        time.sleep(delay_s)
        for module in modules:
            importlib.import_module(module)

    thread = threading.Thread(target=work, name="automl-import", daemon=True)
    thread.start()
    return thread
