"""The container engine: its answer, its image, its driver, and the paths that are missing on its machine."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from automl.launch.engine import Engine
from automl.launch.images import Image
from automl.preflight import engine
from automl.preflight.engine import engine_path_findings, launch_findings
from automl.preflight.findings import Level
from automl.study.launch_plan import LauncherKind, LaunchPlan
from tests.automl.launch.fake_engine import install_engine, install_silent_engine
from tests.automl.study.examples import make_plan

if TYPE_CHECKING:
    from pathlib import Path

    from automl.study.model import StudyPlan

HAS_IMAGE = """[ "$1" != image ] || { echo '[{"Id": "1", "Architecture": "amd64"}]'; exit; }"""
SEES_NOTHING = "echo 'bind source path does not exist' >&2; exit 125"


def in_docker(plan: StudyPlan, *mounts: Path) -> StudyPlan:
    launch = LaunchPlan(launcher=LauncherKind.DOCKER, reason="", image="x", mounts=tuple(map(str, mounts)))
    return dataclasses.replace(plan, launch=launch)


def test_results_and_data_that_only_this_machine_has_are_named_with_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_engine(tmp_path / "bin", monkeypatch, rest=f"{HAS_IMAGE}\n{SEES_NOTHING}")
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2375")
    data = tmp_path / "data"
    data.mkdir()

    rows = list(engine_path_findings(in_docker(make_plan(), data), tmp_path / "new" / "results"))

    assert [(row.check, row.level) for row in rows] == [("path", Level.FAIL), ("results", Level.FAIL)]
    assert rows[0].found == f"{data} is not on the machine of tcp://10.0.0.1:2375"
    assert "--results" in rows[1].fix


def test_nothing_is_asked_without_an_image_or_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not list(engine_path_findings(make_plan(), tmp_path))
    install_engine(tmp_path / "bin", monkeypatch, rest=f"[ $1 != image ] || exit 1\n{SEES_NOTHING}")
    assert not list(engine_path_findings(in_docker(make_plan()), tmp_path))
    install_silent_engine(tmp_path / "silent", monkeypatch)
    assert not list(engine_path_findings(in_docker(make_plan()), tmp_path))


DOCKER = LaunchPlan(launcher=LauncherKind.DOCKER, image="tao:6", image_source="the skill")


def test_engine_and_image_are_rows_and_a_missing_image_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest = f'if [ -e {tmp_path}/here ]; then echo \'[{{"Id": "sha256:1", "Size": 12000000000}}]\'; else exit 1; fi'
    install_engine(tmp_path / "bin", monkeypatch, rest=rest)

    answer, missing = launch_findings(DOCKER)
    (tmp_path / "here").touch()
    _, here = launch_findings(DOCKER)

    assert (answer.level, answer.found) == (Level.OK, "docker 27.1")
    assert (missing.level, missing.found) == (Level.WARN, "tao:6 is not here")
    assert (here.level, here.found) == (Level.OK, "tao:6, 12.0 GB, sha256:1")


def test_an_engine_that_does_not_answer_fails_and_is_not_asked_when_time_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_silent_engine(tmp_path / "bin", monkeypatch)

    [finding] = launch_findings(DOCKER)

    assert (finding.level, finding.check) == (Level.FAIL, "engine")
    assert list(launch_findings(DOCKER, is_quick=True)) == []


def test_a_skill_that_nothing_can_run_fails() -> None:
    [finding] = launch_findings(
        LaunchPlan(launcher=LauncherKind.NONE, reason="no docker engine answers"), is_quick=True
    )

    assert (finding.level, finding.check) == (Level.FAIL, "launcher")
    assert "--launcher local" in finding.fix


@pytest.mark.parametrize(
    ("driver", "cuda", "level"),
    [("570.86.15", "12.8.0", Level.OK), ("570.86.15", "13.0.1", Level.WARN), ("470.57.02", "12.4", Level.WARN)],
)
def test_the_driver_is_held_against_the_cuda_of_the_image(
    monkeypatch: pytest.MonkeyPatch, driver: str, cuda: str, level: Level
) -> None:
    image = Image(digest="sha256:0", size_bytes=1, cuda=cuda)
    docker = Engine(kind=LauncherKind.DOCKER, program="docker", version="27.0")
    monkeypatch.setattr(engine, "find_engine", lambda _: docker)
    monkeypatch.setattr(engine, "find_image", lambda *_: image)
    launch = LaunchPlan(launcher=LauncherKind.DOCKER, image="x")

    rows = {row.check: row for row in launch_findings(launch, driver=driver)}

    assert rows["driver"].level is level
    assert cuda in rows["driver"].found
    assert "driver" not in {row.check for row in launch_findings(launch)}
