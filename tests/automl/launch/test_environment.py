from __future__ import annotations

import pytest

from automl.launch.command import THREAD_VARIABLES, bin_directory, trial_environment
from automl.launch.processes import TAG_VARIABLE


@pytest.mark.parametrize(
    "name",
    [
        "WORLD_SIZE", "RANK", "LOCAL_RANK", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT", "NUM_GPU_PER_NODE", "GROUP_RANK",
        "TORCHELASTIC_RUN_ID", "RAY_ADDRESS", "RAY_AUTH_TOKEN_PATH", "SLURM_PROCID", "CUDA_VISIBLE_DEVICES",
    ],
)  # fmt: skip
def test_a_stale_variable_is_not_inherited(name: str) -> None:
    environment = trial_environment({name: "stale", "PATH": "/bin"}, tag="t/0/1")

    assert environment.get(name) != "stale"


def test_secrets_and_proxies_are_inherited() -> None:
    inherited = {"HF_TOKEN": "x", "https_proxy": "y", "LD_LIBRARY_PATH": "z"}

    environment = trial_environment(inherited, tag="t/0/1")

    assert inherited.items() <= environment.items()


def test_a_trial_sees_only_its_devices() -> None:
    assert trial_environment({}, tag="t", gpus=("2", "GPU-abc"))["CUDA_VISIBLE_DEVICES"] == "2,GPU-abc"
    assert trial_environment({}, tag="t")["CUDA_VISIBLE_DEVICES"] == ""


def test_every_thread_pool_gets_the_trials_threads() -> None:
    environment = trial_environment({"OMP_NUM_THREADS": "64"}, tag="t", threads=3)

    assert {environment[name] for name in THREAD_VARIABLES} == {"3"}


def test_the_tag_and_the_own_programs_are_there() -> None:
    environment = trial_environment({"PATH": "/usr/bin"}, tag="demo/0001/1")

    assert environment[TAG_VARIABLE] == "demo/0001/1"
    assert environment["PATH"] == f"{bin_directory()}:/usr/bin"


def test_the_rendezvous_of_a_trial_over_several_nodes_is_laid_over_the_rest() -> None:
    extra = {"WORLD_SIZE": "2", "NODE_RANK": "1", "MASTER_ADDR": "10.0.0.1"}

    assert extra.items() <= trial_environment({"WORLD_SIZE": "9"}, tag="t", extra=extra).items()
