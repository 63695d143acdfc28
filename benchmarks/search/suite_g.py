"""Suite G: the winner chosen by one noisy observation, or by a race within the same number of trainings.

All trials of a search have the same trainer seed, so the same replicate of a table; the race trains with others. *One
observation* is a search of so many trials whose best one wins. *Race* is `--replicates auto`: the search has 5 trials
fewer, and its best 3 are trained again (`automl.study.race`). *Best tried* is who knew the truth about every trial.
Regret as in suite A.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.study.model import Direction, Objective
from automl.study.race import CANDIDATES, most_trainings, next_round
from automl.study.result import StudyResult
from automl.study.trial import TrialResult, TrialState
from benchmarks.search import tables
from benchmarks.search.intervals import interval
from benchmarks.search.methods import make_method

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.search.tables import Task

TRAININGS = (21, 30)
_ROUNDS = 2
_OBJECTIVE = Objective(metric="value", direction=Direction.MAXIMIZE)


def run(task_name: str, seed: int) -> list[float]:
    """Return for each number of trainings the regret by one observation, by a race, and of the best trial tried.

    Args:
        task_name: Of the table.
        seed: Of the sampler; also chooses the replicate that the search sees.
    """
    task = tables.load(task_name)
    replicates = task.values.shape[-1]
    own = seed % replicates
    method = make_method("ours:auto", task.space, seed, [])
    indices: list[tuple[int, ...]] = []
    for _ in range(max(TRAININGS)):
        handle, assignment = method.ask()
        indices.append(task.index(assignment))
        method.tell(handle, float(task.values[indices[-1]][own]))
    others = [r for r in np.random.default_rng(seed).permutation(replicates).tolist() if r != own]
    found = []
    for trainings in TRAININGS:
        tried = indices[:trainings]
        single = max(tried, key=lambda index: float(task.values[index][own]))
        raced = _raced(task, indices[: trainings - most_trainings(_ROUNDS)], own, others[:_ROUNDS])
        found += [task.regret(single), task.regret(raced), min(map(task.regret, tried))]
    return found


def _raced(task: Task, indices: Sequence[tuple[int, ...]], own: int, others: Sequence[int]) -> tuple[int, ...]:
    trials = [_trial(i, float(task.values[index][own])) for i, index in enumerate(indices)]
    while pairs := next_round(StudyResult(objective=_OBJECTIVE, trials=tuple(trials)), CANDIDATES, others):
        for number, seed in pairs:
            value = float(task.values[indices[number]][seed])
            trials.append(_trial(len(trials), value, replicate_of=number, seed=seed))
    best = StudyResult(objective=_OBJECTIVE, trials=tuple(trials)).best
    assert best is not None  # noqa: S101 - every trial has a value
    return indices[best.number]


def _trial(number: int, value: float, **again: Any) -> TrialResult:  # noqa: ANN401 - replicate_of and seed
    completed = TrialState.COMPLETED
    return TrialResult(number=number, state=completed, assignment={}, directory="", values={"value": value}, **again)


def run_all(seeds: Sequence[int], processes: int) -> dict[tuple[str, int], list[float]]:
    """Run every table."""
    jobs = [(task, seed) for seed in seeds for task in tables.MLP + tables.FC_NET]
    with ProcessPoolExecutor(processes) as pool:
        return dict(zip(jobs, pool.map(_run, jobs), strict=True))


def _run(job: tuple[str, int]) -> list[float]:
    return run(*job)


def table_of(results: dict[tuple[str, int], list[float]]) -> str:
    """Return a Markdown table: mean regret, and the race minus the single observation, with its interval over runs."""
    lines = ["| trainings | one observation | race | best tried | race - one observation |", "|---|---|---|---|---|"]
    found = np.array(list(results.values()))
    for k, trainings in enumerate(TRAININGS):
        single, raced, tried = found[:, 3 * k : 3 * k + 3].T
        cells = [f"{values.mean():.3f}" for values in (single, raced, tried)]
        lines.append(f"| {trainings} | " + " | ".join([*cells, interval(raced - single, "+.3f")]) + " |")
    tasks, seeds = len({task for task, _ in results}), len({seed for _, seed in results})
    return "\n".join([*lines, "", f"{tasks} tables, {seeds} seeds; the interval is over runs."])
