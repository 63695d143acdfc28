"""The command line as a whole: exit statuses, help, and errors in the house's form."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from automl.cli.app import COMMANDS, run_command_line


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    status = run_command_line(["--help"])

    assert status == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in COMMANDS)


def test_without_arguments_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line([]) == 0
    assert "run" in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_page(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line([name, "--help"]) == 0
    assert "Usage" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["tune"], "tune"),
        (["run", "--sampeler", "tpe"], "--sampeler"),
        (["run", "--trials", "0"], "--trials"),
        (["run", "--time", "soon"], "soon"),
        (["status"], "STUDY_DIR"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_names_the_place(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = run_command_line(arguments)

    assert status == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert named in error


def test_help_answers_in_well_under_a_second() -> None:
    command = [sys.executable, "-m", "automl.cli.app", "--help"]
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        times.append(time.perf_counter() - start)

    # Measured 0.25 s on an idle core; the best of five allows for a busy machine.
    assert min(times) < 1.0
