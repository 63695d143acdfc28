"""How long a slot stands between two trials, from the events of a study that ran one trial at a time.

    automl run toy/quick --jobs 1 --trials 12 --study-dir STUDY
    python -m benchmarks.orchestration.gaps STUDY

For each trial but the first: from the end of the one before until it is started, and until its first line is heard.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.node.measure import json_lines, moment_s


def gaps_s(events: list[dict[str, Any]]) -> tuple[list[float], list[float]]:
    """Return the seconds from each end of a trial to the start, and to the first line, of the next one."""
    started: list[float] = []
    heard: list[float] = []
    ended_s, is_heard = None, True
    for event in events:
        now_s = moment_s(event)
        match event["event"]:
            case "trial_ended":
                ended_s = now_s
            case "trial_started" if ended_s is not None:
                started.append(now_s - ended_s)
                is_heard = False
            case "measured" if ended_s is not None and not is_heard:
                heard.append(now_s - ended_s)
                is_heard = True
    return started, heard


def main() -> None:
    """Print median and worst."""
    events = json_lines(Path(sys.argv[1]) / "events.jsonl")
    for name, found in zip(("next trial started", "its first line"), gaps_s(events), strict=True):
        print(f"end of a trial -> {name}: median {statistics.median(found):.2f} s, worst {max(found):.2f} s")


if __name__ == "__main__":
    main()
