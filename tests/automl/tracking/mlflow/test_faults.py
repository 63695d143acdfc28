"""Metrics never wait for artifacts: MLflow on PostgreSQL, S3 by moto, and everything between them that may fail."""

from __future__ import annotations

import json
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from automl.errors import LaunchError
from automl.storage.paths import StudyPaths
from automl.study.events import ModelRegistered
from automl.tracking.mlflow.folder import MlflowFolder
from automl.tracking.mlflow.tracker import MlflowTracker, sync
from tests.automl.study.examples import study_started
from tests.automl.tracking.mlflow.events import append, measured, trial_started
from tests.automl.tracking.mlflow.servers import (
    BUCKET,
    FaultProxy,
    free_port,
    mlflow_server,
    needs_moto,
    needs_postgresql,
    postgresql,
    s3_server,
)
from tests.automl.tracking.mlflow.test_tracker import MODEL
from tests.automl.tracking.synthetic import RESULTS, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mlflow import MlflowClient

pytestmark = [
    pytest.mark.slow,
    needs_postgresql,
    needs_moto,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("default"),  # MLflow's own imports warn
]

LIMIT_S = 120.0


@dataclass(frozen=True)
class Site:
    """Servers that run: PostgreSQL, S3, and one MLflow whose artifacts go through it into S3.

    Attributes:
        database: URI of its database.
        s3: The environment by which S3 is found.
        uri: Of the MLflow server.
    """

    database: str
    s3: dict[str, str]
    uri: str


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("servers")
    options = ("--artifacts-destination", f"s3://{BUCKET}/through")
    with (
        postgresql() as database,
        s3_server(folder) as s3,
        mlflow_server(database, free_port(), folder, *options, environment=s3) as uri,
    ):
        yield Site(database, s3, uri)


@pytest.fixture
def proxy(site: Site) -> Iterator[FaultProxy]:
    with FaultProxy(site.uri) as one:
        yield one


@pytest.fixture
def study(tmp_path: Path) -> StudyPaths:
    return StudyPaths(tmp_path / tmp_path.name)


def run(study: StudyPaths, uri: str, *, timeout_s: float = LIMIT_S) -> MlflowTracker:
    """Record a whole study with a model version."""
    tracker = MlflowTracker(uri, study.root.name, study)
    tell(study, tracker)
    append(study, ModelRegistered(request=MODEL | {"name": study.root.name}))
    tracker.close(timeout_s=timeout_s)
    return tracker


def send(study: StudyPaths, uri: str) -> None:
    assert sync(study, uri, study.root.name, timeout_s=LIMIT_S) == ()


def client_of(uri: str) -> MlflowClient:
    from mlflow import MlflowClient  # noqa: PLC0415 # heavy

    return MlflowClient(tracking_uri=uri)


def check_everything_but_files(study: StudyPaths, uri: str) -> MlflowClient:
    """Ask the server itself for runs, metrics, parameters and ends."""
    client = client_of(uri)
    experiment = client.get_experiment_by_name(study.root.name)
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    runs = {one.data.tags["automl.key"].partition("/")[2]: one for one in found}
    assert sorted(runs) == ["0000", "0001", "0002", "0003", "0004", "study"]
    assert [runs[f"000{n}"].info.status for n in range(5)] == ["FINISHED", "KILLED", "FAILED", "FAILED", "FINISHED"]
    assert runs["study"].info.status == "FINISHED"
    assert runs["study"].data.metrics["automl.best"] == 0.7
    assert runs["0004"].data.params == {"train.optim.lr": "0.005", "model.sizes:open:1:close:": "32"}
    history = client.get_metric_history(runs["0004"].info.run_id, "val/d1")
    assert [(point.step, point.value) for point in history] == [(0, 0.6), (1, 0.7), (2, 0.65)]
    return client


def check_files(study: StudyPaths, client: MlflowClient) -> None:
    """Ask for artifacts and the model version."""
    run_ids = next(iter(_states(study)))["run_ids"]
    kept = {item.path for item in client.list_artifacts(run_ids["0000"])}
    assert {"spec.yaml", "train.log", "panels"} <= kept
    (version,) = client.search_model_versions(f"name = '{study.root.name}'")
    assert version.tags["automl.trial"] == "4"


def _states(study: StudyPaths) -> Iterator[dict[str, dict[str, str]]]:
    for file in study.mlflow.glob("sent-*.json"):
        yield json.loads(file.read_text(encoding="utf-8"))


def of_artifacts(status: int) -> Callable[[str, str, int], int | None]:
    return lambda _method, path, _length: status if "mlflow-artifacts" in path else None


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "HTTP 401: it wants credentials: set MLFLOW_TRACKING_USERNAME"),
        (403, "HTTP 403: these credentials may not write there"),
        (404, "HTTP 404: it has no such address, bucket or store"),
        (413, "HTTP 413: it is larger than the server, or a proxy before it, accepts"),
        (500, "HTTP 500: the server, or the store behind it, failed"),
        (503, "HTTP 503: the server, or the store behind it, failed"),
        (0, "MlflowException (API request to"),
    ],
)
def test_artifacts_that_are_refused_are_set_aside_with_the_cause_and_sent_when_it_is_gone(
    study: StudyPaths, site: Site, proxy: FaultProxy, status: int, said: str
) -> None:
    proxy.fault = of_artifacts(status)

    tracker = run(study, proxy.uri)

    assert tracker.unsent
    client = check_everything_but_files(study, site.uri)
    with pytest.raises(LaunchError, match="does not have the whole record") as caught:
        send(study, proxy.uri)
    (problem,) = caught.value.problems
    assert problem.found.startswith("17 files (")
    assert said in problem.found

    proxy.fault = lambda *_: None
    send(study, proxy.uri)
    check_files(study, client)
    assert MlflowFolder(study).is_complete(proxy.uri)


def test_metrics_arrive_while_an_artifact_is_not_answered(study: StudyPaths, site: Site, proxy: FaultProxy) -> None:
    proxy.fault = of_artifacts(-1)
    tracker = MlflowTracker(proxy.uri, study.root.name, study)
    tell(study, tracker, results=RESULTS[:1])
    tracker._start_writer()  # noqa: SLF001 # as the next trial would
    until(lambda: any("mlflow-artifacts" in path for _, path in proxy.requests))

    client, began_s = client_of(site.uri), time.monotonic()
    append(study, study_started(), trial_started(7, lr=0.5), measured(7, 0, {"val/d1": 0.9}))
    until(lambda: "0007" in (MlflowFolder(study).load_state(proxy.uri).run_ids))
    run_id = MlflowFolder(study).load_state(proxy.uri).run_ids["0007"]
    until(lambda: client.get_run(run_id).data.metrics.get("val/d1") == 0.9)
    assert time.monotonic() - began_s < 20, "the artifact is answered after a minute"
    tracker.close(timeout_s=1)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_one_file_that_is_too_large_holds_back_no_other(study: StudyPaths, site: Site, proxy: FaultProxy) -> None:
    proxy.fault = lambda method, path, _: 413 if method == "PUT" and path.endswith("/train.log") else None

    run(study, proxy.uri)

    client = check_everything_but_files(study, site.uri)
    (missing,) = MlflowFolder(study).missing(proxy.uri)
    assert missing.startswith("5 files (trials/0000/train.log of 0000, ")
    assert "HTTP 413" in missing
    proxy.fault = lambda *_: None
    send(study, proxy.uri)
    check_files(study, client)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "HTTP 401: it wants credentials"),
        (403, "HTTP 403: these credentials may not write"),
        (404, "HTTP 404: it has no such address"),
        (503, "HTTP 503: the server, or the store behind it, failed"),
    ],
)
def test_metrics_that_a_proxy_refuses_are_sent_later_and_never_thrown_away(
    study: StudyPaths, site: Site, proxy: FaultProxy, status: int, said: str
) -> None:
    proxy.fault = lambda _method, path, _length: status if "log-batch" in path else None

    assert run(study, proxy.uri, timeout_s=30).unsent

    missing = MlflowFolder(study).missing(proxy.uri)
    assert said in missing[0]
    proxy.fault = lambda *_: None
    send(study, proxy.uri)
    check_files(study, check_everything_but_files(study, site.uri))
    assert not (study.mlflow / "rejected.jsonl").exists()


def test_a_batch_that_is_too_large_for_a_proxy_is_sent_in_smaller_ones(
    study: StudyPaths, site: Site, proxy: FaultProxy
) -> None:
    proxy.fault = lambda _method, path, length: 413 if "log-batch" in path and length > 1000 else None

    tracker = run(study, proxy.uri)

    check_everything_but_files(study, site.uri)
    assert not [one for one in MlflowFolder(study).refused(proxy.uri) if not one.startswith("tags of study")]
    assert not tracker.unsent


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("http://127.0.0.1:9", "connection refused, nothing listens there"),
        ("http://no-such-host.invalid:5000", "the host name is not known"),
    ],
)
def test_a_server_that_is_not_there_has_its_own_sentence(study: StudyPaths, uri: str, said: str) -> None:
    run(study, uri, timeout_s=40)

    (missing,) = MlflowFolder(study).missing(uri)
    assert missing.startswith(f"everything: {said}")


def test_a_server_that_does_not_answer_in_time_has_its_own_sentence(study: StudyPaths) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        threading.Thread(target=silent.listen, daemon=True).start()
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        run(study, uri, timeout_s=100)

    (missing,) = MlflowFolder(study).missing(uri)
    assert missing.startswith("everything: no answer in time")


def test_a_store_in_s3_is_filled_through_the_server(study: StudyPaths, site: Site) -> None:
    assert not run(study, site.uri).unsent
    check_files(study, check_everything_but_files(study, site.uri))


@pytest.fixture(scope="module")
def direct(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a server of the same database whose clients write to S3 themselves."""
    folder = tmp_path_factory.mktemp("direct")
    options = ("--default-artifact-root", f"s3://{BUCKET}/direct", "--no-serve-artifacts")
    with mlflow_server(site.database, free_port(), folder, *options, environment=site.s3) as uri:
        yield uri


def test_a_store_in_s3_is_filled_by_the_writer_itself(
    study: StudyPaths, site: Site, direct: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in site.s3.items():
        monkeypatch.setenv(name, value)
    assert not run(study, direct).unsent
    check_files(study, check_everything_but_files(study, direct))


@pytest.mark.parametrize(
    "case",
    [
        ("no boto3", "boto3 is not installed: pip install 'automl-vision[s3]'"),
        ("no credentials", "no credentials for S3: set AWS_ACCESS_KEY_ID"),
        ("refused", "connection refused, nothing listens there"),
    ],
)
def test_a_store_in_s3_that_cannot_be_used_costs_files_only_and_names_the_cause(
    study: StudyPaths, site: Site, direct: str, monkeypatch: pytest.MonkeyPatch, case: tuple[str, str]
) -> None:
    (fault, said), scratch = case, study.root.parent
    with monkeypatch.context() as patch:
        for name, value in site.s3.items():
            if fault != "no credentials" or "KEY" not in name:
                patch.setenv(name, value)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        if fault == "no boto3":
            broken = "raise ModuleNotFoundError(\"No module named 'boto3'\", name='boto3')\n"
            (scratch / "boto3.py").write_text(broken, encoding="utf-8")
            patch.setenv("PYTHONPATH", str(scratch))
        elif fault == "refused":
            patch.setenv("MLFLOW_S3_ENDPOINT_URL", "http://127.0.0.1:9")
        assert run(study, direct).unsent

    client = check_everything_but_files(study, direct)
    (missing,) = MlflowFolder(study).missing(direct)
    assert missing.startswith("17 files (")
    assert said in missing
    for name, value in site.s3.items():
        monkeypatch.setenv(name, value)
    send(study, direct)
    check_files(study, client)


def test_a_folder_of_artifacts_that_cannot_be_written_costs_files_only(
    study: StudyPaths, site: Site, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    options = ("--default-artifact-root", str(tmp_path / "file" / "artifacts"), "--no-serve-artifacts")
    with mlflow_server(site.database, free_port(), tmp_path, *options) as uri:
        assert run(study, uri).unsent
        check_everything_but_files(study, uri)

        (missing,) = MlflowFolder(study).missing(uri)
        assert missing.startswith("17 files (")
        assert "make room there, or the right to write" in missing
