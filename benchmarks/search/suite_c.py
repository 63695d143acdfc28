"""Suite C: continuous test functions of the BBOB family, with and without noise, 2 to 10 dimensions, 30 trials."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

import cocoex
import numpy as np

from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace
from benchmarks.search.methods import make_method

if TYPE_CHECKING:
    from collections.abc import Sequence

FUNCTIONS = (1, 8, 15, 20)
"""Sphere, Rosenbrock, Rastrigin (rotated), Schwefel."""
DIMENSIONS = (2, 5, 10)
METHODS = ("ours:auto", "ours:cmaes", "optuna:gp", "optuna:tpe", "optuna:random")
TRIALS = 30
_RANGE = 5.0


def run(method_name: str, function: int, dimensions: int, seed: int, noise: float) -> float:
    """Return the share of the way from a random point to the best of 2000 random ones that is left; below 0 is beyond.

    Args:
        method_name: See `make_method`.
        function: Number in the BBOB suite.
        dimensions: Number of parameters.
        seed: Of the method; also chooses the function's instance.
        noise: Standard deviation of the observations, as a share of the function's spread over the space.
    """
    suite = cocoex.Suite("bbob", "", "")
    problem = suite.get_problem_by_function_dimension_instance(function, dimensions, seed % 15 + 1)
    generator = np.random.default_rng(seed)
    sample = np.sort([problem(x) for x in generator.uniform(-_RANGE, _RANGE, (2000, dimensions))])
    low, middle = float(sample[0]), float(np.median(sample))
    method = make_method(method_name, _space(dimensions), seed, [])
    best_seen, chosen = np.inf, middle
    for _ in range(TRIALS):
        handle, assignment = method.ask()
        true = float(problem(np.array([assignment[f"x{i}"] for i in range(dimensions)])))
        seen = true + noise * (middle - low) * float(generator.normal())
        method.tell(handle, -seen)
        if seen < best_seen:
            best_seen, chosen = seen, true
    return (chosen - low) / (middle - low)


def _space(dimensions: int) -> SearchSpace:
    return SearchSpace(
        parameters=tuple(
            Parameter(path=f"x{i}", type=ParameterType.FLOAT, low=-_RANGE, high=_RANGE, default=0.0)
            for i in range(dimensions)
        ),
        fixed={},
    )


def run_all(seeds: Sequence[int], processes: int) -> dict[tuple[str, int, int, int, float], float]:
    """Run every method on every function."""
    jobs = [
        (method, function, dimensions, seed, noise)
        for method in METHODS
        for function in FUNCTIONS
        for dimensions in DIMENSIONS
        for noise in (0.0, 0.1)
        for seed in seeds
    ]
    with ProcessPoolExecutor(processes) as pool:
        return dict(zip(jobs, pool.map(_run, jobs), strict=True))


def _run(job: tuple[str, int, int, int, float]) -> float:
    return run(*job)


def table_of(results: dict[tuple[str, int, int, int, float], float]) -> str:
    """Return a Markdown table: mean over functions and seeds, per number of dimensions and noise."""
    columns = [(d, n) for d in DIMENSIONS for n in (0.0, 0.1)]
    heads = [f"{d}-d" + (", noise 0.1" if n else "") for d, n in columns]
    lines = ["| method | " + " | ".join(heads) + " |", "|---|" + "---|" * len(columns)]
    measured = {method for method, *_ in results}
    for method in (method for method in METHODS if method in measured):
        cells = [
            f"{np.mean([v for (m, _, d, _, n), v in results.items() if (m, d, n) == (method, *column)]):.3f}"
            for column in columns
        ]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
