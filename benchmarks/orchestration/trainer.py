"""The trainer of the benchmark: does nothing and ends, or diverges with a process tree that does not want to die.

    trainer.py FOLDER ends|diverges
    trainer.py TRIAL_FOLDER/spec.json BEHAVIOURS.json
    trainer.py --folder FOLDER --behaviour ends|diverges [more options]

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
from typing import Any


def main() -> None:
    """Behave as the second argument says."""
    arguments = sys.argv[1:]
    if arguments[0].startswith("--"):  # Syne Tune passes options, its own among them
        options = dict(zip(arguments[::2], arguments[1::2], strict=False))
        arguments = [options["--folder"], options["--behaviour"]]
    folder, behaviour = Path(arguments[0]), arguments[1]
    if behaviour.endswith(".json"):
        folder = folder.parent
        behaviour = json.loads(Path(behaviour).read_text(encoding="utf-8"))[int(folder.name)]
    (folder / "started").write_text(str(time.time()), encoding="ascii")
    loss = float("nan") if behaviour == "diverges" else 1.0
    line: dict[str, Any] = {
        "epoch": 0,
        "max_epoch": 0,
        "status": "RUNNING",
        "kpi": {"train_loss": loss, "accuracy": 0.5},
    }
    if behaviour == "diverges":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        is_child = os.fork() == 0
        if is_child:
            os.setsid()
        else:
            (folder / "diverged").write_text(str(time.time()), encoding="ascii")
            report(folder, line)
        while True:
            (folder / ("child_lives" if is_child else "parent_lives")).touch()
            time.sleep(0.01)
    report(folder, line)


def report(folder: Path, line: dict[str, Any]) -> None:
    """Write the status line, and the line of the log in which Syne Tune looks for metrics."""
    (folder / "status.json").write_text(json.dumps(line) + "\n", encoding="utf-8")
    times = {"st_worker_timestamp": time.time(), "st_worker_time": 0.0, "st_worker_iter": 0}
    sys.stdout.write(f"\n[tune-metric]: {json.dumps({**line['kpi'], **times})}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
