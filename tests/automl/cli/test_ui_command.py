"""`automl ui` serves the results folder it was given, on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.cli.app import run_command_line
from automl.track import server

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_page_of_the_given_folder_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served: list[tuple[Path, int]] = []
    monkeypatch.setattr(server, "serve", lambda root, port: served.append((root, port)))

    status = run_command_line(["ui", str(tmp_path), "--port", "5123"])

    assert status == 0
    assert served == [(tmp_path, 5123)]
    assert "http://127.0.0.1:5123" in capsys.readouterr().err
