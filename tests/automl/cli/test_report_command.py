"""`automl report` writes one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.cli.app import run_command_line
from tests.automl.cli.study_folder import write_study

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


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
