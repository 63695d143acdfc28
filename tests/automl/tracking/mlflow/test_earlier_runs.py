"""What a tracking server has of earlier studies, and the error when it does not answer."""

from __future__ import annotations

import dataclasses
import json
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from automl.errors import LaunchError
from automl.request.study_request import StudyRequest
from automl.storage.event_log import read_log
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import PlanDocument, describe_plan
from automl.study.causes import Origin, OriginKind
from automl.tracking.mlflow.earlier_runs import recorded_points
from automl.tracking.mlflow.projection import STUDY_RUN, Projection, UploadKind
from automl.tracking.mlflow.rest import is_server
from tests.automl.study.examples import OBJECTIVE, make_plan
from tests.automl.study.test_result import study, trial
from tests.automl.tracking.file_tracker import FileTracker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.study.model import StudyPlan

PLAN = make_plan(StudyRequest(skill="toy", name="new").with_settings(seed=2))
BEFORE = make_plan(StudyRequest(skill="toy", name="before").with_settings(seed=1))


class Server:
    """Answers the two questions of `recorded_points` from a list of runs."""

    def __init__(self) -> None:
        self.runs: list[dict[str, str]] = []
        self.asked: list[tuple[str, dict[str, Any], str | None]] = []
        self.status = 200

    def answer(self, path: str, question: dict[str, Any], authorization: str | None) -> dict[str, Any]:
        self.asked.append((path, question, authorization))
        if "experiments" in path:
            return {"experiments": [{"experiment_id": "3"}]}
        return {"runs": [{"data": {"tags": [{"key": k, "value": v} for k, v in tags.items()]}} for tags in self.runs]}


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

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    state.url = f"http://127.0.0.1:{http.server_port}"  # type: ignore[attr-defined] # known once it listens
    yield state
    http.shutdown()
    http.server_close()


def tags_of(plan: StudyPlan, best: float, number: int = 1) -> dict[str, str]:
    """Return the tags that our own tracker writes for a study whose best trial has a learning rate."""
    trials = (trial(0, 0.1), dataclasses.replace(trial(number, 0.7), assignment={"train.lr": best}))
    projection, written = Projection(PlanDocument(**describe_plan(plan)), StudyPaths(Path("/demo"))), dict[str, str]()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / plan.name
        files = FileTracker(StudyPaths(root))
        files.study_started(plan, root)
        for ended in trials:
            files.trial_ended(ended)
        files.study_ended(study(OBJECTIVE.direction, *trials))
        files.close()
        entries = list(read_log(StudyPaths(root).events_file))
    uploads = [upload for entry in entries for upload in projection.uploads(entry)]
    for upload in uploads:
        if upload.run == STUDY_RUN and upload.kind in {UploadKind.RUN, UploadKind.TAGS}:
            written |= upload.data["tags" if upload.kind is UploadKind.RUN else "values"]
    return written


def ask(server: Server) -> list[tuple[object, str]]:
    url: str = server.url  # type: ignore[attr-defined] # see the fixture
    return [(point.assignment["train.lr"], str(point.origin)) for point in recorded_points(PLAN, url)]


def test_the_best_trial_of_each_comparable_study_comes_back_with_its_origin(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "token")
    other = {**tags_of(BEFORE, 0.5), "automl.direction": "minimize"}
    server.runs = [tags_of(BEFORE, 0.02), other, tags_of(BEFORE, 0.01, number=0), {"automl.kind": "study"}]

    assert ask(server) == [(0.02, "earlier study before on the tracking server, trial 1 (val/d1 0.7)")]
    assert [path for path, _, _ in server.asked] == [f"/api/2.0/mlflow/{w}/search" for w in ("experiments", "runs")]
    assert server.asked[1][1]["experiment_ids"] == ["3"]
    assert server.asked[1][2] == "Bearer token"


def test_a_repetition_begins_with_what_the_first_one_began_with(server: Server) -> None:
    given = (Origin(OriginKind.TEMPLATE), Origin(OriginKind.GIVEN, detail="from there"))
    began = dataclasses.replace(PLAN, first_trials=(*PLAN.first_trials, {"train.lr": 0.3}), first_origins=given)
    server.runs = [tags_of(BEFORE, 0.02), tags_of(PLAN, 0.04), tags_of(began, 0.05)]

    assert ask(server) == [(0.3, "from there")]


@pytest.mark.parametrize("status", [401, 500])
def test_a_server_that_refuses_is_named_without_its_password(server: Server, status: int) -> None:
    server.status = status
    url: str = server.url  # type: ignore[attr-defined] # see the fixture

    with pytest.raises(LaunchError, match="was not asked for earlier studies: HTTPError") as caught:
        recorded_points(PLAN, url.replace("http://", "http://user:secret@"))

    assert "secret" not in str(caught.value)


def test_a_server_that_is_down_costs_no_study() -> None:
    with pytest.raises(LaunchError, match="ConnectionError"):
        recorded_points(PLAN, "http://127.0.0.1:9")


def test_only_http_addresses_are_servers() -> None:
    assert [is_server(uri) for uri in ("http://a", "https://a", "sqlite:///a.db", None)] == [True, True, False, False]
