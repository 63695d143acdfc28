"""The doctor's rows about the record: the server, its store of artifacts, and what could not be stored before."""

from __future__ import annotations

import json
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from automl.preflight.findings import Finding, Level
from automl.preflight.record import record_findings
from automl.storage.paths import StudyPaths
from automl.tracking.mlflow.folder import FailedUpload, MlflowFolder, UploadState
from automl.tracking.mlflow.uploads import Upload, UploadKind
from automl.tracking.mlflow.uri import default_tracking_uri
from tests.automl.preflight.test_software import closed_port
from tests.automl.study.examples import study_started
from tests.automl.tracking.mlflow.events import append
from tests.local_server import LocalServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class _Mlflow(BaseHTTPRequestHandler):
    def __init__(self, answers: dict[str, tuple[int, str]], *arguments: Any) -> None:  # noqa: ANN401 # of the base class
        self._answers = answers
        super().__init__(*arguments)

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        question = self.path.partition("?")[0].removeprefix("/api/2.0/mlflow/experiments/")
        status, location = self._answers.get(question, (404, ""))
        body = json.dumps({"experiment": {"artifact_location": location}}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def mlflow(**answers: tuple[int, str]) -> Iterator[str]:
    """Run what answers like MLflow: ``get`` is the default experiment, ``get_by_name`` that of the study."""
    named = {name.replace("_", "-"): answer for name, answer in answers.items()}
    with LocalServer(("127.0.0.1", 0), partial(_Mlflow, named)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def examine(uri: str, results: Path) -> Finding:
    (finding,) = record_findings(uri, "demo", results)
    return finding


def test_a_server_that_does_not_answer_is_a_warning_without_its_password(tmp_path: Path) -> None:
    finding = examine(f"http://user:pass@127.0.0.1:{closed_port()}", tmp_path)

    assert finding.level is Level.WARN
    assert "automl sync" in finding.fix
    assert "pass" not in finding.found


@pytest.mark.parametrize("uri", ["file:///data/mlruns", "./mlruns", "/data/mlruns", "mlruns"])
def test_a_folder_as_record_is_refused(uri: str, tmp_path: Path) -> None:
    finding = examine(uri, tmp_path)

    assert finding.level is Level.FAIL
    assert "migrate-filestore" in finding.fix


def test_an_address_without_its_scheme_is_refused(tmp_path: Path) -> None:
    finding = examine("tracking-host:5000", tmp_path)

    assert finding.level is Level.FAIL
    assert "tracking-host://" in finding.found


def test_a_sqlite_file_needs_no_server(tmp_path: Path) -> None:
    assert examine("sqlite:///r/mlflow.db", tmp_path).level is Level.OK
    assert list(record_findings(None, "demo", tmp_path / "new")) == []


@pytest.mark.parametrize(
    ("status", "said"), [(401, "wants credentials"), (403, "may not write"), (503, "HTTP 503: the server")]
)
def test_a_server_that_refuses_says_why(status: int, said: str, tmp_path: Path) -> None:
    with mlflow(get_by_name=(status, "")) as uri:
        finding = examine(uri, tmp_path)

    assert finding.level is Level.WARN
    assert said in finding.found


def test_what_is_no_mlflow_server_is_not_said_to_answer(tmp_path: Path) -> None:
    with mlflow() as uri:
        finding = examine(uri, tmp_path)

    assert finding.level is Level.WARN
    assert "HTTP 404: it has no such address" in finding.found


def test_the_store_of_the_default_experiment_counts_where_the_study_has_none_yet(tmp_path: Path) -> None:
    with mlflow(get=(200, "mlflow-artifacts:/0")) as uri:
        finding = examine(uri, tmp_path)

    assert finding.level is Level.OK
    assert finding.found.endswith("artifacts in mlflow-artifacts:/0")


def test_a_store_whose_library_is_not_installed_names_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automl.preflight.record.find_spec", lambda _: None)
    with mlflow(get_by_name=(200, "s3://bucket/1")) as uri:
        finding = examine(uri, tmp_path)

    assert finding.level is Level.WARN
    assert "boto3 is not installed: pip install 'automl-vision[s3]'" in finding.found


def test_a_folder_of_the_servers_machine_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with mlflow(get_by_name=(200, str(tmp_path / "file" / "artifacts"))) as uri:
        finding = examine(uri, tmp_path)
    with mlflow(get_by_name=(200, (tmp_path / "artifacts").as_uri())) as uri:
        writable = examine(uri, tmp_path)

    assert (finding.level, writable.level) == (Level.WARN, Level.OK)
    assert "--serve-artifacts" in finding.fix


def test_files_of_earlier_studies_that_could_not_be_stored_are_named_with_the_cause(tmp_path: Path) -> None:
    study = append(StudyPaths(tmp_path / "before"), study_started())
    (tmp_path / "mlflow.db").touch()
    upload = Upload(UploadKind.ARTIFACT, "study", {"path": "plan.json", "folder": ""})
    state = UploadState(position=study.events_file.stat().st_size)
    state.failed.append(FailedUpload(upload=upload, problem="HTTP 413: it is larger (detail)"))
    MlflowFolder(study).save_state(default_tracking_uri(tmp_path), state)

    (finding,) = record_findings(None, "demo", tmp_path)

    assert (finding.check, finding.level) == ("record of before", Level.WARN)
    assert finding.found == "1 file (plan.json of study): HTTP 413: it is larger (detail)"
    assert f"automl sync {study.root}" in finding.fix


def test_a_file_in_the_place_of_the_record_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"\x13\x37" * 100)

    (finding,) = record_findings(None, "demo", tmp_path)

    assert finding.level is Level.WARN
    assert f"{tmp_path}/mlflow.db is no sqlite database" in finding.found
    assert "move" in finding.fix
