"""How long a free slot waits for a proposal, with 50 trials known and 12 parameters."""

from __future__ import annotations

import os
import time

import numpy as np

from automl.space.parameters import Parameter, ParameterType, SearchSpace
from benchmarks.search.methods import Ours

TRIALS = 60
KNOWN = 40
LOAD = "load"
PAUSE_S = 0.5
"""What a trial takes at least; the kernel is fitted while it runs."""


def measure() -> dict[str, float]:
    """Return median and 95th percentile of the time to ask, wall clock and processor, for trials 40 to 60, in ms.

    The key `LOAD` has what else the machine was doing: processes that wanted to run, on average over the last minute.
    """
    space = SearchSpace(
        parameters=tuple(
            Parameter(path=f"p{i}", type=ParameterType.FLOAT, low=1e-5, high=1.0, log=True, default=1e-2)
            for i in range(12)
        ),
        fixed={},
    )
    method = Ours("auto", space, 1, [])
    wall, processor = [], []
    for trial in range(TRIALS):
        start, start_processor = time.perf_counter(), time.thread_time()
        handle, assignment = method.ask()
        if trial >= KNOWN:
            wall.append(1e3 * (time.perf_counter() - start))
            processor.append(1e3 * (time.thread_time() - start_processor))
            time.sleep(PAUSE_S)
        method.tell(handle, -sum((np.log10(v) + 3) ** 2 for v in assignment.values()))
    return {
        "wall median": float(np.median(wall)),
        "wall p95": float(np.quantile(wall, 0.95)),
        "processor median": float(np.median(processor)),
        "processor p95": float(np.quantile(processor, 0.95)),
        LOAD: os.getloadavg()[0],
    }
