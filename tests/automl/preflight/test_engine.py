"""What an engine does not see becomes rows."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from automl.preflight.engine import engine_path_findings
from automl.preflight.findings import Level
from automl.study.launch_plan import LauncherKind, LaunchPlan
from tests.automl.launch.fake_engine import install_engine, install_silent_engine
from tests.automl.study.examples import make_plan

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

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
