"""Suite G: the winner chosen by one noisy observation, or by a race within the same number of trainings.

All trials of a search have the same trainer seed, so the same replicate of a table; the race trains with others. *One
observation* is a search of so many trials whose best one wins. *Race* is `--replicates auto`: the search has 5 trials
fewer, and its best 3 are trained again (`automl.study.race`). *Race as earlier ones say* drops it, as a study does by
default, where the noise in the races of three earlier studies on other tables of the family is small
(`automl.study.replicates`); these were searches of 30 trainings. *Best tried* is who knew the truth about every trial.
Regret as in suite A.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.study.earlier import EarlierStudy, RecordedTrial, StudyHistory
from automl.study.objectives import Direction, Objective
from automl.study.race import CANDIDATES, most_trainings, next_round
from automl.study.replication import without_needless_race
from automl.study.result import StudyResult
from automl.study.trial import TrialResult, TrialState
from automl.testing.studies import plan_of
from automl.transfer import noise_of
from benchmarks.search import tables
from benchmarks.search.intervals import interval
from benchmarks.search.methods import make_method

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.search.tables import Task

TRAININGS = (21, 30)
_ROUNDS = 2
_EARLIER = 3
_OBJECTIVE = Objective(metric="value", direction=Direction.MAXIMIZE)


def run(task_name: str, seed: int) -> dict[str, Any]:
    """Return for each number of trainings the regret by one observation, by a race, and of the best trial tried.

    With it comes the noise that the longest race shows, as a later study estimates it.

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
    found, noise = [], None
    for trainings in TRAININGS:
        tried = indices[:trainings]
        single = max(tried, key=lambda index: float(task.values[index][own]))
        raced, noise = _raced(task, indices[: trainings - most_trainings(_ROUNDS)], own, others[:_ROUNDS])
        found += [task.regret(single), task.regret(raced), min(map(task.regret, tried))]
    return {"regret": found, "noise": noise}


def _raced(
    task: Task, indices: Sequence[tuple[int, ...]], own: int, others: Sequence[int]
) -> tuple[tuple[int, ...], float | None]:
    """Return the winner of a race, and the noise that the study shows."""
    trials = [_trial(i, float(task.values[index][own])) for i, index in enumerate(indices)]
    while pairs := next_round(StudyResult(objective=_OBJECTIVE, trials=tuple(trials)), CANDIDATES, others):
        for number, seed in pairs:
            value = float(task.values[indices[number]][seed])
            trials.append(_trial(len(trials), value, replicate_of=number, seed=seed))
    best = StudyResult(objective=_OBJECTIVE, trials=tuple(trials)).best
    assert best is not None  # noqa: S101 - every trial has a value
    return indices[best.number], noise_of(_history(trials))


def _history(trials: Sequence[TrialResult]) -> StudyHistory:
    recorded = (
        RecordedTrial(
            number=t.number, state=t.state, assignment={}, value=t.values["value"], replicate_of=t.replicate_of
        )
        for t in trials
    )
    how: dict[str, Any] = {"metric": _OBJECTIVE.metric, "direction": _OBJECTIVE.direction, "parameters": ()}
    return StudyHistory(name="race", fingerprint="", skill="", network_arch="", trials=tuple(recorded), **how)


def _is_raced(noises: Sequence[float | None]) -> bool:
    """Tell whether a study that knows the noise of earlier ones keeps its race, as the product decides."""
    earlier = tuple(EarlierStudy(name=str(i), trials=(), noise=noise) for i, noise in enumerate(noises))
    return without_needless_race(replace(plan_of("auto"), race=True, replicates=CANDIDATES, earlier=earlier)).race


def _trial(number: int, value: float, **again: Any) -> TrialResult:  # noqa: ANN401 - replicate_of and seed
    completed = TrialState.COMPLETED
    return TrialResult(number=number, state=completed, assignment={}, directory="", values={"value": value}, **again)


def run_all(seeds: Sequence[int], processes: int) -> dict[tuple[str, int], dict[str, Any]]:
    """Run every table."""
    jobs = [(task, seed) for seed in seeds for task in tables.MLP + tables.FC_NET]
    with ProcessPoolExecutor(processes) as pool:
        return dict(zip(jobs, pool.map(_run, jobs), strict=True))


def _run(job: tuple[str, int]) -> dict[str, Any]:
    return run(*job)


def table_of(results: dict[tuple[str, int], dict[str, Any]]) -> str:
    """Return a Markdown table: mean regret, and the races minus the single observation, with intervals over runs."""
    heads = ["trainings", "one observation", "race", "race as earlier ones say", "best tried"]
    heads += ["race - one observation", "as earlier ones say - one observation"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    found = np.array([result["regret"] for result in results.values()])
    is_raced = np.array([_is_raced(_earlier_noises(results, *key)) for key in results])
    for k, trainings in enumerate(TRAININGS):
        single, raced, tried = found[:, 3 * k : 3 * k + 3].T
        decided = np.where(is_raced, raced, single)
        cells = [f"{values.mean():.3f}" for values in (single, raced, decided, tried)]
        cells += [interval(values - single, "+.3f") for values in (raced, decided)]
        lines.append(f"| {trainings} | " + " | ".join(cells) + " |")
    tasks, seeds = len({task for task, _ in results}), len({seed for _, seed in results})
    shares = [_dropped(results, is_raced, family) for family in (tables.FC_NET, tables.MLP)]
    dropped = f"Dropped are {shares[0]} of the races on HPOLib's tables and {shares[1]} of those on HPOBench's."
    return "\n".join([*lines, "", f"{tasks} tables, {seeds} seeds; the intervals are over runs. {dropped}"])


def _earlier_noises(results: dict[tuple[str, int], dict[str, Any]], task: str, seed: int) -> list[float | None]:
    """Return the noise of searches with the same seed on up to three other tables of the family, drawn by the seed."""
    family = tables.MLP if task in tables.MLP else tables.FC_NET
    others = [name for name in family if name != task and (name, seed) in results]
    chosen = np.random.default_rng([seed, 77]).permutation(len(others))[:_EARLIER]
    return [results[others[i], seed]["noise"] for i in chosen]


def _dropped(results: dict[tuple[str, int], dict[str, Any]], is_raced: np.ndarray, family: Sequence[str]) -> str:
    rows = np.array([task in family for task, _ in results])
    return f"{100 * float(np.mean(~is_raced[rows])):.0f} %"
