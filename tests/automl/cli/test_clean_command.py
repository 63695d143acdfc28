"""`automl clean` lists first and deletes only with --yes."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from automl.cli.app import run_command_line
from automl.handoff import cleaning
from automl.storage.paths import TRASH
from tests.automl.handoff.test_cleaning import write_ended, write_unstarted

if TYPE_CHECKING:
    from pathlib import Path


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


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("owner", [".", "demo"])
def test_a_trash_that_is_a_link_is_neither_used_nor_deleted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], owner: str, *, is_there: bool
) -> None:
    write_ended(tmp_path / "demo")
    write_unstarted(tmp_path / "empty")
    trash = tmp_path / owner / TRASH
    elsewhere = tmp_path / "elsewhere"
    if is_there:
        elsewhere.mkdir()
    trash.symlink_to(elsewhere)

    assert run_command_line(["clean", str(tmp_path), "--yes"]) == 1

    shown = capsys.readouterr()
    kept = 1 if owner == "." else 2
    assert f"{3 - kept} moved to the trash" in shown.out
    assert shown.err.startswith(f"error: {kept} of 3 could not be moved to the trash\n")
    assert f"{trash}\n    found     a link to {elsewhere}\n" in shown.err
    assert f"fix       move it away, then: automl clean {tmp_path} --yes" in shown.err
    assert run_command_line(["clean", str(tmp_path), "--purge"]) == 1
    shown = capsys.readouterr()
    assert f"left as it is: {trash} is a link to {elsewhere}, and no folder" in shown.out
    assert shown.err.startswith("error: what is in place of a trash was not deleted\n")
    assert trash.is_symlink()


def test_the_folder_of_a_study_is_no_results_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_ended(tmp_path / "my results/demo")

    for command in (["clean"], ["clean", "--purge"], ["list", "--studies"]):
        assert run_command_line([*command, str(root)]) == 2

        shown = capsys.readouterr()
        assert shown.out == ""
        assert f"automl {' '.join(command[:1])}" in shown.err
        assert f"'{root.parent}'" in shown.err


def test_the_name_of_a_study_is_answered_by_the_folder_to_give(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_ended(tmp_path / "results/demo")
    monkeypatch.setenv("AUTOML_RESULTS", str(root.parent))
    monkeypatch.chdir(tmp_path)

    for command in (["clean"], ["list", "--studies"]):
        assert run_command_line([*command, "demo"]) == 2

        shown = capsys.readouterr().err
        assert f"found     one study: {root}\n" in shown
        assert f"fix       name the results folder that it lies in: automl {' '.join(command)} {root.parent}\n" in shown

    assert run_command_line(["clean", "other"]) == 2
    assert "found     nothing\n" in capsys.readouterr().err


def test_what_is_no_folder_and_what_is_no_trash_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")

    for command in (["clean"], ["list", "--studies"], ["list"]):
        assert run_command_line([*command, str(tmp_path / "pipe")]) == 2
        assert "found     a named pipe\n" in capsys.readouterr().err
    assert run_command_line(["clean", str(tmp_path), "--purge"]) == 0
    assert capsys.readouterr().out.endswith("there is no trash to delete\n")


def test_what_another_process_was_faster_to_move_is_said_and_no_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_ended(tmp_path / "demo")
    monkeypatch.setattr(cleaning, "discard", lambda *_: cleaning.MOVED_ELSEWHERE)

    assert run_command_line(["clean", str(tmp_path), "--yes"]) == 0

    shown = capsys.readouterr().out
    assert shown.count("gone  ") == shown.count("moved by another process meanwhile") == 2
    assert "0 moved to the trash" in shown


def test_a_folder_without_a_study_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["clean", str(tmp_path)]) == 0

    assert capsys.readouterr().out == f"no study under {tmp_path}\n"


def test_a_study_of_which_a_part_is_missing_needs_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_ended(tmp_path / "demo")
    shutil.rmtree(root / "trials")

    assert run_command_line(["clean", str(tmp_path), "--yes"]) == 0
    missing = "a part of it is missing: trials/0000 and 1 more"
    assert (
        f"not touched demo: {missing}; automl did not write val.txt; --force demo moves it all to the trash"
        in capsys.readouterr().out
    )
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
    assert [item["why_kept"] for item in document["deletable"]] == [None, None]
    assert document["left_alone"] == {}
    assert document["studies"] == 1


def test_a_folder_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    assert run_command_line(["clean", str(tmp_path / "absent")]) == 2
