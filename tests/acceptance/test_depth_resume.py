"""Kill -9 of a study with the real trainer, then resume: the result is that of a study nobody touched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command_line import automl

pytestmark = [pytest.mark.acceptance, pytest.mark.slow, pytest.mark.timeout(1800)]

WORDS = ("run", "--policy", "off", "--time", "1h", "--set", "train.num_epochs=3", "--yes")


def test_a_killed_depth_training_goes_on_from_its_checkpoint_and_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole = automl(*WORDS, "--json", results=tmp_path)
    assert whole.status == 0, whole.err
    killed = tmp_path / "killed"
    environment = {**os.environ, "AUTOML_RESULTS": str(tmp_path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "automl.cli.app", *WORDS, "--study-dir", str(killed)]
    driver = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list(killed.glob("trials/0000/**/model_epoch_000_*.pth")) and driver.poll() is None:
        time.sleep(0.02)
    driver.send_signal(signal.SIGKILL)
    driver.wait()

    resumed = automl("resume", str(killed), "--json", results=tmp_path)

    assert resumed.status == 0, resumed.err
    start = json.loads((killed / "trials/0000.2/attempt.json").read_text(encoding="utf-8"))
    assert start["first_epoch"] in {1, 2}
    # That of the epoch before, or of the middle of this one: without its driver the trainer is asked to end.
    saved = (f"model_epoch_{start['first_epoch'] - back:03d}_" for back in (1, 0))
    assert any(name in start["checkpoint"] for name in saved)
    one, other = (result_of(Path(done.document["study_dir"])) for done in (whole, resumed))
    assert (other["attempt"], other["epochs"]) == (2, 3)
    for name in ("curve", "values", "best_epoch", "state"):
        assert other[name] == one[name]


def result_of(study: Path) -> dict[str, Any]:
    """Return the result of a study's first trial, without what the machine measured of itself."""
    result: dict[str, Any] = json.loads((study / "trials/0000/result.json").read_text(encoding="utf-8"))
    values = {name: value for name, value in result["values"].items() if not name.startswith(("system/", "memory"))}
    return {**result, "values": values}
