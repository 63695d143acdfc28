"""A study as a job: how many trials fit, and which names can be used."""

from __future__ import annotations

import pytest

from automl.cluster.job import plain_name, trials_at_once
from automl.errors import ConfigurationError


@pytest.mark.parametrize(
    ("nodes", "gpus", "cpus", "each", "count"),
    [(2, 8, None, 1.0, 16), (2, 8, None, 4.0, 4), (1, 1, None, 0.5, 2), (3, 0, 4, 0.0, 12), (3, 0, None, 0.0, 3)],
)
def test_every_gpu_gets_a_trial(nodes: int, gpus: int, cpus: int | None, each: float, count: int) -> None:
    fitting = trials_at_once(nodes=nodes, gpus_per_node=gpus, cpus_per_node=cpus, gpus_per_trial=each)

    assert fitting == count


def test_a_trial_larger_than_a_node_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="--gpus-per-trial"):
        trials_at_once(nodes=4, gpus_per_node=1, cpus_per_node=None, gpus_per_trial=2.0)


@pytest.mark.parametrize("name", ["$(reboot)", "a b", "", "x;y", "-x", "a\nb"])
def test_a_name_that_needs_quoting_is_refused(name: str) -> None:
    assert plain_name("depth_net_mono-demo.2") == "depth_net_mono-demo.2"
    with pytest.raises(ConfigurationError, match="name"):
        plain_name(name)
