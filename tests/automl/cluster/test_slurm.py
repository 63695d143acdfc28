"""The sbatch script: what stands in it, and that nothing of a study reaches the shell unquoted.

A whole study in a real Slurm is in tests/acceptance/test_slurm.py.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path

import pytest

from automl.cluster.job import StudyJob
from automl.cluster.slurm import SlurmOptions, slurm_script, slurm_walltime
from automl.errors import ConfigurationError

HOSTILE = "$(touch /tmp/owned); 'x' \"y\" `id` \\ \n#SBATCH --uid=0"
JOB = StudyJob(name="demo", results=Path("/shared/results"), run_arguments=("toy/quick", "--request", HOSTILE))


def directives(script: str) -> list[str]:
    head = script.split("set -euo pipefail", maxsplit=1)[0]
    return [line.removeprefix("#SBATCH --") for line in head.splitlines() if line.startswith("#SBATCH")]


def test_the_directives_are_those_that_were_asked_for() -> None:
    options = SlurmOptions(
        nodes=2, gpus_per_node=8, walltime="4:00:00", partition="gpu", account="vision", extra=("mail-type=END",)
    )

    assert directives(slurm_script(JOB, options)) == [
        *("job-name=automl-demo", "nodes=2", "ntasks-per-node=1", "wait-all-nodes=1", "exclusive", "mem=0"),
        *("gpus-per-node=8", "time=4:00:00", "partition=gpu", "account=vision", "signal=B:USR1@120", "requeue"),
        *("open-mode=append", "output=/shared/results/automl-demo-%j.log", "mail-type=END"),
    ]


def test_a_part_of_a_node_is_asked_for_by_its_cpus() -> None:
    asked = directives(slurm_script(JOB, SlurmOptions(cpus_per_node=6)))

    assert "cpus-per-task=6" in asked
    assert "exclusive" not in asked


def test_words_of_a_study_reach_the_program_as_they_are_and_the_shell_not_at_all() -> None:
    script = slurm_script(JOB, SlurmOptions())
    settings = script.split("# From here on")[0]

    done = subprocess.run(
        ["bash", "-c", settings + "\nprintf '%s\\0' \"${run[@]}\""],  # noqa: S607 - the shell of the script
        capture_output=True,
        text=True,
        check=True,
    )

    assert tuple(done.stdout.split("\0")[:-1]) == JOB.run_arguments
    assert HOSTILE not in script.split("# From here on")[1]
    assert not any("uid" in line for line in directives(script))


def test_the_script_is_valid_bash() -> None:
    script = slurm_script(JOB, SlurmOptions(nodes=3, gpus_per_node=2))

    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)  # noqa: S607

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (SlurmOptions(partition="gpu; rm -rf /"), "--partition"),
        (SlurmOptions(account="a\n#SBATCH --uid=0"), "--account"),
        (SlurmOptions(extra=("--uid=0",)), "--sbatch"),
        (SlurmOptions(extra=("comment=a b",)), "--sbatch"),
        (SlurmOptions(container=Path("/images/automl.tar")), ".sqsh"),
        (SlurmOptions(container=Path("/images/a,b.sqsh")), "commas"),
    ],
)
def test_values_that_cannot_stand_in_a_directive_are_refused(options: SlurmOptions, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        slurm_script(JOB, options)


@pytest.mark.parametrize("name", ["$(reboot)", "a b", "", "x;y", "-x", "a\nb"])
def test_a_name_that_needs_quoting_is_refused(name: str) -> None:
    assert slurm_script(dataclasses.replace(JOB, name="depth_net_mono-demo.2"), SlurmOptions())
    with pytest.raises(ConfigurationError, match="the study's name"):
        slurm_script(dataclasses.replace(JOB, name=name), SlurmOptions())


def test_results_that_need_quoting_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="--results"):
        slurm_script(dataclasses.replace(JOB, results=Path("/shared/my results")), SlurmOptions())


def test_a_pyxis_image_gets_the_results_and_the_data_read_only() -> None:
    job = dataclasses.replace(JOB, read_only=(Path("/data/rooms"),))

    script = slurm_script(job, SlurmOptions(container=Path("/images/automl.sqsh")))

    assert "--container-image=/images/automl.sqsh" in script
    assert "/shared/results:/shared/results,/data/rooms:/data/rooms:ro" in script
    assert "\nautoml=(automl)\n" in script


def test_an_apptainer_image_runs_every_step() -> None:
    job = dataclasses.replace(JOB, read_only=(Path("/data/rooms"),))

    script = slurm_script(job, SlurmOptions(container=Path("/images/automl.sif")))

    assert "inside=(apptainer exec --nv --bind /shared/results:/shared/results" in script
    assert "--bind /data/rooms:/data/rooms:ro /images/automl.sif)" in script


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("4h", "4:00:00"),
        ("90min", "1:30:00"),
        ("60", "1:00:00"),
        ("1-12:00:00", "1-12:00:00"),
        ("04:00:00", "04:00:00"),
    ],
)
def test_walltimes_are_durations_or_slurms_own(text: str, written: str) -> None:
    assert slurm_walltime(text) == written


@pytest.mark.parametrize("text", ["soon", "2min", "1"])
def test_a_walltime_that_is_none_or_too_short_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|shorter"):
        slurm_walltime(text)


def test_ray_is_not_started_in_the_folder_where_the_user_stands(tmp_path: Path) -> None:
    stubs = tmp_path / "bin"
    stubs.mkdir()
    for name, text in {"scontrol": "echo node1", "srun": f'printf "%s\\n" "$@" >> {tmp_path}/steps'}.items():
        (stubs / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (stubs / name).chmod(0o755)
    job = StudyJob(name="demo", results=tmp_path / "results", run_arguments=("toy/quick",))
    slurm = {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "node1", "PATH": f"{stubs}:{os.environ['PATH']}"}

    done = subprocess.run(
        ["/bin/bash", "-c", slurm_script(job, SlurmOptions())],
        env={**os.environ, **slurm}, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.returncode == 4
    assert "Ray's head does not start" in done.stdout
    assert f"--chdir={tmp_path}/results/.slurm-7" in (tmp_path / "steps").read_text(encoding="utf-8").splitlines()
