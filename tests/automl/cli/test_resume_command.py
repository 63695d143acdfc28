"""`automl resume` on folders that cannot be resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.cli.app import run_command_line

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_folder_that_is_no_study_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["resume", str(tmp_path)]) == 2
    assert "plan.json" in capsys.readouterr().err
