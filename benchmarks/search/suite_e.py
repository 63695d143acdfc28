"""Suite E: what earlier studies are worth, and what they cost where they are misleading.

The earlier studies are runs of `ours:auto`, 20 trials each, on other tables of the same family: the data set that is
searched is left out. *Alike* are their values as they are. *Inverted* ones have the opposite sign, *random* ones are
shuffled among the trials, and of *shifted* ones every parameter is moved by half its range, so that they follow a
pattern whose best lies elsewhere. The method sees one random replicate per trial; regret as in suite A. The last rows
are Syne Tune's transfer methods on the same three alike studies, on as many of the seeds as they were run; its RUSH is
not implemented in that version.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.study.earlier import EarlierStudy, EarlierTrial
from automl.study.trial import TrialState
from benchmarks.search import tables
from benchmarks.search.intervals import interval
from benchmarks.search.methods import Ours
from benchmarks.search.peers import is_installed
from benchmarks.search.transfer_peers import KINDS, SyneTransfer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.search.method import Method

BUDGETS = (2, 5, 10, 20, 30)
PEER = "syne "
PEERS = tuple((PEER + kind, 3) for kind in KINDS)
SOURCES = (("none", 0), ("alike", 2), ("alike", 3), ("alike", 7), ("inverted", 3), ("random", 3), ("shifted", 3))
_SOURCE_TRIALS = 20
_SOURCE_SEEDS = 1000


def run(task_name: str, kind: str, count: int, seed: int, pool: Sequence[str]) -> list[float]:
    """Return the regret after each of 30 trials with so many earlier studies of a kind.

    Args:
        task_name: Of the table.
        kind: See the module.
        count: Number of earlier studies; a family of four tables has at most three others.
        seed: Of the method, of the replicates and of the choice of the others.
        pool: Tables that earlier studies may be of.
    """
    space = tables.load(task_name).space
    is_peer = kind.startswith(PEER)
    studies = _studies(task_name, "alike" if is_peer else kind, count, seed, pool)
    ours = Ours("auto", space, seed, [], studies)
    return _played(
        task_name, SyneTransfer(kind.removeprefix(PEER), space, seed, studies) if is_peer else ours, seed, 30
    )[0]


def _played(
    name: str, method: Method, seed: int, trials: int
) -> tuple[list[float], list[tuple[dict[str, Any], float]]]:
    task, regrets, observed, best_seen, regret = tables.load(name), [], [], -np.inf, 0.0
    for _ in range(trials):
        handle, assignment = method.ask()
        index = task.index(assignment)
        replicate = int(np.random.default_rng([seed, *index]).integers(task.values.shape[-1]))
        value = float(task.values[index][replicate])
        method.tell(handle, value)
        observed.append((assignment, value))
        if value > best_seen:
            best_seen, regret = value, task.regret(index)
        regrets.append(regret)
    return regrets, observed


@cache
def _source(name: str, seed: int) -> list[tuple[dict[str, Any], float]]:
    return _played(name, Ours("auto", tables.load(name).space, seed, []), seed, _SOURCE_TRIALS)[1]


def _studies(target: str, kind: str, count: int, seed: int, pool: Sequence[str]) -> tuple[EarlierStudy, ...]:
    family = tables.MLP if target in tables.MLP else tables.FC_NET
    others = [name for name in family if name != target and name in pool]
    generator = np.random.default_rng([seed, 77])
    chosen = [others[i] for i in generator.permutation(len(others))[:count]]
    studies = []
    for name in chosen:
        observed = _source(name, _SOURCE_SEEDS + seed)
        values = np.array([value for _, value in observed])
        values = {"inverted": -values, "random": generator.permutation(values)}.get(kind, values)
        assignments = [_shifted(name, a) if kind == "shifted" else a for a, _ in observed]
        trials = (
            EarlierTrial(assignment=a, value=float(v), state=TrialState.COMPLETED)
            for a, v in zip(assignments, values, strict=True)
        )
        studies.append(EarlierStudy(name=name, trials=tuple(trials)))
    return tuple(studies)


def _shifted(name: str, assignment: dict[str, Any]) -> dict[str, Any]:
    moved: dict[str, Any] = {}
    for p in tables.load(name).space.parameters:
        if p.choices:
            moved[p.path] = p.choices[(p.choices.index(assignment[p.path]) + 1) % len(p.choices)]
        else:
            low, high = map(int, p.bounds)
            size = high - low + 1
            moved[p.path] = low + (int(assignment[p.path]) - low + size // 2) % size
    return moved


def run_all(seeds: Sequence[int], processes: int) -> dict[tuple[str, str, int, int], list[float]]:
    """Run every kind of earlier studies on every table."""
    everything, kinds = tables.MLP + tables.FC_NET, (*SOURCES, *(PEERS if is_installed("syne") else ()))
    jobs = [(task, kind, count, seed) for seed in seeds for task in everything for kind, count in kinds]
    with ProcessPoolExecutor(processes) as pool:
        return dict(zip(jobs, pool.map(_run, jobs), strict=True))


def _run(job: tuple[str, str, int, int]) -> list[float]:
    return run(*job, tables.MLP + tables.FC_NET)


def table_of(results: dict[tuple[str, str, int, int], list[float]]) -> str:
    """Return a Markdown table: mean regret, and the paired difference from a study that knows no earlier one."""
    tasks = sorted({task for task, *_ in results})
    columns = [budget - 1 for budget in BUDGETS]
    heads = [f"@{b}" for b in BUDGETS] + [f"minus none @{b}" for b in BUDGETS]
    lines = ["| earlier studies | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]

    def by_task(kind: str, count: int, seeds: set[int]) -> np.ndarray:
        chosen = {key: r for key, r in results.items() if key[1:3] == (kind, count) and key[3] in seeds}
        rows = [[r for key, r in chosen.items() if key[0] == task] for task in tasks]
        return np.array([np.mean(row, axis=0) for row in rows])[:, columns]

    for kind, count in (*SOURCES, *PEERS):
        shared = [{s for t, k, c, s in results if (t, k, c) == (task, kind, count)} for task in tasks]
        seeds_of = set.intersection(*shared)
        if not seeds_of:
            continue
        none, found = (by_task(*pair, seeds_of) for pair in (SOURCES[0], (kind, count)))
        name = "none" if not count else f"{count} {kind}" + (" (3 in the family of four)" if count == 7 else "")  # noqa: PLR2004
        if kind.startswith(PEER):
            name = f"3 alike, {kind.replace(' ', ':', 1)}, {len(seeds_of)} seeds"
        cells = [f"{value:.3f}" for value in found.mean(axis=0)]
        gaps = [interval(found[:, k] - none[:, k], "+.3f") if count else "" for k in range(len(BUDGETS))]
        lines.append(f"| {name} | " + " | ".join(cells + gaps) + " |")
    seeds = len({seed for _, kind, _, seed in results if kind == SOURCES[0][0]})
    return "\n".join([*lines, "", f"{len(tasks)} tables, {seeds} seeds, one worker."])
