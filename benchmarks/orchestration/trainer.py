"""The trainer of the benchmark: does nothing and ends, or diverges with a process tree that does not want to die.

    trainer.py FOLDER ends|diverges
    trainer.py TRIAL_FOLDER/spec.json BEHAVIOURS.json

Writes `started` (seconds since 1970) at once, one status line, and then either ends or goes on for ever, with a child
in a session of its own; both ignore SIGTERM and touch a file every 10 ms, so that the time of their death is known.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path


def main() -> None:
    """Behave as the second argument says."""
    folder, behaviour = Path(sys.argv[1]), sys.argv[2]
    if behaviour.endswith(".json"):
        folder = folder.parent
        behaviour = json.loads(Path(behaviour).read_text(encoding="utf-8"))[int(folder.name)]
    (folder / "started").write_text(str(time.time()), encoding="ascii")
    loss = float("nan") if behaviour == "diverges" else 1.0
    line = {"epoch": 0, "max_epoch": 0, "status": "RUNNING", "kpi": {"train_loss": loss, "accuracy": 0.5}}
    if behaviour == "diverges":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        is_child = os.fork() == 0
        if is_child:
            os.setsid()
        else:
            (folder / "diverged").write_text(str(time.time()), encoding="ascii")
            (folder / "status.json").write_text(json.dumps(line) + "\n", encoding="utf-8")
        while True:
            (folder / ("child_lives" if is_child else "parent_lives")).touch()
            time.sleep(0.01)
    (folder / "status.json").write_text(json.dumps(line) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
