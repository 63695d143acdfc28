"""Run a method on a table: one trial after the other, or with several workers in virtual time."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.search.methods import make_method
from benchmarks.search.tables import load

if TYPE_CHECKING:
    from benchmarks.search.method import Method
    from benchmarks.search.tables import Task

BUDGETS = (10, 20, 30)


def run(task_name: str, method_name: str, seed: int, workers: int, *, equal_start: bool = False) -> list[float]:
    """Return the regret after each of 30 trials.

    The method sees one random replicate of each configuration it tries. The chosen configuration is the one with the
    best observation; its regret is that of the mean over its replicates.

    Args:
        task_name: Of the table.
        method_name: See `make_method`.
        seed: Of the method and of the replicates.
        workers: Trials that run at once; each takes the training time of the table.
        equal_start: Give every method the start of ours.
    """
    task = load(task_name)
    starts = opening_of(task, seed) if equal_start else []
    method = make_method(method_name, task.space, seed, starts)
    return regrets_of(task, method, seed, workers)


def regrets_of(task: Task, method: Method, seed: int, workers: int) -> list[float]:
    """Return the regret of what a method has chosen after each of 30 trials; see `run`."""
    running: list[tuple[float, int, Any, tuple[int, ...], float]] = []
    regrets: list[float] = []
    best_seen, regret, clock, asked = -np.inf, 0.0, 0.0, 0
    while len(regrets) < BUDGETS[-1]:
        while len(running) < workers and asked < BUDGETS[-1]:
            handle, assignment = method.ask()
            index = task.index(assignment)
            # The replicate depends on the configuration and the seed only: methods that try the same see the same.
            replicate = int(np.random.default_rng([seed, *index]).integers(task.values.shape[-1]))
            ends = clock + float(task.seconds[index][replicate])
            heapq.heappush(running, (ends, asked, handle, index, float(task.values[index][replicate])))
            asked += 1
        clock, _, handle, index, value = heapq.heappop(running)
        method.tell(handle, value)
        if value > best_seen:
            best_seen, regret = value, task.regret(index)
        regrets.append(regret)
    return regrets


def opening_of(task: Task, seed: int) -> list[dict[str, Any]]:
    """Return the first assignments that our default sampler tries on a task."""
    from automl.samplers.quasi_random import initial_design_length  # noqa: PLC0415

    method = make_method("ours:auto", task.space, seed, [])
    return [method.ask()[1] for _ in range(initial_design_length(task.space))]
