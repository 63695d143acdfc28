"""`automl ui` serves the record of a results folder on loopback and leads to the comparison of the right study."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from automl.cli.app import run_command_line
from automl.storage.documents import write_document
from automl.storage.paths import StudyPaths
from automl.tracking.mlflow import server
from automl.tracking.mlflow.folder import MlflowFolder, UploadState
from tests.automl.cli.study_folder import write_study

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, int, str]]:
    calls: list[tuple[Path, int, str]] = []
    monkeypatch.setattr(server, "_check_port", lambda _: None)  # somebody may use it
    monkeypatch.setattr(server, "serve", lambda root, port, tracking_uri: calls.append((root, port, tracking_uri)))
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    return calls


def write_recorded(root: Path, uri: str) -> Path:
    """Write a study whose trials 0 and 1 MLflow has as aaa and bbb, in experiment 3."""
    write_study(root)
    plan = json.loads((root / "plan.json").read_text(encoding="utf-8"))
    write_document(root / "plan.json", {**plan, "mlflow": {**plan["mlflow"], "tracking_uri": uri}})
    state = UploadState(run_ids={"study": "sss", "0000": "aaa", "0001": "bbb"}, experiment_id="3")
    MlflowFolder(StudyPaths(root)).save_state(uri, state)
    return root


def test_a_folder_without_studies_is_served(
    tmp_path: Path, served: list[tuple[Path, int, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mlflow.db").touch()

    status = run_command_line(["ui", str(tmp_path), "--port", "5123"])

    assert status == 0
    assert served == [(tmp_path, 5123, f"sqlite:///{tmp_path}/mlflow.db")]
    assert "http://127.0.0.1:5123" in capsys.readouterr().err


def test_a_folder_without_a_record_is_refused_before_an_address_is_shown(
    tmp_path: Path, served: list[tuple[Path, int, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert [run_command_line(["ui", name]) for name in (str(tmp_path), "/nonexistent")] == [2, 2]

    shown = capsys.readouterr().err
    assert "http" not in shown
    assert "no mlflow.db in it" in shown
    assert "no such folder" in shown
    assert not served


def test_a_study_that_cannot_be_read_hides_no_other_one(
    tmp_path: Path, served: list[tuple[Path, int, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    (tmp_path / "mlflow.db").touch()
    write_recorded(tmp_path / "demo", uri)
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "plan.json").write_text("{torn", encoding="utf-8")

    assert run_command_line(["ui", str(tmp_path)]) == 0

    assert "comparison of demo" in capsys.readouterr().err
    assert len(served) == 1


@pytest.mark.parametrize("named", [".", "demo"])
def test_the_comparison_of_the_latest_or_the_named_study_is_reported(
    tmp_path: Path, served: list[tuple[Path, int, str]], capsys: pytest.CaptureFixture[str], named: str
) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    (tmp_path / "mlflow.db").touch()
    write_recorded(tmp_path / "demo", uri)

    assert run_command_line(["ui", str(tmp_path / named), "--no-browser"]) == 0

    printed = capsys.readouterr().err
    assert "comparison of demo: http://127.0.0.1:5000/#/compare-runs?runs=%5B%22aaa%22%2C%20%22bbb%22%5D" in printed
    assert [(root, uri) for root, _, uri in served] == [(tmp_path, uri)]


def test_the_record_of_a_study_elsewhere_is_that_of_its_results_folder(
    tmp_path: Path, served: list[tuple[Path, int, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    uri = f"sqlite:///{results}/mlflow.db"
    results.mkdir()
    (results / "mlflow.db").touch()
    root = write_recorded(tmp_path / "elsewhere" / "mine", uri)
    plan = json.loads((root / "plan.json").read_text(encoding="utf-8"))
    write_document(root / "plan.json", {**plan, "results": str(results)})

    assert run_command_line(["ui", str(root)]) == 0

    assert [(folder, place) for folder, _, place in served] == [(results, uri)]
    assert f"MLflow for {results}: " in capsys.readouterr().err


def test_a_record_on_a_server_needs_no_server_here(
    tmp_path: Path, served: list[tuple[Path, int, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_recorded(tmp_path / "demo", "http://mlflow.example:80")

    assert run_command_line(["ui", str(root)]) == 0

    assert "http://mlflow.example:80/#/compare-runs" in capsys.readouterr().err
    assert not served


def test_on_a_desktop_the_page_is_opened(
    tmp_path: Path, served: list[tuple[Path, int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    (tmp_path / "mlflow.db").touch()
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(server, "open_when_up", lambda port, url: opened.append(f"{port} {url}"))

    run_command_line(["ui", str(tmp_path)])

    assert opened == ["5000 http://127.0.0.1:5000"]
    assert len(served) == 1
