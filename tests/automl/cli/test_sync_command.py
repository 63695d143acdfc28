"""`automl sync` without a record to send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.cli.app import run_command_line
from automl.storage.paths import StudyPaths
from tests.automl.cli.study_folder import write_study

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_study_that_has_not_begun_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_study(tmp_path / "example")
    StudyPaths(root).events_file.unlink()

    assert run_command_line(["sync", str(root)]) == 4
    assert str(root) in capsys.readouterr().err
