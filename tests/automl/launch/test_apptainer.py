from __future__ import annotations

import dataclasses
import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from automl.errors import LaunchError
from automl.launch.container import ContainerLauncher, exec_arguments
from automl.launch.images import image_file
from automl.launch.processes import find_leftovers
from automl.study.launch_plan import LauncherKind
from automl.study.trial import FailureKind
from automl.testing.launchers import ProgramLauncherContract, unique_tag, wait_for
from automl.trial.failures import classify, read_tail
from tests.automl.launch.fake_engine import install_gpus, install_program
from tests.automl.launch.test_engine import CALLER, ENVIRONMENT, HOME, REQUEST, TRIAL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automl.launch.base import LaunchRequest

# Takes apptainer's arguments and starts the command with what they say, without a container.
SHIM = """
shift
while :; do
  case "$1" in
    --env) export "$2"; shift 2;;
    --home) export HOME="$2"; shift 2;;
    --pwd) cd "$2"; shift 2;;
    --mount|--network) shift 2;;
    --*) shift;;
    *) break;;
  esac
done
shift
export PROBE="$APPTAINERENV_PROBE"
unset PYTHONPATH
command -v "$1" >/dev/null || { echo "FATAL: $1: executable file not found in \\$PATH"; exit 255; }
exec "$@"
"""


class TestApptainerLauncher(ProgramLauncherContract):
    @pytest.fixture(autouse=True)
    def _launch(self, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        install_program(tmp_path_factory.mktemp("bin"), monkeypatch, "apptainer", SHIM)
        self.launcher = ContainerLauncher(LauncherKind.APPTAINER)
        yield
        self.launcher.close()

    def command(self, code: str) -> tuple[str, ...]:
        return (sys.executable, "-S", "-E", "-c", code)

    def adapt(self, request: LaunchRequest) -> LaunchRequest:
        return dataclasses.replace(request, image="image.sif", writable=(request.directory,), credentials=("PROBE",))

    def test_a_program_that_does_not_exist_is_named(self, tmp_path: Path) -> None:
        """Apptainer is there, so it is only its log that can tell."""
        job = self.start_impossible(tmp_path)

        assert wait_for(job) == 255
        failure = classify(255, read_tail(tmp_path / "log"))
        assert failure.kind is FailureKind.IMAGE
        assert "no-such-program" in failure.cause


def test_the_apptainer_command_of_a_trial_is_exactly_this(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_gpus(tmp_path, monkeypatch, 4)
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    own = [*(pair for pair in ENVIRONMENT if pair[0] != "HOME"), ("CUDA_VISIBLE_DEVICES", "GPU-aaa1,GPU-aaa3")]

    assert list(exec_arguments(REQUEST, CALLER)) == [
        *("exec", "--containall", "--cleanenv", "--no-home", "--writable-tmpfs", "--nv"),
        *("--mount", "type=bind,source=/data/nyu,destination=/data/nyu,ro"),
        *("--mount", f"type=bind,source={TRIAL},destination={TRIAL}"),
        *("--home", HOME, "--pwd", str(TRIAL)),
        *(word for name, value in own for word in ("--env", f"{name}={value}")),
        "/cache/automl/images/nvcr.io-nvidia-tao-6.sif",
        *REQUEST.command,
    ]


def test_a_file_is_run_as_it_is(tmp_path: Path) -> None:
    assert image_file(str(tmp_path / "tao.sqsh")) == tmp_path / "tao.sqsh"
    assert image_file("docker://nvcr.io/tao:6").name == "nvcr.io-tao-6.sif"


def test_credentials_reach_it_through_the_environment_and_the_tree_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (
        'echo "token $APPTAINERENV_HF_TOKEN $#"; case "$*" in *hf_secret*) echo leaked;; esac; sleep 300 & sleep 300'
    )
    install_program(tmp_path / "bin", monkeypatch, "apptainer", script)
    tag = unique_tag()
    launcher = ContainerLauncher(LauncherKind.APPTAINER)
    request = dataclasses.replace(
        REQUEST, directory=tmp_path, log=tmp_path / "log", tag=tag, gpus=(), writable=(tmp_path,)
    )

    job = launcher.launch(request)
    while "token" not in (tmp_path / "log").read_text(encoding="utf-8"):
        time.sleep(0.02)
    job.kill(grace_s=0.0)
    launcher.close()

    assert wait_for(job) is not None
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert "token hf_secret" in log
    assert "leaked" not in log
    assert not find_leftovers(tag)


def test_a_machine_without_apptainer_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.defpath)
    launcher = ContainerLauncher(LauncherKind.APPTAINER)

    with pytest.raises(LaunchError, match="apptainer is not installed"):
        launcher.launch(dataclasses.replace(REQUEST, directory=tmp_path, log=tmp_path / "log"))
