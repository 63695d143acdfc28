"""`automl init`, `automl schema` and what `automl check` says of a skill that a search cannot use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from automl.cli.app import run_command_line
from automl.resources import packaged
from automl.shown_command import shown_command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_the_schema_that_is_written_is_the_one_that_study_files_are_checked_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run_command_line(["schema"]) == 0

    written = (tmp_path / ".automl/study.schema.json").read_text(encoding="utf-8")
    assert written == (packaged("schemas") / "study.schema.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "make", "found"),
    [
        ("pipe", os.mkfifo, "pipe, which cannot be read: it is a named pipe, not a file"),
        ("python a.py", os.mkfifo, "a.py, which cannot be read: it is a named pipe, not a file"),
        ("/dev/zero", None, "/dev/zero, which cannot be read: it is a device, not a file"),
        (
            "data.bin",
            lambda file: os.truncate(file, 5 * 2**30),
            "data.bin, which cannot be read: more than 2097152 bytes",
        ),
        ("b.py", lambda file: file.write_text("x = ("), "b.py, which cannot be read: '(' was never closed in line 1"),
    ],
)
def test_what_is_no_script_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    make: Callable[[Path], object] | None,
    found: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if make is not None:
        place = tmp_path / words.rsplit(maxsplit=1)[-1]
        if make is not os.mkfifo:
            place.touch()
        make(place)

    assert run_command_line(["init", words]) == 2
    assert found in capsys.readouterr().err


def test_a_study_file_is_written_once_with_its_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    source = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', type=float, default=0.1)\n"
    (tmp_path / "train.py").write_text(source, encoding="utf-8")

    assert run_command_line(["init", "train.py"]) == 0
    assert (tmp_path / ".automl/study.schema.json").is_file()
    assert run_command_line(["init", "train.py"]) == 2
    assert "study.yaml, which exists" in capsys.readouterr().err
    assert run_command_line(["check", "study.yaml"]) == 0


@pytest.mark.parametrize("name", ["study.yaml", "my study.yaml", "sub/mine.yaml"])
def test_the_header_of_a_study_file_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    source = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', type=float, default=0.1)\n"
    (tmp_path / "train.py").write_text(source, encoding="utf-8")

    assert run_command_line(["init", str(tmp_path / "train.py"), "-o", name]) == 0

    plan, run = shown_command("plan", name), shown_command("run", name)
    assert f"\n# then: {plan}, {run}. The ends" in (tmp_path / name).read_text(encoding="utf-8")
    assert f"next: {plan}; {run}\n" in capsys.readouterr().out


def test_a_script_is_run_for_its_help_only_when_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(
        "import sys, pathlib\npathlib.Path('ran').touch()\nprint('  --lr LR   step (default: 0.1)')\n", encoding="utf-8"
    )

    assert run_command_line(["init", "train.py"]) == 2
    assert "--run-help runs it" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()
    assert run_command_line(["init", "train.py", "--run-help"]) == 0
    assert "lr: 0.001..1.0 log" in (tmp_path / "study.yaml").read_text(encoding="utf-8")


def test_a_skill_that_is_written_is_accepted_and_one_without_a_schema_is_a_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"

    assert run_command_line(["init", "--skill", str(folder)]) == 0
    assert run_command_line(["check", "--skill", str(folder)]) == 0
    (folder / "train.schema.json").unlink()
    capsys.readouterr()

    assert run_command_line(["check", "--skill", str(folder)]) == 2
    assert "train.schema.json" in capsys.readouterr().out
