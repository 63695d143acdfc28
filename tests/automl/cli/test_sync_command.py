"""`automl sync` without a record to send."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from automl.cli.app import run_command_line
from automl.storage.documents import read_document
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import read_plan
from automl.tracking.mlflow.folder import MlflowFolder, UploadState
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


def test_a_promotion_is_what_status_says_of_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, paths = write_study(tmp_path / "example"), StudyPaths(tmp_path / "example")
    folder, uri = MlflowFolder(paths), read_plan(paths).mlflow.tracking_uri
    folder.save_state(uri, UploadState(model="toy version 6, not the champion, which is version 5: worse"))
    promoted = "toy version 6, champion by `automl promote`: it was version 5"
    monkeypatch.setattr("automl.tracking.mlflow.tracker.sync", lambda *_: ())
    monkeypatch.setattr("automl.tracking.mlflow.champion.promote", lambda *_: ("done", promoted))
    monkeypatch.setattr(
        MlflowFolder, "load_state", lambda *_: read_document(next(folder.root.glob("sent-*")), UploadState)
    )

    assert run_command_line(["status", str(root)]) == 0
    assert "not the champion, which is version 5: worse (when it was registered)" in capsys.readouterr().out
    assert run_command_line(["promote", str(root)]) == 0
    assert run_command_line(["status", str(root)]) == 0

    assert promoted in [line.strip().removeprefix("model").strip() for line in capsys.readouterr().out.splitlines()]
