"""Suite A: regret on real tables, sequential and with four workers, own start and equal start."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.search import tables
from benchmarks.search.intervals import interval
from benchmarks.search.peers import is_installed
from benchmarks.search.replay import BUDGETS, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

METHODS = (
    *("ours:auto", "ours:tpe", "optuna:gp", "optuna:tpe", "optuna:random"),
    *("ray:optuna", "smac:hpo", "syne:bore", "syne:kde"),
)
SLOW = ("smac:hpo", "syne:bore")
"""Run only when asked for (``--slow``), on one seed: 5 and 14 s of processor time a run."""
FAST = tuple(method for method in METHODS if method not in SLOW)
OURS = METHODS[0]
_NOTEWORTHY = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a method was run.

    Attributes:
        task: Name of the table.
        method: See `make_method`.
        seed: Of the method and of the replicates.
        workers: Trials that run at once.
        equal_start: Whether every method had the start of ours.
    """

    task: str
    method: str
    seed: int
    workers: int
    equal_start: bool


def settings(
    tasks: Sequence[str], seeds: Iterable[int], *, workers: int, equal_start: bool, methods: Sequence[str] = FAST
) -> list[Setting]:
    """Return every combination of tasks, methods and seeds."""
    return [
        Setting(task=task, method=method, seed=seed, workers=workers, equal_start=equal_start)
        for seed in seeds
        for task in tasks
        for method in methods
    ]


def run_all(wanted: Sequence[Setting], file: Path, processes: int) -> dict[Setting, list[float]]:
    """Run what the file does not have yet, append it, and return the regret after each trial of every setting.

    Methods whose package is not installed are left out.
    """
    known = read(file)
    missing = [setting for setting in wanted if setting not in known and is_installed(setting.method)]
    with ProcessPoolExecutor(processes) as pool, file.open("a", encoding="utf-8") as stream:
        for setting, regrets in zip(missing, pool.map(_run, missing), strict=True):
            stream.write(json.dumps({**asdict(setting), "regret": [round(r, 5) for r in regrets]}) + "\n")
            stream.flush()
            known[setting] = regrets
    return {setting: known[setting] for setting in wanted if setting in known}


def _run(setting: Setting) -> list[float]:
    return run(setting.task, setting.method, setting.seed, setting.workers, equal_start=setting.equal_start)


def read(file: Path) -> dict[Setting, list[float]]:
    """Return the results of a file; empty if there is none."""
    known: dict[Setting, list[float]] = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        row = json.loads(line)
        regrets = row.pop("regret")
        known[Setting(**row)] = regrets
    return known


def complete(results: dict[Setting, list[float]], methods: Sequence[str] = METHODS) -> dict[Setting, list[float]]:
    """Return the results of the methods that were run on every table and seed that ours was run on."""
    ours = {(s.task, s.seed) for s in results if s.method == OURS}
    runs = {m: {(s.task, s.seed) for s in results if s.method == m} for m in methods}
    whole = [m for m in methods if runs[m] >= ours and ours]
    return {s: results[s] for m in whole for s in results if s.method == m and (s.task, s.seed) in ours}


def table_of(results: dict[Setting, list[float]]) -> str:
    """Return a Markdown table: mean regret per budget, and ours minus each peer with its interval over tasks."""
    first = next(iter(results))
    tasks = sorted({s.task for s in results}, key=(tables.MLP + tables.FC_NET + tables.NAS).index)
    lines = [
        "| method | "
        + " | ".join(f"@{b}" for b in BUDGETS)
        + " | "
        + " | ".join(f"ours - it @{b}" for b in BUDGETS)
        + " |",
        "|---|" + "---|" * (2 * len(BUDGETS)),
    ]
    ours = _by_task(results, tasks, OURS)
    for method in dict.fromkeys(s.method for s in results):
        found = _by_task(results, tasks, method)
        cells = [f"{value:.3f}" for value in found.mean(axis=0)]
        differences = [
            "" if method == OURS else interval(ours[:, k] - found[:, k], "+.3f") for k in range(len(BUDGETS))
        ]
        lines.append(f"| {method} | " + " | ".join(cells + differences) + " |")
    seeds = len({s.seed for s in results})
    lines += ["", f"{len(tasks)} tables, {seeds} seeds, {first.workers} worker(s)."]
    return "\n".join(lines)


def losses_of(results: dict[Setting, list[float]]) -> str:
    """Return where a peer is better than ours by more than 0.01 on a table, as Markdown lines."""
    tasks = sorted({s.task for s in results})
    ours = _by_task(results, tasks, OURS)
    lines = []
    for method in dict.fromkeys(s.method for s in results if s.method != OURS):
        worse = ours - _by_task(results, tasks, method) > _NOTEWORTHY
        named = [f"{t} @{b}" for i, t in enumerate(tasks) for k, b in enumerate(BUDGETS) if worse[i, k]]
        lines.append(f"- {method}: " + (", ".join(named) if named else "nowhere"))
    return "\n".join(lines)


def _by_task(results: dict[Setting, list[float]], tasks: Sequence[str], method: str) -> np.ndarray:
    """Return mean regret over seeds, shape (tasks, budgets)."""
    rows = [np.mean([r for s, r in results.items() if s.method == method and s.task == task], axis=0) for task in tasks]
    return np.array(rows)[:, [b - 1 for b in BUDGETS]]
