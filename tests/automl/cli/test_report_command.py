"""`automl report` writes one page."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from automl.cli.app import run_command_line
from tests.automl.cli.study_folder import write_study

if TYPE_CHECKING:
    from pathlib import Path


def test_the_page_is_one_file_that_needs_no_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_study(tmp_path / "example")

    status = run_command_line(["report", str(root)])

    page = root / "report.html"
    assert status == 0
    assert capsys.readouterr().out.strip() == str(page)
    text = page.read_text(encoding="utf-8")
    assert "val/d1" in text
    assert '<script src="http' not in text
    assert page.stat().st_size < 5_000_000


@pytest.mark.parametrize("options", [[], ["--output", "own.html"]])
def test_a_folder_in_its_place_is_refused_by_name_and_stays(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = write_study(tmp_path / "example")
    place = tmp_path / "own.html" if options else root / "report.html"
    place.mkdir()
    (place / "mine").write_text("mine", encoding="utf-8")

    status = run_command_line(["report", str(root), *options])

    shown = capsys.readouterr().err
    assert (status, [file.name for file in place.iterdir()]) == (2, ["mine"])
    assert place.name in shown
    assert "it is a folder, not a file" in shown
    assert not [file for file in place.parent.iterdir() if file.name.startswith(f".{place.name}")]


def test_a_pipe_in_its_place_is_refused_and_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, pipe = write_study(tmp_path / "example"), tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)

    for output in (pipe, tmp_path / "link"):
        assert run_command_line(["report", str(root), "--output", str(output)]) == 2
        assert "it is a named pipe, not a file" in capsys.readouterr().err
    assert run_command_line(["report", str(root), "--output", str(pipe / "report.html")]) == 2

    assert pipe.is_fifo()
    assert (tmp_path / "link").is_symlink()


def test_a_link_in_its_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    root, other = write_study(tmp_path / "example"), tmp_path / "other"
    other.write_text("mine", encoding="utf-8")
    other.chmod(0o400)
    (root / "report.html").symlink_to(other)

    assert run_command_line(["report", str(root)]) == 0

    assert other.read_text(encoding="utf-8") == "mine"
    assert not (root / "report.html").is_symlink()
