"""Kill -9 of a running study, then resume: nothing that ended is lost or run again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.command_line import Done, automl
from tests.automl.tracking.mlflow.servers import free_port, mlflow_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlflow import MlflowClient
    from mlflow.entities import Run

pytestmark = pytest.mark.acceptance

_PATIENCE_S = 120


def ended(study: Path) -> dict[str, str]:
    files = study.glob("trials/*/result.json")
    texts = {file.parent.name: file.read_text(encoding="utf-8") for file in files}
    return {name: text for name, text in texts.items() if json.loads(text)["state"] == "COMPLETED"}


def start(*arguments: str, results: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "AUTOML_RESULTS": str(results), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-m", "automl.cli.app", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for(holds: Callable[[], bool], driver: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not holds():
        assert driver.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_a_killed_study_goes_on_where_it_was(tmp_path: Path) -> None:
    study = tmp_path / "toy-quick"
    driver = start("run", "toy/quick", "--yes", "--trials", "8", results=tmp_path)
    wait_for(lambda: len(ended(study)) >= 2, driver)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    before = ended(study)

    resumed = automl("resume", str(study), "--json", results=tmp_path)

    assert resumed.status == 0, resumed.err
    assert len(before) >= 2
    assert {name: text for name, text in ended(study).items() if name in before} == before
    assert [trial["number"] for trial in resumed.document["trials"]] == list(range(8))
    assert automl("resume", str(study), results=tmp_path).status == 3


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # MLflow's own imports warn
def test_an_attempt_that_kill_9_has_cut_off_is_named_so_on_the_server(tmp_path: Path) -> None:
    from mlflow import MlflowClient  # noqa: PLC0415 # heavy

    study = tmp_path / "toy-quick"
    store = f"sqlite:///{tmp_path / 'server.db'}"
    with mlflow_server(store, free_port(), tmp_path) as uri:
        command = ["run", "toy/quick", "--yes", "--trials", "1", "--tracking-uri", uri]
        driver = start(*command, "--set", "train.seconds_per_epoch=3", results=tmp_path)
        client = MlflowClient(tracking_uri=uri)
        wait_for(lambda: bool(runs_of(client)), driver)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        assert runs_of(client)[0].info.status == "RUNNING"

        resumed = automl("resume", str(study), results=tmp_path)

        runs = {run.data.tags["automl.trial"]: run for run in runs_of(client)}
    assert resumed.status == 0, resumed.err
    assert sorted(runs) == ["0"]
    tags = runs["0"].data.tags
    assert tags["automl.attempt.1"] == "INTERRUPTED: what ran it was killed"
    assert (tags["automl.attempt"], tags["automl.attempt.2"]) == ("2", "COMPLETED")
    assert [run.info.status for run in runs.values()] == ["FINISHED"]


def runs_of(client: MlflowClient) -> list[Run]:
    """Return the runs of trials that have a metric."""
    experiments = [one.experiment_id for one in client.search_experiments()]
    found = client.search_runs(experiments, "tags.`automl.kind` = 'trial'")
    return [run for run in found if "val/r2" in run.data.metrics]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_study_goes_on_with_what_it_took_from_a_server_that_is_gone(tmp_path: Path) -> None:
    words = ("run", "toy/quick", "--yes", "--jobs", "1", "--trials")
    with mlflow_server(f"sqlite:///{tmp_path / 'server.db'}", free_port(), tmp_path) as uri:
        for name in ("1", "2", "3", "whole"):
            (tmp_path / name).mkdir()  # only the server knows the studies before
        for seed in ("1", "2", "3"):
            earlier = automl(*words, "8", "--seed", seed, "--tracking-uri", uri, results=tmp_path / seed)
            assert earlier.status == 0, earlier.err
        whole = automl(*words, "8", "--tracking-uri", uri, "--json", results=tmp_path / "whole")
        assert "learns from earlier studies" in whole.err
        study = tmp_path / "killed"
        driver = start(*words, "8", "--tracking-uri", uri, "--study-dir", str(study), results=tmp_path)
        wait_for(lambda: len(ended(study)) >= 3, driver)
        driver.send_signal(signal.SIGKILL)
        driver.wait()

    resumed = automl("resume", str(study), "--json", results=tmp_path)

    assert resumed.status == 0, resumed.err
    assert proposed(resumed) == proposed(whole)
    assert len(proposed(resumed)) == 8


def proposed(done: Done) -> list[dict[str, float]]:
    return [trial["assignment"] for trial in done.document["trials"]]
