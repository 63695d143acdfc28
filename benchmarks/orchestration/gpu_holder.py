"""A console script that takes GPU memory and does not want to die, installed for one benchmark run only.

The warm server imports PyTorch for it once, as it does for a trainer.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NAME = "gpu-holder"
_SOURCE = """
import os, signal, sys, time

def preload():
    import torch

def main():
    import torch
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:  # a grandchild in a session of its own
        os.setsid()
        time.sleep(600)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    held = torch.ones(int(float(sys.argv[2]) * 2**28), device=device)
    held.add_(1).sum().item()
    open(sys.argv[1], "w").close()
    time.sleep(600)
"""


def install(folder: Path) -> None:
    """Put the script on PATH and its module where this process and its children import from."""
    scripts, site = folder / "bin", folder / "site"
    metadata = site / "gpu_holder-1.0.dist-info"
    for place in (scripts, metadata):
        place.mkdir(parents=True)
    (site / "gpu_holder.py").write_text(_SOURCE, encoding="utf-8")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: gpu-holder\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(f"[console_scripts]\n{NAME} = gpu_holder:main\n", encoding="utf-8")
    script = scripts / NAME
    script.write_text(f"#!{sys.executable}\nimport gpu_holder\ngpu_holder.main()\n", encoding="utf-8")
    script.chmod(0o755)
    sys.path.insert(0, str(site))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
    os.environ["PATH"] = f"{scripts}{os.pathsep}{os.environ['PATH']}"
