"""The largest counts that a study takes, wherever they are said: options, study files, Python, the text of a request.

A trial that has ended takes 3.3 kB of memory, and 1.3 ms of a resume: a million of them 3.3 GB and 22 minutes. The plan
of a study proposes a trial for each job, 2 ms each. A larger seed is another number to a reader of JSON that has floats
only. `schemas/study.schema.json` has the same numbers, and a test compares them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from automl.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_NODES, MOST_PER_NODE = 10_000, 10_000
"""Machines of a job of a cluster, and GPUs or CPUs of each."""
MOST: Mapping[str, int] = {
    **dict.fromkeys(("trials", "patience_trials"), 1_000_000),
    **dict.fromkeys(("replicates", "replicate_seeds"), 1_000),
    **dict.fromkeys(("jobs", "nodes_per_trial", "gpus_per_trial", "cpus_per_trial"), 10_000),
    "seed": 2**53 - 1,
}
"""Setting, or option of a study -> the largest number that it takes."""


def is_count(value: object, name: str) -> TypeGuard[int]:
    """Tell whether a value is a whole number that a setting takes, from 1 on."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST[name]


def beyond(settings: Mapping[str, object], *, where: str) -> Iterator[Problem]:
    """Yield a problem for each count that is larger than a study takes."""
    for name, most in MOST.items():
        value = settings.get(name)
        if isinstance(value, int | float) and value > most:
            found, fix = f"{name.replace('_', ' ')} {int(value):,}", "lower it"
            yield Problem(where=where, found=found, expected=f"at most {most:,}", fix=fix)
