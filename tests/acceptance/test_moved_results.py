"""A results folder that was moved, seen by a user who stands among files with the names of modules."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING
from urllib.parse import parse_qs
from urllib.request import urlopen

import pytest

from automl.storage.paths import StudyPaths
from automl.storage.plan_document import read_plan
from automl.tracking.mlflow.folder import MlflowFolder
from tests.acceptance.command_line import automl
from tests.automl.tracking.mlflow.servers import free_port, running, wait_until_up

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.acceptance, pytest.mark.slow, pytest.mark.timeout(600)]

MODULES = ("random", "numpy", "mlflow", "types", "json", "logging", "sqlite3", "uvicorn", "flask", "ray", "automl")


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> StudyPaths:
    """A study of two trials in a results folder that lies elsewhere since, with files of modules in it."""
    old = tmp_path_factory.mktemp("place") / "results"
    old.mkdir()
    done = automl("run", "toy/quick", "--yes", "--trials", "2", results=old)
    assert done.status == 0, done.err
    new = old.parent / "other place" / "résults"
    new.parent.mkdir()
    old.rename(new)
    for name in MODULES:
        (new / f"{name}.py").write_text("raise SystemExit('a module of the working folder')\n", encoding="utf-8")
    return StudyPaths(new / "toy-quick")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ("status", 0),
        ("evaluate", 0),
        ("sync", 0),
        ("report", 0),
        ("promote", 0),
        ("resume", 3),
        ("resume --trials 3", 0),
    ],
)
def test_every_command_works_there(moved: StudyPaths, arguments: str, status: int) -> None:
    command, *more = arguments.split()

    done = automl(command, str(moved.root), *more, results=moved.root.parent)

    assert done.status == status, done.err
    assert "a module of the working folder" not in done.out + done.err


def test_the_page_of_the_record_shows_its_artifacts(
    moved: StudyPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, log = free_port(), tmp_path / "ui.log"
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-P", "-m", "automl.cli.app", "ui", "toy-quick", "--no-browser", "--port", str(port)]
    monkeypatch.chdir(moved.root.parent)  # where the user stands

    with running(command, os.environ, log) as server:
        wait_until_up(server, f"{address}/health")
        page = log.read_text(encoding="utf-8").partition("comparison of toy-quick: ")[2].split()[0]
        folder = MlflowFolder(moved)
        assert parse_qs(page.partition("?")[2])["viewStateShareKey"] == [folder.known_id()]
        run = folder.load_state(read_plan(moved).mlflow.tracking_uri).run_ids["0000"]
        with urlopen(f"{address}/get-artifact?path=spec.yaml&run_uuid={run}", timeout=60) as file:  # noqa: S310 # our own server
            assert b"batch_size" in file.read()
        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 0
