"""A study as a job: how many trials fit, and the arguments of its run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.cluster.job import run_arguments, trials_at_once
from automl.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


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


def test_paths_become_absolute_and_names_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").touch()
    (tmp_path / "my_skill").mkdir()

    arguments = run_arguments(
        "study.yaml", {"--skill": "my_skill", "--data": ("train=a b.txt",), "--spec": "s.yaml", "--metric": "val/d1"}
    )

    assert arguments == (
        *(f"{tmp_path}/study.yaml", "--skill", f"{tmp_path}/my_skill"),
        *("--data", f"train={tmp_path}/a b.txt", "--spec", f"{tmp_path}/s.yaml", "--metric", "val/d1"),
    )
    assert run_arguments("toy/quick", {"--skill": "depth_net_mono"}) == ("toy/quick", "--skill", "depth_net_mono")


def test_what_was_not_said_is_not_repeated() -> None:
    given = {"--trials": None, "--no-warm-start": False, "--search": (), "--json": True, "--target": 0.5}

    assert run_arguments(None, given, replaced={"--json": None}) == ("--target", "0.5")


def test_the_job_sets_options_of_its_own() -> None:
    assert run_arguments(None, {"--jobs": None, "--time": 7200.0}, replaced={"--jobs": "8"}) == (
        *("--jobs", "8", "--time", "7200"),
    )
