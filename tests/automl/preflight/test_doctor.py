"""All rows of a run together, and the first step of `run`. Six broken set-ups are in the test of the command."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.launch import engine
from automl.preflight.doctor import before_run, examine, require
from automl.preflight.findings import Level
from automl.request.location import RunLocation
from automl.request.study_request import StudyRequest
from automl.run import make_plan
from tests.automl.launch.fake_engine import install_program

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = StudyRequest(skill="toy", name="example").with_settings(trials=2)


def test_every_promised_check_has_a_row(tmp_path: Path) -> None:
    place = RunLocation(results=tmp_path, tracking_uri=f"sqlite:///{tmp_path}/m.db")

    rows = examine(REQUEST, make_plan(REQUEST, place), place)

    assert [row.check for row in rows] == [
        *("place", "gpus", "memory", "disk", "inodes", "shared memory", "open files", "ports", "program", "sockets"),
        *("time", "record", "versions"),
    ]
    assert all(row.fix for row in rows if row.level is not Level.OK)


def test_a_machine_is_looked_at_even_where_no_plan_could_be_made(tmp_path: Path) -> None:
    rows = examine(REQUEST, None, RunLocation(results=tmp_path))

    assert {"place", "gpus", "disk", "versions"} <= {row.check for row in rows}


def test_what_fails_stops_a_run_with_every_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    place = RunLocation(results=tmp_path / "file" / "results")
    request = REQUEST.with_settings(overrides={"train.resume_training_checkpoint_path": "/no/such.pth"})

    with pytest.raises(ConfigurationError) as caught:
        require(before_run(request, make_plan(request, place), place))

    said = [problem.where for problem in caught.value.problems]
    assert "--results" in said
    assert "checkpoint train.resume_training_checkpoint_path" in said


def test_what_is_doubtful_is_shown_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_END_TIME", "1000000000")
    place = RunLocation(results=tmp_path)
    request = REQUEST.with_settings(time_s=60.0)

    with caplog.at_level(logging.WARNING):
        require(before_run(request, make_plan(request, place), place))

    assert any("the Slurm job ends" in message for message in caplog.messages)


def test_an_engine_that_hangs_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_program(tmp_path / "bin", monkeypatch, "docker", f"echo x >> {tmp_path}/asked; exec sleep 30")
    monkeypatch.setattr(engine, "_ANSWER_LIMIT_S", 0.3)
    request, place = REQUEST.with_settings(launcher="docker", image="x"), RunLocation(results=tmp_path)

    rows = {row.check: row for row in examine(request, make_plan(request, place), place)}

    assert "timed out" in rows["engine"].found
    assert (tmp_path / "asked").read_text(encoding="utf-8") == "x\n"


def test_the_first_step_of_a_run_imports_nothing_heavy() -> None:
    program = (
        "import sys, automl.preflight.doctor\n"
        "sys.exit(str({'ray', 'optuna', 'mlflow', 'torch', 'numpy', 'scipy', 'rich'} & set(sys.modules) or ''))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.stderr.strip() in {"", "set()"}
