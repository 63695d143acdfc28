"""Suite F: what a search reaches in a given time, where trials take different times.

The budget of a table is the time of 20 trainings of average length. *Weighed by time* is `ours:auto` with that time as
its limit (`--time`), the other one does not know the limit; random search is Optuna's. One worker; regret as in suite
A, after shares of the budget.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from automl.study.model import Budget
from benchmarks.search import tables
from benchmarks.search.intervals import interval
from benchmarks.search.methods import Ours, make_method

if TYPE_CHECKING:
    from collections.abc import Sequence

METHODS = ("weighed by time", "not weighed", "random")
SHARES = (0.25, 0.5, 0.75, 1.0)
TRAININGS = 20
_MOST_TRIALS = 200


def run(task_name: str, method_name: str, seed: int) -> list[float]:
    """Return the regret after each share of the budget, then the number of trials.

    Args:
        task_name: Of the table.
        method_name: One of `METHODS`.
        seed: Of the method and of the replicates.
    """
    task = tables.load(task_name)
    limit_s = TRAININGS * float(task.seconds.mean())
    weighed_s = limit_s if method_name == METHODS[0] else None
    is_ours = method_name != METHODS[-1]
    ours = Ours("auto", task.space, seed, [], budget=Budget(trials=_MOST_TRIALS, time_s=weighed_s))
    method = ours if is_ours else make_method("optuna:random", task.space, seed, [])
    clock, trials, best_seen = 0.0, 0, -np.inf
    ends: list[tuple[float, float]] = []
    while clock < limit_s and trials < _MOST_TRIALS:
        handle, assignment = method.ask()
        index = task.index(assignment)
        replicate = int(np.random.default_rng([seed, *index]).integers(task.values.shape[-1]))
        value, seconds = float(task.values[index][replicate]), float(task.seconds[index][replicate])
        if is_ours:
            ours.tell(handle, value, seconds=seconds)
        else:
            method.tell(handle, value)
        clock, trials = clock + seconds, trials + 1
        if value > best_seen:
            best_seen = value
            ends.append((clock, task.regret(index)))
    # Before the first trial has ended there is nothing: the median configuration.
    reached = [([regret for end, regret in ends if end <= share * limit_s] or [1.0])[-1] for share in SHARES]
    return [*reached, float(trials)]


def run_all(seeds: Sequence[int], processes: int) -> dict[tuple[str, str, int], list[float]]:
    """Run every method on every table."""
    everything = tables.MLP + tables.FC_NET
    jobs = [(task, method, seed) for seed in seeds for task in everything for method in METHODS]
    with ProcessPoolExecutor(processes) as pool:
        return dict(zip(jobs, pool.map(_run, jobs), strict=True))


def _run(job: tuple[str, str, int]) -> list[float]:
    return run(*job)


def table_of(results: dict[tuple[str, str, int], list[float]]) -> str:
    """Return a Markdown table: mean regret after shares of the budget, and weighed minus each other one, paired."""
    tasks = sorted({task for task, *_ in results})
    heads = [f"at {share:.0%}" for share in SHARES]
    lines = [
        "| ours:auto | " + " | ".join([*heads, "trials", *(f"weighed - it {head}" for head in heads)]) + " |",
        "|---|" + "---|" * (2 * len(SHARES) + 1),
    ]

    def by_task(method: str) -> np.ndarray:
        rows = [[r for (t, m, _), r in results.items() if (t, m) == (task, method)] for task in tasks]
        return np.array([np.mean(row, axis=0) for row in rows])

    weighed = by_task(METHODS[0])
    for method in METHODS:
        found = by_task(method)
        cells = [f"{value:.3f}" for value in found.mean(axis=0)[:-1]] + [f"{found[:, -1].mean():.0f}"]
        gaps = [
            "" if method == METHODS[0] else interval(weighed[:, k] - found[:, k], "+.3f") for k in range(len(SHARES))
        ]
        lines.append(f"| {method} | " + " | ".join(cells + gaps) + " |")
    seeds = len({seed for *_, seed in results})
    return "\n".join([*lines, "", f"{len(tasks)} tables, {seeds} seeds, one worker."])
