from __future__ import annotations

import csv
from pathlib import Path

import pytest

from automl.errors import LaunchError
from automl.launch.base import LaunchRequest
from automl.launch.command import trial_environment
from automl.launch.container import Caller, container_name, run_arguments, to_uuids
from automl.launch.engine import Engine, find_engine
from automl.study.launch_plan import LauncherKind
from tests.automl.launch.fake_engine import install_engine, install_gpus, install_silent_engine

CALLER = Caller(uid=1000, gid=1001, groups=(27, 998), name="ada")
DOCKER = Engine(kind=LauncherKind.DOCKER, program="/usr/bin/docker", version="27.1")
TRIAL = Path("/results/demo/trials/0007")
REQUEST = LaunchRequest(
    command=("depth_net", "train", "-e", "/results/demo/trials/0007/spec.yaml"),
    directory=TRIAL,
    environment={"PATH": "/usr/bin", "LD_LIBRARY_PATH": "/opt", "OMP_NUM_THREADS": "4", "HF_TOKEN": "hf_secret"},
    log=TRIAL / "train.log",
    tag="demo-8f3a/0007/1",
    gpus=("1", "3"),
    image="nvcr.io/nvidia/tao:6",
    read_only=(Path("/data/nyu"),),
    writable=(TRIAL,),
    credentials=("HF_TOKEN", "NGC_KEY"),
)
HOME = "/results/demo/trials/0007/.home"
ENVIRONMENT = [
    ("OMP_NUM_THREADS", "4"),
    ("USER", "ada"),
    ("LOGNAME", "ada"),
    ("HOME", HOME),
    ("XDG_CACHE_HOME", f"{HOME}/.cache"),
    ("XDG_CONFIG_HOME", f"{HOME}/.config"),
    ("XDG_DATA_HOME", f"{HOME}/.local/share"),
    ("XDG_STATE_HOME", f"{HOME}/.local/state"),
    ("HF_HOME", f"{HOME}/.cache/huggingface"),
    ("TORCH_HOME", f"{HOME}/.cache/torch"),
    ("TRITON_CACHE_DIR", f"{HOME}/.cache/triton"),
    ("TORCHINDUCTOR_CACHE_DIR", f"{HOME}/.cache/torchinductor"),
    ("MPLCONFIGDIR", f"{HOME}/.cache/matplotlib"),
]


@pytest.fixture(autouse=True)
def _four_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_gpus(tmp_path / "programs", monkeypatch, 4)


def replaced(**changes: object) -> LaunchRequest:
    fields = {name: getattr(REQUEST, name) for name in LaunchRequest.__dataclass_fields__}
    return LaunchRequest(**{**fields, **changes})


def test_the_docker_command_of_a_trial_is_exactly_this() -> None:
    expected = [
        *("--name", "automl-demo-8f3a-0007-1"),
        *("--label", "automl.study=demo-8f3a", "--label", "automl.tag=demo-8f3a/0007/1"),
        *("--label", "automl.trial=0007", "--label", "automl.attempt=1"),
        *("--init", "--pull", "never"),
        *("--user", "1000:1001", "--group-add", "27", "--group-add", "998"),
        "--shm-size=16g",
        *("--gpus", '"device=GPU-aaa1,GPU-aaa3"'),
        *("--workdir", str(TRIAL)),
        *("--mount", "type=bind,source=/data/nyu,target=/data/nyu,readonly"),
        *("--mount", f"type=bind,source={TRIAL},target={TRIAL}"),
        *(word for name, value in ENVIRONMENT for word in ("--env", f"{name}={value}")),
        *("--env", "HF_TOKEN"),
        "nvcr.io/nvidia/tao:6",
        *REQUEST.command,
    ]

    assert list(run_arguments(REQUEST, DOCKER, CALLER)) == expected


def test_no_value_of_a_credential_is_an_argument() -> None:
    assert "hf_secret" not in " ".join(run_arguments(REQUEST, DOCKER, CALLER))


def test_one_gpu_needs_no_quotation_marks_and_none_hides_them_all() -> None:
    assert "device=GPU-aaa2" in run_arguments(replaced(gpus=("2",)), DOCKER, CALLER)
    without = run_arguments(replaced(gpus=()), DOCKER, CALLER)
    assert "--gpus" not in without
    assert "NVIDIA_VISIBLE_DEVICES=void" in without


def test_network_shared_memory_and_memory_are_the_users_choice() -> None:
    words = run_arguments(replaced(options={"network": "none", "shm_size": "host", "memory": "8g"}), DOCKER, CALLER)

    assert words[words.index("--network") + 1] == "none"
    assert "--ipc=host" in words
    assert words[words.index("--memory") + 1] == "8g"


def test_a_rootless_docker_maps_no_user() -> None:
    engine = Engine(kind=LauncherKind.DOCKER, program="docker", version="27", is_rootless=True)

    words = run_arguments(REQUEST, engine, CALLER)

    assert "--user" not in words
    assert "--group-add" not in words


def test_an_engine_that_remaps_users_is_asked_not_to() -> None:
    engine = Engine(kind=LauncherKind.DOCKER, program="docker", version="27", is_remapped=True)

    words = run_arguments(REQUEST, engine, CALLER)

    assert words[words.index("--userns") + 1] == "host"
    assert "1000:1001" in words


def test_podman_takes_devices_by_name_and_keeps_the_rootless_caller() -> None:
    engine = Engine(kind=LauncherKind.PODMAN, program="podman", version="4.3", is_rootless=True, has_init=False)

    words = run_arguments(REQUEST, engine, CALLER)

    assert [words[i + 1] for i, word in enumerate(words) if word == "--device"] == [
        "nvidia.com/gpu=GPU-aaa1",
        "nvidia.com/gpu=GPU-aaa3",
    ]
    assert words[words.index("--userns") + 1] == "keep-id"
    assert words[words.index("--group-add") + 1] == "keep-groups"
    assert "--init" not in words
    assert "--gpus" not in words


def test_a_path_with_a_comma_is_one_field_of_the_mount() -> None:
    words = run_arguments(replaced(read_only=(Path("/data/a,b"),)), DOCKER, CALLER)

    assert next(csv.reader([words[words.index("--mount") + 1]])) == [
        "type=bind",
        "source=/data/a,b",
        "target=/data/a,b",
        "readonly",
    ]


def test_what_was_made_for_a_trial_is_handed_on_and_nothing_else() -> None:
    inherited = {"PATH": "/x", "PYTHONPATH": "/x", "WORLD_SIZE": "9", "NCCL_DEBUG": "INFO", "SECRET": "1"}
    environment = trial_environment(inherited, tag="t/0/1", gpus=("0",), threads=2, extra={"MASTER_PORT": "1"})

    words = run_arguments(replaced(environment=environment, credentials=()), DOCKER, CALLER)

    given = {words[i + 1].split("=")[0] for i, word in enumerate(words) if word == "--env"}
    assert {"OMP_NUM_THREADS", "MASTER_PORT", "NCCL_DEBUG", "AUTOML_TRIAL", "PYTHONUNBUFFERED"} <= given
    assert not given & {"PATH", "PYTHONPATH", "WORLD_SIZE", "SECRET", "CUDA_VISIBLE_DEVICES"}


def test_a_name_holds_only_what_engines_accept() -> None:
    assert container_name("my study-1/0001/2") == "automl-my-study-1-0001-2"


@pytest.mark.parametrize(
    ("security", "is_rootless", "is_remapped"),
    [(["name=seccomp"], False, False), (["name=rootless"], True, False), (["name=userns"], False, True)],
)
def test_the_kind_of_docker_engine_is_asked_for(
    security: list[str], *, is_rootless: bool, is_remapped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = {"ServerVersion": "27.1", "Architecture": "aarch64", "SecurityOptions": security}
    install_engine(tmp_path / "programs", monkeypatch, info=info)

    engine = find_engine(LauncherKind.DOCKER)

    assert (engine.version, engine.machine) == ("27.1", "aarch64")
    assert (engine.is_rootless, engine.is_remapped) == (is_rootless, is_remapped)


def test_a_rootless_podman_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = {"version": {"Version": "5.0"}, "host": {"arch": "amd64", "security": {"rootless": True}}}
    install_engine(tmp_path / "programs", monkeypatch, "podman", info)

    engine = find_engine(LauncherKind.PODMAN)

    assert (engine.version, engine.is_rootless) == ("5.0", True)


def test_a_client_without_an_engine_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_silent_engine(tmp_path / "programs", monkeypatch)

    with pytest.raises(LaunchError, match="Cannot connect") as caught:
        find_engine(LauncherKind.DOCKER)

    assert "--launcher local" in caught.value.problems[0].fix


def test_a_missing_client_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(LaunchError, match="no `podman` on PATH"):
        find_engine(LauncherKind.PODMAN)


def test_indices_become_the_uuids_of_the_same_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_gpus(tmp_path, monkeypatch, 4)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")

    assert to_uuids(("3", "0")) == ("GPU-aaa3", "GPU-aaa0")


def test_uuids_and_instances_stay_what_they_are() -> None:
    assert to_uuids(("GPU-1", "MIG-2")) == ("GPU-1", "MIG-2")


def test_an_index_that_is_not_listed_here_stays_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_gpus(tmp_path, monkeypatch, 1)

    assert to_uuids(("0", "5")) == ("GPU-aaa0", "5")
