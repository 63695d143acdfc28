"""`automl sync` without a record to send."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from automl.cli.app import run_command_line
from automl.storage.paths import StudyPaths
from tests.automl.cli.study_folder import write_study

QUEUE = str(StudyPaths(Path()).outbox / "queue.jsonl")


def test_a_study_that_has_not_begun_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_study(tmp_path / "example")
    StudyPaths(root).events_file.unlink()

    assert run_command_line(["sync", str(root)]) == 2
    assert f"{root}/events.jsonl" in capsys.readouterr().err
    shutil.rmtree(StudyPaths(root).trials)
    assert run_command_line(["sync", str(root)]) == 4
    assert str(root) in capsys.readouterr().err


@pytest.mark.parametrize("name", ["events.jsonl", QUEUE, "tracking/mlflow/study_id", "tracking/mlflow/rejected.jsonl"])
def test_what_waits_to_be_sent_and_is_damaged_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    root = write_study(tmp_path / "example")
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    content = file.read_bytes() if file.is_file() else b'{"kind": "run"}\n'
    file.write_bytes(content.replace(b"u", b"t", 1))
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}

    assert run_command_line(["sync", str(root)]) == 2

    shown = capsys.readouterr().err
    assert str(file) in shown
    assert "start the server" not in shown
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
