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

from tests.acceptance.command_line import automl

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.acceptance

_PATIENCE_S = 120


def ended(study: Path) -> dict[str, str]:
    files = study.glob("trials/*/result.json")
    texts = {file.parent.name: file.read_text(encoding="utf-8") for file in files}
    return {name: text for name, text in texts.items() if json.loads(text)["state"] == "COMPLETED"}


@pytest.mark.slow
def test_a_killed_study_goes_on_where_it_was(tmp_path: Path) -> None:
    environment = {**os.environ, "AUTOML_RESULTS": str(tmp_path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "automl.cli.app", "run", "toy/quick", "--yes", "--trials", "8"]
    driver = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    study = tmp_path / "toy-quick"
    deadline = time.monotonic() + _PATIENCE_S
    while len(ended(study)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    before = ended(study)

    resumed = automl("resume", str(study), "--json", results=tmp_path)

    assert resumed.status == 0, resumed.err
    assert len(before) >= 2
    assert {name: text for name, text in ended(study).items() if name in before} == before
    assert [trial["number"] for trial in resumed.document["trials"]] == list(range(8))
    assert automl("resume", str(study), results=tmp_path).status == 3
