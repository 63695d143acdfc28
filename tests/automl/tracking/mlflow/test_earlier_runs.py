"""What a tracking server has of earlier studies, and the error when it does not answer."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import tempfile
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from automl.errors import LaunchError
from automl.request.location import RunLocation
from automl.request.study_request import StudyRequest
from automl.storage.event_log import read_log
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import PlanDocument, describe_plan
from automl.study.causes import Origin, OriginKind
from automl.study.trial import EarlierPoint, Proposal
from automl.tracking.mlflow.earlier_runs import RecordedStudies
from automl.tracking.mlflow.projection import Projection
from automl.tracking.mlflow.rest import is_server
from automl.tracking.mlflow.run_stores import Run
from automl.tracking.mlflow.uploads import UploadKind
from automl.transfer import why_not
from automl.warm_start import with_earlier_points
from tests.automl.study.examples import OBJECTIVE, make_plan
from tests.automl.study.test_result import study, trial
from tests.automl.tracking.file_tracker import FileTracker
from tests.local_server import LocalServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.study.earlier import EarlierStudy
    from automl.study.model import StudyPlan

REQUEST = StudyRequest(skill="toy", name="demo")
PLAN = make_plan(StudyRequest(skill="toy", name="new").with_settings(seed=2))
BEFORE = make_plan(StudyRequest(skill="toy", name="before").with_settings(seed=1))


class Server:
    """Answers the questions of `RecordedStudies` from a list of runs."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.asked: list[tuple[str, dict[str, Any], str | None]] = []
        self.status = 200

    def answer(self, path: str, question: dict[str, Any], authorization: str | None) -> dict[str, Any]:
        self.asked.append((path, question, authorization))
        if "experiments" in path:
            return {"experiments": [{"experiment_id": "3"}]}
        kind = "study" if "kind` = 'study'" in question["filter"] else "trial"
        parents = [run.key for run in self.runs if f"'{run.key}'" in question["filter"]]
        return {
            "runs": [
                as_rest(run)
                for run in self.runs
                if run.tags["automl.kind"] == kind
                and (kind == "study" or run.tags.get("mlflow.parentRunId", parents[0]) in parents)
            ]
        }


def as_rest(run: Run) -> dict[str, Any]:
    tables = {"tags": run.tags, "params": run.parameters, "metrics": run.metrics}
    data = {name: [{"key": k, "value": v} for k, v in table.items()] for name, table in tables.items()}
    return {"info": {"run_id": run.key, "run_name": run.name, "start_time": run.started_ms}, "data": data}


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(state.answer(self.path, question, self.headers.get("Authorization"))).encode()
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    http = LocalServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    state.url = f"http://127.0.0.1:{http.server_port}"  # type: ignore[attr-defined] # known once it listens
    yield state
    http.shutdown()
    http.server_close()


def runs_of(plan: StudyPlan, values: dict[float, float]) -> list[Run]:
    """Return the runs that our own tracker writes for a study: learning rate -> value."""
    trials = [dataclasses.replace(trial(n, v), assignment={"train.lr": r}) for n, (r, v) in enumerate(values.items())]
    projection = Projection(PlanDocument(**describe_plan(plan)), StudyPaths(Path("/demo") / plan.name))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / plan.name
        files = FileTracker(StudyPaths(root))
        files.study_started(plan, root)
        for ended in trials:
            proposal = Proposal(number=ended.number, assignment=ended.assignment, origin=Origin(OriginKind.GIVEN))
            files.trial_started(proposal, root / ended.directory, 1)
            files.trial_ended(ended)
        files.study_ended(study(OBJECTIVE.direction, *trials))
        files.close()
        entries = list(read_log(StudyPaths(root).events_file))
    found: dict[str, Run] = {}
    for upload in (upload for entry in entries for upload in projection.uploads(entry)):
        run = found.setdefault(upload.run, Run(upload.run, "", 0.0, {}, {}, {}))
        match upload.kind:
            case UploadKind.RUN:
                found[upload.run] = dataclasses.replace(run, name=upload.data["name"])
                found[upload.run].tags.update(upload.data["tags"])  # type: ignore[attr-defined] # a dictionary here
            case UploadKind.TAGS | UploadKind.PARAMETERS | UploadKind.METRICS:
                table: Any = {"tags": run.tags, "parameters": run.parameters, "metrics": run.metrics}[upload.kind]
                table.update(upload.data["values"])
            case _:
                pass
    return list(found.values())


def url_of(server: Server) -> str:
    return server.url  # type: ignore[attr-defined,no-any-return] # see the fixture


def test_a_study_on_a_server_comes_back_with_its_trials_as_its_directory_has_them(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "token")
    server.runs = runs_of(BEFORE, {0.01: 0.1, 0.02: 0.7, 1 / 3: 0.1 + 0.2})

    with RecordedStudies(PLAN, url_of(server)) as store:
        (history,) = store.histories()
        found = store.with_trials(history)

    assert (found.name, found.fingerprint, found.metric) == ("before", BEFORE.fingerprint, "val/d1")
    assert (found.direction, found.is_ended) == (OBJECTIVE.direction, True)
    assert found.fixed == {"train.num_gpus": 1, "train.num_epochs": 5, "train.lr": 0.01}
    assert [(t.number, t.assignment["train.lr"], t.value) for t in found.trials] == [
        (0, 0.01, 0.1),
        (1, 0.02, 0.7),
        (2, 1 / 3, 0.1 + 0.2),
    ]
    assert not why_not(found, PLAN)
    assert [path for path, _, _ in server.asked] == [
        f"/api/2.0/mlflow/{what}/search" for what in ("experiments", "runs", "runs")
    ]
    assert server.asked[1][1]["experiment_ids"] == ["3"]
    assert server.asked[1][2] == "Bearer token"


def test_a_sqlite_file_of_mlflow_says_the_same_as_a_server(server: Server, tmp_path: Path) -> None:
    server.runs = runs_of(BEFORE, {0.01: 0.1, 0.02: 0.7})
    file = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(file)) as store, store:
        store.execute("CREATE TABLE runs (run_uuid, name, start_time, lifecycle_stage)")
        for table in ("tags", "params", "latest_metrics"):
            store.execute(f"CREATE TABLE {table} (run_uuid, key, value, is_nan DEFAULT 0)")
        for run in server.runs:
            parent = {} if run.tags["automl.kind"] == "study" else {"mlflow.parentRunId": "study"}
            store.execute("INSERT INTO runs VALUES (?, ?, ?, 'active')", [run.key, run.name, run.started_ms])
            for table, values in {"tags": {**run.tags, **parent}, "params": run.parameters}.items():
                rows = [(run.key, name, value) for name, value in values.items()]
                store.executemany(f"INSERT INTO {table} (run_uuid, key, value) VALUES (?, ?, ?)", rows)  # noqa: S608
            numbers = [(run.key, name, value) for name, value in run.metrics.items()]
            store.executemany("INSERT INTO latest_metrics (run_uuid, key, value) VALUES (?, ?, ?)", numbers)

    found = []
    for uri in (url_of(server), f"sqlite:///{file}"):
        with RecordedStudies(PLAN, uri) as recorded:
            found.append([recorded.with_trials(history) for history in recorded.histories()])

    assert len(found[0][0].trials) == 2
    assert found[0] == found[1]


def test_a_repetition_begins_with_what_the_first_one_began_with(server: Server) -> None:
    given = (Origin(OriginKind.TEMPLATE), Origin(OriginKind.GIVEN, detail="from there"))
    began = dataclasses.replace(PLAN, first_trials=(*PLAN.first_trials, {"train.lr": 0.3}), first_origins=given)
    server.runs = runs_of(began, {0.01: 0.1})

    with RecordedStudies(PLAN, url_of(server)) as store:
        assert store.began_with() == ((EarlierPoint(assignment={"train.lr": 0.3}, origin=given[1]),), {})
    with RecordedStudies(BEFORE, url_of(server)) as store:
        assert store.began_with() is None


def observations(server: Server, *, seed: int) -> list[tuple[str, float]]:
    """Return what a plan would learn from: each study's name, and the value of its first trial."""
    place = RunLocation(results=Path("/nowhere"), tracking_uri=url_of(server))
    plan = with_earlier_points(REQUEST, make_plan(REQUEST.with_settings(seed=seed)), place)
    return [(study.name, study.trials[0].value or 0.0) for study in plan.earlier]


def recorded_study(server: Server, study_id: str, *, seed: int, earlier: tuple[EarlierStudy, ...] = ()) -> None:
    """Add a study called demo to a store: its trials have values that begin with a hundredth of its seed."""
    plan = make_plan(REQUEST.with_settings(seed=seed))
    runs = runs_of(dataclasses.replace(plan, earlier=earlier), {0.01 * (i + 1): seed / 100 + i / 9 for i in range(7)})
    for run in runs:
        parent = {"mlflow.parentRunId": study_id} if run.tags["automl.kind"] == "trial" else {}
        tags = {**run.tags, **parent, "automl.key": f"{study_id}/{run.key}", "automl.state": "COMPLETED"}
        key, name = (study_id, "demo") if not parent else (f"{study_id}/{run.key}", run.name)
        server.runs.append(dataclasses.replace(run, key=key, name=name, tags=tags))


def test_studies_of_one_name_and_time_are_listed_in_order_of_their_ids(server: Server) -> None:
    for study_id, seed in (("bb", 21), ("aa", 22), ("cc", 23)):
        recorded_study(server, study_id, seed=seed)
    listed = observations(server, seed=1)

    server.runs.reverse()

    assert listed == [("demo", 0.22), ("demo in the tracking store", 0.21), ("demo in the tracking store (2)", 0.23)]
    assert observations(server, seed=1) == listed


def test_a_repetition_learns_from_the_studies_of_the_original_though_later_ones_share_their_name(
    server: Server,
) -> None:
    for study_id, seed in (("bb", 21), ("cc", 23)):
        recorded_study(server, study_id, seed=seed)
    place = RunLocation(results=Path("/nowhere"), tracking_uri=url_of(server))
    original = with_earlier_points(REQUEST, make_plan(REQUEST.with_settings(seed=1)), place)
    listed = observations(server, seed=1)
    recorded_study(server, "aa", seed=1, earlier=original.earlier)
    recorded_study(server, "ab", seed=24)

    assert [name for name, _ in observations(server, seed=5)][:2] == ["demo", "demo in the tracking store"]
    assert observations(server, seed=1) == listed == [("demo", 0.21), ("demo in the tracking store", 0.23)]


@pytest.mark.parametrize("status", [401, 500])
def test_a_server_that_refuses_is_named_without_its_password(server: Server, status: int) -> None:
    server.status = status

    with pytest.raises(LaunchError, match="was not asked for earlier studies: HTTPError") as caught:
        RecordedStudies(PLAN, url_of(server).replace("http://", "http://user:secret@")).__enter__()

    assert "secret" not in str(caught.value)


def test_a_store_that_is_down_damaged_or_none_costs_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 100)
    for uri, why in {
        "http://127.0.0.1:9": "ConnectionError",
        f"sqlite:///{tmp_path / 'mlflow.db'}": "DatabaseError",
        "postgresql://db/mlflow": "neither a server nor a sqlite file",
    }.items():
        with pytest.raises(LaunchError, match=f"was not asked for earlier studies: .*{why}"):
            RecordedStudies(PLAN, uri).__enter__()


def test_a_sqlite_file_that_is_not_there_has_no_study_and_is_not_made(tmp_path: Path) -> None:
    with RecordedStudies(PLAN, f"sqlite:///{tmp_path / 'mlflow.db'}") as store:
        assert store.histories() == ()
    assert not (tmp_path / "mlflow.db").exists()


def test_a_store_is_not_asked_further_once_its_time_is_over(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.runs = runs_of(BEFORE, {0.01: 0.1})
    with RecordedStudies(PLAN, url_of(server)) as store:
        (history,) = store.histories()
        monkeypatch.setattr("automl.tracking.mlflow.earlier_runs.time.monotonic", lambda: 1e12)

        with pytest.raises(LaunchError, match="was not asked further for earlier studies: it took 15 s"):
            store.with_trials(history)


def test_only_http_addresses_are_servers() -> None:
    assert [is_server(uri) for uri in ("http://a", "https://a", "sqlite:///a.db", None)] == [True, True, False, False]
