"""``python -m automl``: the command line ``automl``."""

from __future__ import annotations

from automl.cli.app import main

main()
