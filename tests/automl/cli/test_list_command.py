"""`automl list` shows what can be searched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from automl.cli.app import run_command_line

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_built_in_skills_are_runnable(capsys: pytest.CaptureFixture[str]) -> None:
    run_command_line(["list", "--json"])

    rows = {row["name"]: row["status"] for row in json.loads(capsys.readouterr().out)["skills"]}
    assert rows == {"depth_net_mono": "runnable", "toy": "runnable"}


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["list", str(tmp_path / "absent")]) == 2
    assert "check the path" in capsys.readouterr().err


def test_a_folder_without_skills_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["list", str(tmp_path)]) == 0
    assert "no model skill" in capsys.readouterr().out
