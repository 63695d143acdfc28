"""Versions, credentials by name only, and servers that answer or do not."""

from __future__ import annotations

import dataclasses
import socket
from typing import TYPE_CHECKING

import pytest

from automl.launch.images import Image
from automl.preflight import software
from automl.preflight.findings import Level
from automl.preflight.software import (
    credential_findings,
    launch_findings,
    ray_address_findings,
    tracking_finding,
    unreachable,
    version_finding,
)
from automl.study.launch_plan import LauncherKind, LaunchPlan
from tests.automl.launch.fake_engine import install_engine, install_silent_engine
from tests.automl.study.examples import SKILL

if TYPE_CHECKING:
    from pathlib import Path


ASKING = dataclasses.replace(SKILL, required_credentials=("HF_TOKEN",))


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_versions_are_one_row() -> None:
    assert version_finding({"python": "3.11.7", "ray": "2.60.0"}).found == "python 3.11.7, ray 2.60.0"


def test_a_credential_is_told_by_presence_and_its_value_by_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HF_TOKEN", "hf_secret_value")
    (present,) = credential_findings(ASKING)
    monkeypatch.delenv("HF_TOKEN")
    (missing,) = credential_findings(ASKING)

    assert (present.level, missing.level) == (Level.OK, Level.WARN)
    assert "hf_secret_value" not in str(present)
    assert "export HF_TOKEN=" in missing.fix


def test_a_token_file_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    token = tmp_path / ".cache/huggingface/token"
    token.parent.mkdir(parents=True)
    token.write_text("hf_secret_value", encoding="utf-8")

    (finding,) = credential_findings(ASKING)

    assert finding.level is Level.OK
    assert "secret" not in finding.found


def test_a_tracking_server_that_does_not_answer_is_a_warning_without_its_password() -> None:
    finding = tracking_finding(f"http://user:pass@127.0.0.1:{closed_port()}")

    assert finding.level is Level.WARN
    assert "automl sync" in finding.fix
    assert "pass" not in finding.found


def test_a_file_as_record_needs_no_server() -> None:
    assert tracking_finding("sqlite:///r/mlflow.db").level is Level.OK


def test_an_address_without_a_head_behind_it_fails() -> None:
    (finding,) = ray_address_findings(f"127.0.0.1:{closed_port()}")

    assert finding.level is Level.FAIL
    assert "ray start --head" in finding.fix


def test_the_address_of_a_ray_client_is_refused_with_the_way_that_works() -> None:
    (finding,) = ray_address_findings("ray://head:10001")

    assert "auto" in finding.fix


def test_a_port_that_listens_is_reached() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        assert unreachable("127.0.0.1", server.getsockname()[1]) is None


DOCKER = LaunchPlan(launcher=LauncherKind.DOCKER, image="tao:6", image_source="the skill")


def test_engine_and_image_are_rows_and_a_missing_image_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = f'if [ -e {tmp_path}/here ]; then echo \'[{{"Id": "sha256:1", "Size": 12000000000}}]\'; else exit 1; fi'
    install_engine(tmp_path / "bin", monkeypatch, rest=look)

    engine, missing = launch_findings(DOCKER)
    (tmp_path / "here").touch()
    _, here = launch_findings(DOCKER)

    assert (engine.level, engine.found) == (Level.OK, "docker 27.1")
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
    image = Image(name="x", digest="sha256:0", size_bytes=1, cuda=cuda)
    monkeypatch.setattr(software, "check_engine", lambda _: "27.0")
    monkeypatch.setattr(software, "find_image", lambda *_: image)
    launch = LaunchPlan(launcher=LauncherKind.DOCKER, image="x")

    rows = {row.check: row for row in software.launch_findings(launch, driver=driver)}

    assert rows["driver"].level is level
    assert cuda in rows["driver"].found
    assert "driver" not in {row.check for row in software.launch_findings(launch)}
