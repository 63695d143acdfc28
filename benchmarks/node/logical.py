"""GPUs that exist by name only: a stand-in for the driver's tool, so that placement can be tried on any machine."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_TOOL = """#!/bin/sh
# Answers the two questions that are asked of the driver's tool; no process ever holds memory.
case "$1" in
  *--query-compute-apps=*) exit 0 ;;
  --query-gpu=name) field='"Logical GPU"' ;;
  *) field='i ", GPU-00000000-0000-0000-0000-00000000000" i ", Logical GPU, 1024"' ;;
esac
awk "BEGIN { for (i = 0; i < COUNT; i++) print $field }"
"""


def offer_logical_gpus(count: int, folder: Path) -> None:
    """Make this process and its children see ``count`` GPUs, which train on the processor."""
    tool = folder / "bin" / "nvidia-smi"
    tool.parent.mkdir(parents=True)
    tool.write_text(_TOOL.replace("COUNT", str(count)), encoding="utf-8")
    tool.chmod(0o755)
    os.environ["PATH"] = f"{tool.parent}{os.pathsep}{os.environ['PATH']}"
    os.environ["RAY_OVERRIDE_RESOURCES"] = json.dumps({"GPU": count})
