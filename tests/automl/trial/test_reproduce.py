from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

from automl.request.location import RunLocation
from automl.request.study_request import StudyRequest
from automl.review import reproduce_trial_0
from automl.run import make_plan
from tests.acceptance.scripted_skill import build_scripted_skill
from tests.automl.launch.fake_engine import install_engine, install_gpus
from tests.contracts.engines import IMAGE, PYTHON, TRAINER

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from automl.trial.reproduce import ReproduceCommand


def reproduce_command(folder: Path, results: Path, **fields: str | float) -> ReproduceCommand:
    request = StudyRequest(skill=str(folder), name="by hand's").with_settings(**fields)
    place = RunLocation(results=results)
    return reproduce_trial_0(make_plan(request, place), place)


def run_script(script: str, **variables: str) -> None:
    done = subprocess.run(
        ["bash", "-eu"],  # noqa: S607 # the user's shell
        input=script,
        text=True,
        capture_output=True,
        check=False,
        env={**os.environ, **variables},
    )
    assert done.returncode == 0, done.stderr


def read_values(folder: Path) -> list[float]:
    lines = (folder / "status.json").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["kpi"]["val/d1"] for line in lines if "val/d1" in line]


def test_showing_writes_nothing_and_the_script_runs_trial_0(tmp_path: Path) -> None:
    results = tmp_path / "results of ada's"
    shown = reproduce_command(build_scripted_skill(tmp_path / "skill", script={"values": [0.1, 0.2, 0.3]}), results)
    assert not results.exists()

    run_script(shown.script, WORLD_SIZE="7")

    assert shown.directory == results / "by hand's/trials/0000"
    assert 0.3 in read_values(shown.directory)


def test_the_docker_command_reproduces_trial_0(
    tmp_path: Path, docker_host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    skill = build_scripted_skill(
        tmp_path / "skill", script={"values": [0.1, 0.2, 0.3]}, container=(IMAGE, f"{PYTHON} {TRAINER}")
    )

    shown = reproduce_command(skill, tmp_path / "results", launcher="docker", network="none")
    run_script(shown.script)

    assert shown.command[:3] == ("docker", "run", "--name")
    assert 0.3 in read_values(shown.directory)
    subprocess.run(["docker", "rm", shown.command[3]], check=True, capture_output=True)  # noqa: S607 # as the script says


def test_the_shell_hands_the_gpus_on_in_the_quotation_marks_that_docker_wants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker reads the value as CSV: without its own quotation marks a second device would be another field."""
    install_gpus(tmp_path / "programs", monkeypatch, 4)
    install_engine(tmp_path / "programs", monkeypatch, rest=f'printf "%s\\n" "$@" > {tmp_path}/words')
    skill = build_scripted_skill(tmp_path / "skill", container=("tao:6", f"{PYTHON} {TRAINER}"))

    shown = reproduce_command(skill, tmp_path / "results", launcher="docker", gpus_per_trial=2)
    run_script(shown.script)

    words = (tmp_path / "words").read_text(encoding="utf-8").splitlines()
    assert words[words.index("--gpus") + 1] == '"device=GPU-aaa0,GPU-aaa1"'
    assert "--gpus '\"device=GPU-aaa0,GPU-aaa1\"'" in shown.script
