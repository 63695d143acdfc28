"""Put plotly's JavaScript library, one compressed file of 1.5 MB, into the package when it is built.

The reports need this file of the Python package plotly and nothing else of its 64 MB.
"""

from __future__ import annotations

import gzip
from importlib.resources import files
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_LIBRARY = "automl/html_report/plotly.min.js.gz"


class PlotlyLibrary(BuildHookInterface):  # type: ignore[misc,type-arg] # hatchling is there only while a package is built
    """The hook of wheels, editable ones too."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the file beside the module that reads it."""
        del version
        content = files("plotly").joinpath("package_data/plotly.min.js").read_bytes()
        Path(self.root, _LIBRARY).write_bytes(gzip.compress(content, 9, mtime=0))
        build_data["artifacts"].append(_LIBRARY)
