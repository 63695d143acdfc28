"""Suite H: templates of three qualities, which trial 0 tries.

The template is a configuration of the table: one drawn from the best 5 %, from the middle 5 % or from the worst 5 %, by
the mean of its replicates. Every method begins with it. One worker; regret as in suite A. A seed draws the same first
points on all tables of a family, so the intervals are over seeds, not over tables.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.search import tables
from benchmarks.search.intervals import interval
from benchmarks.search.methods import make_method
from benchmarks.search.replay import regrets_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.search.tables import Task

BUDGETS = (2, 5, 10, 20, 30)
QUALITIES = {"good": 1.0, "median": 0.525, "bad": 0.05}
"""Share of the configurations that are no better than the best one that is drawn."""
METHODS = ("ours:auto", "optuna:tpe", "optuna:random")
OURS = METHODS[0]
_WIDTH = 0.05


def run(task_name: str, quality: str, method_name: str, seed: int) -> list[float]:
    """Return the regret after each of 30 trials from a template of a quality on."""
    task = tables.load(task_name)
    method = make_method(method_name, task.space, seed, [template_of(task, quality, seed)])
    return regrets_of(task, method, seed, workers=1)


def template_of(task: Task, quality: str, seed: int) -> dict[str, Any]:
    """Return a configuration of a quality."""
    means = task.values.mean(axis=-1)
    ranked = np.argsort(means, axis=None, kind="stable")
    end = round(QUALITIES[quality] * len(ranked))
    chosen = np.random.default_rng([seed, 88]).choice(ranked[end - max(round(_WIDTH * len(ranked)), 1) : end])
    index = np.unravel_index(int(chosen), means.shape)
    return {
        p.path: p.choices[int(at)] if p.choices else int(at) for p, at in zip(task.space.parameters, index, strict=True)
    }


def run_all(seeds: Sequence[int], processes: int) -> dict[tuple[str, str, str, int], list[float]]:
    """Run every method from every kind of template on every table."""
    names = tables.MLP + tables.FC_NET
    jobs = [(t, quality, m, seed) for seed in seeds for t in names for quality in QUALITIES for m in METHODS]
    with ProcessPoolExecutor(processes) as pool:
        return dict(zip(jobs, pool.map(_run, jobs), strict=True))


def _run(job: tuple[str, str, str, int]) -> list[float]:
    return run(*job)


def table_of(results: dict[tuple[str, str, str, int], list[float]]) -> str:
    """Return a Markdown table: mean regret, and ours minus each peer from the same template, over seeds."""
    tasks, seeds = {task for task, *_ in results}, sorted({seed for *_, seed in results})
    heads = ["template", "method", *(f"@{b}" for b in BUDGETS), *(f"ours - it @{b}" for b in BUDGETS)]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]

    def by_seed(quality: str, method: str) -> np.ndarray:
        rows = [[r for (_, *key), r in results.items() if key == [quality, method, seed]] for seed in seeds]
        return np.array([np.mean(row, axis=0) for row in rows])[:, [budget - 1 for budget in BUDGETS]]

    for quality in QUALITIES:
        ours = by_seed(quality, OURS)
        for method in METHODS:
            found = by_seed(quality, method)
            cells = [f"{value:.3f}" for value in found.mean(axis=0)]
            cells += ["" if method == OURS else interval(column, "+.3f") for column in (ours - found).T]
            lines.append(f"| {quality} | {method} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", f"{len(tasks)} tables, {len(seeds)} seeds."])
