"""The examples, each with its real library: a search improves on the defaults, NaN is ended, a kill loses no epoch."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command_line import automl

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

EXAMPLES = Path(__file__).parents[2] / "examples"
_PATIENCE_S = 120
_SECOND_EPOCH = re.compile(r'"event": "measured".*"epoch": [1-9]')


def needing(library: str, name: str, rate: str) -> Any:  # noqa: ANN401 # pytest's parameter
    is_there = importlib.util.find_spec(library) is not None
    return pytest.param(name, rate, id=name, marks=pytest.mark.skipif(not is_there, reason=f"{library} is not here"))


CASES = [
    needing("torch", "pytorch", "lr=1e30"),
    needing("sklearn", "sklearn", "eta0=1e30"),
    needing("csv", "csv", "lr=1e30"),
    needing("hydra", "hydra", "optim.lr=1e30"),
    needing("lightning", "lightning", "lr=1e30"),
    needing("accelerate", "transformers", "learning_rate=1e30"),
]


@pytest.fixture
def project(tmp_path: Path, name: str) -> Path:
    shutil.copytree(EXAMPLES / name, tmp_path / name)
    return tmp_path / name


def only_trial(study: Path) -> dict[str, Any]:
    trial: dict[str, Any] = json.loads((study / "trials/0000/result.json").read_text(encoding="utf-8"))
    return trial


@pytest.mark.parametrize(("name", "rate"), CASES)
def test_the_search_improves_on_the_defaults(project: Path, rate: str) -> None:
    del rate
    done = automl(
        "run", str(project / "study.yaml"), "--json", "--yes", "--study-dir", str(project / "s"), results=project
    )

    assert done.status == 0, done.err
    document = done.document
    metric, sign = document["objective"]["metric"], 1 if document["objective"]["direction"] == "maximize" else -1
    first = next(trial for trial in document["trials"] if trial["number"] == 0)
    assert sign * document["best"]["values"][metric] > sign * first["values"][metric]
    assert Path(project / "s" / document["best"]["checkpoint"]).exists()


@pytest.mark.parametrize(("name", "rate"), CASES)
def test_a_configuration_that_diverges_is_ended(project: Path, rate: str) -> None:
    path, _, value = rate.partition("=")
    study = project / "s"
    text = (project / "study.yaml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith(f"  {path}: ")]
    (project / "study.yaml").write_text("\n".join(lines) + f"\nset: {{{path}: {value}}}\n", encoding="utf-8")

    done = automl("run", str(project / "study.yaml"), "--policy", "off", "--study-dir", str(study), results=project)

    assert done.status == 5, done.err
    trial = only_trial(study)
    assert trial["state"] == "DIVERGED", trial["reason"]


@pytest.mark.parametrize(("name", "rate"), CASES)
def test_a_driver_that_is_killed_goes_on_from_a_checkpoint_with_the_same_curve(project: Path, rate: str) -> None:
    del rate
    whole, cut = project / "whole", project / "cut"
    command = ("run", str(project / "study.yaml"), "--policy", "off", "--yes", "--study-dir")
    assert automl(*command, str(whole), results=project).status == 0
    environment = {**os.environ, "AUTOML_RESULTS": str(project), "EPOCH_S": "1.5"}
    driver = subprocess.Popen(
        [sys.executable, "-m", "automl.cli.app", *command, str(cut)],
        env=environment,
        cwd=project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    log, deadline = cut / "events.jsonl", time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline and not (log.exists() and _SECOND_EPOCH.search(log.read_text(encoding="utf-8"))):
        time.sleep(0.1)
    driver.send_signal(signal.SIGKILL)
    driver.wait()

    assert automl("resume", str(cut), results=project).status == 0

    start = json.loads((cut / "trials/0000.2/attempt.json").read_text(encoding="utf-8"))
    assert start["first_epoch"] >= 1
    assert only_trial(cut)["curve"] == only_trial(whole)["curve"]
