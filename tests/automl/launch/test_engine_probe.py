"""Which paths an engine does not see; engines on other machines are in tests/acceptance/test_remote_engine.py."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from automl.launch.engine import unseen_paths
from automl.study.launch_plan import LauncherKind
from tests.automl.launch.fake_engine import install_engine
from tests.contracts.engines import IMAGE

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=[LauncherKind.DOCKER, pytest.param(LauncherKind.PODMAN, marks=pytest.mark.slow)])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> LauncherKind:
    """Each real engine that is here."""
    if request.param is LauncherKind.DOCKER:
        monkeypatch.setenv("DOCKER_HOST", request.getfixturevalue("docker_host"))
    else:
        for name, value in request.getfixturevalue("podman_variables").items():
            monkeypatch.setenv(name, value)
    chosen: LauncherKind = request.param
    return chosen


def test_what_is_not_there_is_named_and_no_container_and_no_file_is_left(tmp_path: Path, kind: LauncherKind) -> None:
    data = tmp_path / 'a list, "quoted".txt'
    data.touch()
    missing = tmp_path / "gone"

    assert unseen_paths(kind, IMAGE, [data, missing], tmp_path) == (missing,)

    assert list(tmp_path.iterdir()) == [data]
    left = [kind.value, "ps", "--all", "--quiet", "--filter", "name=automl-probe-"]
    assert subprocess.run(left, capture_output=True, text=True, check=True).stdout == ""


def test_a_folder_of_the_same_name_elsewhere_is_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that is put into it for a moment is not there."""
    refuse = "echo 'Error response from daemon: bind source path does not exist' >&2; exit 125"
    install_engine(tmp_path / "bin", monkeypatch, rest=f'case "$*" in *.automl-seen-*) {refuse};; esac')
    results = tmp_path / "results"
    results.mkdir()

    assert unseen_paths(LauncherKind.DOCKER, "x", [tmp_path], results) == (results,)
    assert list(results.iterdir()) == []


def test_what_else_an_engine_refuses_is_not_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_engine(tmp_path / "bin", monkeypatch, rest="echo 'no space left on device' >&2; exit 125")

    assert unseen_paths(LauncherKind.DOCKER, "x", [tmp_path]) == ()
