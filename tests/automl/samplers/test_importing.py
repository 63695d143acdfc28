from __future__ import annotations

import sys

from automl.samplers.importing import import_ahead


def test_modules_are_imported_in_the_background() -> None:
    sys.modules.pop("colorsys", None)

    thread = import_ahead("colorsys", delay_s=0.2)

    assert "colorsys" not in sys.modules
    thread.join(timeout=30)
    assert "colorsys" in sys.modules
