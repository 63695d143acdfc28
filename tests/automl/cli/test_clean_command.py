"""`automl clean` lists first and deletes only with --yes."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from automl.cli.app import run_command_line
from tests.automl.handoff.test_cleaning import write_ended

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_without_yes_nothing_is_deleted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_ended(tmp_path / "demo")
    before = sorted(root.rglob("*"))

    assert run_command_line(["clean", str(tmp_path)]) == 0

    shown = capsys.readouterr().out
    assert "2 could be deleted, 1.0 KiB; nothing was" in shown
    assert "a checkpoint that was not handed over" in shown
    assert sorted(root.rglob("*")) == before


def test_with_yes_what_was_listed_is_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_ended(tmp_path / "demo")

    assert run_command_line(["clean", str(tmp_path), "--yes"]) == 0
    shown = capsys.readouterr().out
    assert "2 moved to the trash, 1.0 KiB" in shown
    assert f"the trash holds 1.0 KiB: automl clean {tmp_path} --purge frees it" in shown
    assert run_command_line(["clean", str(tmp_path), "--purge"]) == 0
    assert capsys.readouterr().out == "nothing to delete\nthe trash is deleted, 1.0 KiB freed\n"
    assert run_command_line(["clean", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "nothing to delete\n"


def test_a_study_of_which_a_part_is_missing_needs_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_ended(tmp_path / "demo")
    shutil.rmtree(root / "trials")

    assert run_command_line(["clean", str(tmp_path), "--yes"]) == 0
    missing = "a part of it is missing: trials/0000 and 1 more"
    assert f"not touched demo: {missing}; --force demo deletes what is there" in capsys.readouterr().out
    assert run_command_line(["list", "--studies", str(tmp_path)]) == 0
    assert missing in capsys.readouterr().out
    assert run_command_line(["clean", str(tmp_path), "--force", "other"]) == 2
    assert root.is_dir()
    assert run_command_line(["clean", str(tmp_path), "--yes", "--force", "demo"]) == 0
    assert not root.exists()


def test_json_says_what_became_of_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_ended(tmp_path / "demo")

    run_command_line(["clean", str(tmp_path), "--yes", "--json"])

    document = json.loads(capsys.readouterr().out)
    assert [item["is_deleted"] for item in document["deletable"]] == [True, True]
    assert document["left_alone"] == {}


def test_a_folder_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    assert run_command_line(["clean", str(tmp_path / "absent")]) == 2
