"""Kill -9 and SIGTERM after the last trial of a study: a resume does all that is missing, and says so."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from automl.storage.documents import write_document
from automl.storage.event_log import read_log
from automl.storage.paths import StudyPaths
from automl.study.events import HandedOver, Measured, StudyEnded
from tests.acceptance.command_line import automl

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.acceptance

_PATIENCE_S = 200


def start(*arguments: str, results: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "AUTOML_RESULTS": str(results), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-m", "automl.cli.app", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for(kind: type, paths: StudyPaths, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not any(isinstance(entry.event, kind) for entry in read_log(paths.events_file)):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


def move_record(paths: StudyPaths, uri: str) -> str:
    """Let the study be recorded at another address; return the one before."""
    document = json.loads(paths.plan_file.read_text(encoding="utf-8"))
    before = document["mlflow"]["tracking_uri"]
    document["mlflow"]["tracking_uri"] = uri
    write_document(paths.plan_file, document)
    return str(before)


@pytest.mark.slow
def test_whatever_ends_the_driver_after_the_last_trial_a_resume_hands_over(tmp_path: Path) -> None:
    paths = StudyPaths(tmp_path / "toy-quick")
    driver = start("run", "toy/quick", "--yes", "--trials", "2", results=tmp_path)
    wait_for(StudyEnded, paths, driver)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    assert automl("status", str(paths.root), "--json", results=tmp_path).document["state"] == "interrupted"

    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
        before = move_record(paths, f"http://127.0.0.1:{silent.getsockname()[1]}")
        driver = start("resume", str(paths.root), results=tmp_path)
        wait_for(HandedOver, paths, driver)
        time.sleep(1.0)
        driver.send_signal(signal.SIGTERM)
        assert driver.wait(_PATIENCE_S) == 130
    move_record(paths, before)
    notified = tmp_path / "notified.json"
    resumed = automl("resume", str(paths.root), "--notify", f"cp /dev/stdin {notified}", results=tmp_path)
    again = automl("resume", str(paths.root), results=tmp_path)

    assert resumed.status == 0, resumed.err
    assert "missing: record" in resumed.err
    assert "done now: record; missing: nothing" in resumed.err
    assert json.loads(notified.read_text(encoding="utf-8"))["outcome"] == "completed"
    assert all(file.is_file() for file in (paths.best_file, paths.best_spec, paths.report_file, paths.record_file))
    assert (again.status, automl("status", str(paths.root), results=tmp_path).status) == (3, 0)


@pytest.mark.slow
def test_what_is_left_of_a_study_without_a_value_is_done_with_0_and_said_to_have_failed(tmp_path: Path) -> None:
    paths = StudyPaths(tmp_path / "toy-quick")
    broken = ("toy/quick", "--yes", "--policy", "off", "--set", "+train.optim.lr=1e300")
    assert automl("run", *broken, results=tmp_path).status == 5
    paths.report_file.unlink()

    resumed = automl("resume", str(paths.root), "--json", results=tmp_path)
    again = automl("resume", str(paths.root), results=tmp_path)

    assert (resumed.status, resumed.document["state"]) == (0, "failed"), resumed.err
    assert "the study itself has failed: the one trial ended without a usable value" in resumed.err
    assert "done now: report; missing: nothing" in resumed.err
    assert again.status == 3
    assert "have ended without a usable value" in again.err


@pytest.mark.slow
def test_a_signal_to_the_whole_process_group_is_answered_as_one_to_the_driver(tmp_path: Path) -> None:
    paths = StudyPaths(tmp_path / "toy-quick")
    environment = {**os.environ, "AUTOML_RESULTS": str(tmp_path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-m", "automl.cli.app", "run", "toy/quick", "--yes", "--trials", "60"]
    with (tmp_path / "out").open("wb") as out:
        driver = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
    wait_for(Measured, paths, driver)

    os.killpg(driver.pid, signal.SIGTERM)

    assert driver.wait(_PATIENCE_S) == 130
    said = (tmp_path / "out").read_text(encoding="utf-8")
    assert "interrupted" in said
    assert "of Ray" not in said
