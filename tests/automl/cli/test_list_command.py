"""`automl list` shows what can be searched."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from automl.cli.app import run_command_line
from tests.automl.cli.study_folder import write_study
from tests.automl.skill.packages import write_skill

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


def test_the_studies_of_a_results_folder_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_study(tmp_path / "example")

    assert run_command_line(["list", "--studies", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert re.match(r"interrupted  example  \d{4}-\d\d-\d\d \d\d:\d\d  toy {6,} 4 of 20 ", shown)
    assert "best val/d1 0.7000" in shown
    assert "its process was killed" in shown
    assert run_command_line(["list", "--studies", str(tmp_path), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["studies"]
    assert (row["name"], row["best"], row["path"]) == ("example", 0.7, str(tmp_path / "example"))
    assert (row["skill"], row["started"][-6:]) == ("toy", "+00:00")
    assert run_command_line(["list", "--studies", str(tmp_path / "absent")]) == 2


def test_a_long_name_is_cut_in_the_list_and_whole_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_skill(tmp_path / "long", info={"name": "n" * 5000})
    write_skill(tmp_path / "short", info={"name": "short"})

    assert run_command_line(["list", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert run_command_line(["list", str(tmp_path), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["skills"]

    assert [line.split()[1] for line in lines] == ["n" * 57 + "...", "short"]
    assert [row["name"] for row in rows] == ["n" * 5000, "short"]
