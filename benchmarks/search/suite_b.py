"""Recorded learning curves with real divergence; what a sampler and a stopping rule reach per epoch spent.

One worker, up to 405 epochs (15 full trainings); random search gets 810. The score after some epochs is the best
validation accuracy of any epoch so far, as regret against the best of the table. Peers train every trial to its end and
tell a diverged one as failed, which is what Optuna makes of NaN. *Epochs to match random*: until a run has what random
search has, on average, after its 810 epochs; a run that never gets there counts with all it was given. The last column
is the share of the trials 11 to 30, as far as a run came, that diverged. Intervals are 95 % bootstrap intervals over
runs.
"""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.schedulers.base import Action, Report
from automl.schedulers.registry import make_scheduler
from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace
from benchmarks.search.intervals import interval
from benchmarks.search.methods import make_method

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE = Path(__file__).parent / "curves.json"
TASKS = ("wine", "breast_cancer", "digits")
RANDOM_BUDGET = 810
"""Epochs of 30 full trainings: what random search gets, whose result is the mark for the others."""
EPOCH_BUDGET = 405
"""Epochs that every other pair gets."""
CHECKPOINTS = (54, 81, 135, 216, 297, 405)
RULES = ("none", "auto", "asha", "hyperband", "median", "i_epoch", "patience")
PAIRS = (
    *(("ours:auto", rule) for rule in RULES),
    ("ours:gp", "none"),
    ("ours:penalised", "none"),
    ("ours:random", "none"),
    ("ours:random", "i_epoch"),
    ("ours:random", "auto"),
    ("optuna:tpe", "none"),
    ("optuna:gp", "none"),
)
COMPARED = (
    *(("ours:auto", rule) for rule in ("none", "i_epoch", "patience")),
    *(("ours:random", rule) for rule in ("none", "i_epoch")),
)
"""Sampler and rule that the rule ``auto`` is compared with."""

RANDOM = ("ours:random", "none")
FIRST, LAST = 10, 30
"""Among these trials revisits of the diverging region are counted."""


def budget_of(pair: tuple[str, str]) -> int:
    """Return how many epochs a pair of sampler and rule gets."""
    return RANDOM_BUDGET if pair == RANDOM else EPOCH_BUDGET


@cache
def _recorded() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return loaded


def space() -> SearchSpace:
    """Return the recorded grid as a space of indices; the template is its middle, a learning rate of 0.01."""
    grid = _recorded()["grid"]
    return SearchSpace(
        parameters=tuple(
            Parameter(path=path, type=ParameterType.INT, low=0, high=len(values) - 1, default=(len(values) - 1) // 3)
            for path, values in grid.items()
        ),
        fixed={},
    )


def row_of(task: str, assignment: dict[str, Any]) -> dict[str, Any]:
    """Return the recorded training of a configuration."""
    index = 0
    for path, values in _recorded()["grid"].items():
        index = index * len(values) + int(assignment[path])
    row: dict[str, Any] = _recorded()["tables"][task][index]
    return row


def run(task: str, pair: tuple[str, str], seed: int) -> dict[str, Any]:
    """Return the regret after each epoch spent, and how many of the trials 11 to 30 diverged."""
    sampler, rule_name = pair
    best = max(max(row["accuracy"], default=0.0) for row in _recorded()["tables"][task])
    method = make_method(sampler, space(), seed, [])
    rule = make_scheduler(rule_name, max_epochs=_recorded()["epochs"], trials=30)
    budget = budget_of(pair)
    regrets: list[float] = []
    diverged: list[bool] = []
    top = 0.0
    while len(regrets) < budget and len(diverged) < len(_recorded()["tables"][task]):
        handle, assignment = method.ask()
        row = row_of(task, assignment)
        number, reached, is_stopped = len(diverged), 0.0, False
        curve = row["accuracy"]
        for epoch, accuracy in enumerate(curve):
            reached, top = max(reached, accuracy), max(top, accuracy)
            regrets.append(best - top)
            method.observe(handle, epoch, accuracy)
            decision = rule.decide(Report(trial=number, epoch=epoch, value=accuracy))
            is_stopped = decision.action is Action.STOP and epoch + 1 < _recorded()["epochs"]
            if is_stopped:
                break
        is_diverged = bool(row["diverged"]) and not is_stopped
        if is_diverged:
            # The epoch in which it diverged was spent too.
            regrets.append(best - top)
        diverged.append(bool(row["diverged"]))
        method.tell(handle, None if is_diverged else reached, is_stopped=is_stopped)
    return {"regret": regrets[:budget], "revisits": sum(diverged[FIRST:LAST]), "trials": len(diverged)}


def run_all(seeds: Sequence[int], processes: int) -> dict[tuple[str, tuple[str, str], int], dict[str, Any]]:
    """Run every pair of sampler and rule on every table."""
    jobs = [(task, pair, seed) for task in TASKS for pair in PAIRS for seed in seeds]
    with ProcessPoolExecutor(processes) as pool:
        return dict(zip(jobs, pool.map(_run, jobs), strict=True))


def _run(job: tuple[str, tuple[str, str], int]) -> dict[str, Any]:
    return run(*job)


def table_of(results: dict[tuple[str, tuple[str, str], int], dict[str, Any]]) -> str:
    """Return a Markdown table: regret after some epochs, epochs to match random search, and revisits of divergence."""
    lines = [
        "| sampler | rule | "
        + " | ".join(f"@{c} epochs" for c in CHECKPOINTS)
        + " | epochs to match random | diverged of trials 11-30 |",
        "|---|---|" + "---|" * (len(CHECKPOINTS) + 2),
    ]
    needed = _epochs_to_match(results)
    for pair in PAIRS:
        chosen = [key for key in results if key[1] == pair]
        if not chosen:
            continue
        cells = [f"{value:.4f}" for value in _regrets(results, chosen).mean(axis=0)]
        later = [min(results[key]["trials"], LAST) - FIRST for key in chosen]
        share = sum(results[key]["revisits"] for key in chosen) / sum(later)
        cells += [interval(np.array([needed[key] for key in chosen]), ".0f"), f"{100 * share:.0f} %"]
        lines.append(f"| {pair[0]} | {pair[1]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def rules_of(results: dict[tuple[str, tuple[str, str], int], dict[str, Any]]) -> str:
    """Return a Markdown table: regret and epochs under the rule ``auto`` minus those under others, run by run."""
    lines = [
        "| sampler | minus | " + " | ".join(f"@{c} epochs" for c in CHECKPOINTS) + " | epochs to match random |",
        "|---|---|" + "---|" * (len(CHECKPOINTS) + 1),
    ]
    needed = _epochs_to_match(results)
    for sampler, rule in COMPARED:
        auto = [key for key in results if key[1] == (sampler, "auto")]
        other = [(task, (sampler, rule), seed) for task, _, seed in auto]
        if auto and all(key in results for key in other):
            differences = _regrets(results, auto) - _regrets(results, other)
            cells = [interval(differences[:, k], "+.4f") for k in range(len(CHECKPOINTS))]
            epochs = np.array([needed[key] - needed[beside] for key, beside in zip(auto, other, strict=True)])
            lines.append(f"| {sampler} | {rule} | " + " | ".join([*cells, interval(epochs, "+.0f")]) + " |")
    return "\n".join(lines)


def _regrets(results: dict[Any, dict[str, Any]], keys: Sequence[Any]) -> np.ndarray:
    """Return the regret of each run at each checkpoint, shape (runs, checkpoints)."""
    rows = [results[key]["regret"] for key in keys]
    return np.array([[row[min(c, len(row)) - 1] for c in CHECKPOINTS] for row in rows])


def _epochs_to_match(results: dict[tuple[str, tuple[str, str], int], dict[str, Any]]) -> dict[Any, int]:
    """Return for each run after how many epochs it has what random search has, on average, after 30 full trainings.

    A run that never gets there counts with the epochs it was given.
    """
    marks = {
        task: float(np.mean([r["regret"][-1] for (t, p, _), r in results.items() if (t, p) == (task, RANDOM)]))
        for task in TASKS
    }
    return {
        key: next((i + 1 for i, v in enumerate(r["regret"]) if v <= marks[key[0]] + 1e-9), budget_of(key[1]))
        for key, r in results.items()
    }
