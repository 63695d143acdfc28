"""What a proposal takes of a processor while a free slot waits for it, in a search of 12 parameters.

*Earlier studies* are 30 of 30 trials each, on the same function with noise. On an idle machine a slot waits little
longer: 10.0 ms in the median and 13.7 ms at most in 19 of 20 proposals, where they took 9.9 and 11.4 ms of a processor
(40 to 60 trials, load 1.1).
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace
from automl.study.earlier import EarlierStudy, EarlierTrial
from automl.study.trial import TrialState
from benchmarks.search.methods import Ours

LOAD = "load"
PAUSE_S = 0.5
"""What a trial takes at least; the kernel is fitted while it runs."""
_PATHS = tuple(f"p{i}" for i in range(12))
_STUDIES, _TRIALS = 30, 30


def measure() -> dict[str, Any]:
    """Return processor times to ask, in ms: median and 95th percentile, by what was known.

    The key `LOAD` has what else the machine was doing: processes that wanted to run, on average over the last minute.
    """
    alone = _times(60, ())
    helped = _times(60, tuple(_study(number) for number in range(_STUDIES)))
    return {
        "40 to 60 trials": _quantiles(alone[40:]),
        "1 to 39 trials and 30 earlier studies": _quantiles(helped[1:40]),
        "40 to 60 trials and 30 earlier studies": _quantiles(helped[40:]),
        LOAD: os.getloadavg()[0],
    }


def table_of(measured: dict[str, Any]) -> str:
    """Return a Markdown table, and on what machine it was measured."""
    lines = ["| known | median, ms | p95, ms |", "|---|---|---|"]
    lines += [f"| {known} | {v['median']:.1f} | {v['p95']:.1f} |" for known, v in measured.items() if known != LOAD]
    return "\n".join([*lines, "", f"On {os.cpu_count()} cores at a load of {measured[LOAD]:.1f}."])


def _value(assignment: dict[str, Any]) -> float:
    return -float(sum((np.log10(value) + 3) ** 2 for value in assignment.values()))


def _study(number: int) -> EarlierStudy:
    generator = np.random.default_rng(number)
    trials = []
    for _ in range(_TRIALS):
        assignment = {path: float(10 ** generator.uniform(-5, 0)) for path in _PATHS}
        value = _value(assignment) + float(generator.normal())
        trials.append(EarlierTrial(assignment=assignment, value=value, state=TrialState.COMPLETED))
    return EarlierStudy(name=f"s{number}", trials=tuple(trials))


def _times(trials: int, earlier: tuple[EarlierStudy, ...]) -> list[float]:
    """Return the milliseconds of a processor that each proposal takes."""
    space = SearchSpace(
        parameters=tuple(
            Parameter(path=path, type=ParameterType.FLOAT, low=1e-5, high=1.0, log=True, default=1e-2)
            for path in _PATHS
        ),
        fixed={},
    )
    method = Ours("auto", space, 1, [], earlier)
    found = []
    for _ in range(trials):
        start = time.thread_time()
        handle, assignment = method.ask()
        found.append(1e3 * (time.thread_time() - start))
        time.sleep(PAUSE_S)
        method.tell(handle, _value(assignment))
    return found


def _quantiles(times: list[float]) -> dict[str, float]:
    return {"median": float(np.median(times)), "p95": float(np.quantile(times, 0.95))}
