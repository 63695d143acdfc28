"""A process of ours goes on when its working folder is deleted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from automl.storage.working_folder import leave_deleted_folder

if TYPE_CHECKING:
    import pytest


def test_a_deleted_working_folder_is_left_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (gone := tmp_path / "gone").mkdir()
    monkeypatch.chdir(gone)
    leave_deleted_folder()
    assert Path.cwd() == gone

    gone.rmdir()
    for _ in range(2):
        leave_deleted_folder()

    assert Path.cwd() == Path("/")
    assert caplog.messages == ["the working folder was deleted; the study goes on without it"]
