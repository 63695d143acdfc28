"""The server starts on loopback, and says clearly why it cannot."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote
from urllib.request import urlopen

import pytest

from automl.errors import ConfigurationError, LaunchError
from automl.storage.paths import StudyPaths
from automl.tracking.mlflow.folder import MlflowFolder, UploadState
from automl.tracking.mlflow.server import comparison_url, open_when_up, serve, server_url


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").touch()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(LaunchError, match=f"cannot listen on port {port}"):
            serve(tmp_path, port)


def test_a_results_folder_without_a_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"{tmp_path}\n  found     no mlflow.db in it"):
        serve(tmp_path, 5000)
    with pytest.raises(ConfigurationError, match=r"/nonexistent\n  found     no such folder"):
        serve(Path("/nonexistent"), 5000)


def test_the_comparison_shows_the_trials_of_one_study(tmp_path: Path) -> None:
    study, uri = StudyPaths(tmp_path), f"sqlite:///{tmp_path}/mlflow.db"
    (tmp_path / "mlflow.db").touch()
    folder = MlflowFolder(study)
    server = server_url(5000)
    assert comparison_url(server, study, uri) == "http://127.0.0.1:5000/"

    folder.save_state(uri, UploadState(run_ids={"study": "aaa"}, experiment_id="3"))
    assert comparison_url(server, study, uri) == "http://127.0.0.1:5000/#/experiments/3/runs"

    folder.save_state(uri, UploadState(run_ids={"study": "aaa", "0000": "bbb", "0001": "ccc"}, experiment_id="3"))

    url = comparison_url(server, study, uri)
    assert unquote(url) == 'http://127.0.0.1:5000/#/compare-runs?runs=["bbb", "ccc"]&experiments=["3"]'

    state = UploadState(run_ids={"study": "aaa", "0000": "bbb"}, experiment_id="3", has_view=True)
    key = folder.own_id(uri)
    folder.save_state(uri, state)

    query = f"compareRunsMode=CHART&workflowType=machine_learning&viewStateShareKey={key}"
    assert comparison_url(server, study, uri) == f"http://127.0.0.1:5000/#/experiments/3/runs?{query}"


@pytest.mark.slow
def test_the_server_answers_until_it_is_interrupted(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").touch()
    port = free_port()
    imports = "from pathlib import Path; from automl.tracking.mlflow.server import serve"
    program = f"{imports}; serve(Path({str(tmp_path)!r}), {port})"
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL) as server:
        answer = 0
        for _ in range(600):
            with contextlib.suppress(OSError), urlopen(server_url(port), timeout=2) as page:  # noqa: S310 # ours, http
                answer = page.status
                break
            time.sleep(0.2)
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=60) == 0

    assert answer == 200
    assert not _listens(port)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_page_is_opened_once_the_server_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        waiting = open_when_up(port, "http://example/", limit_s=30.0)
        time.sleep(0.3)
        before = list(opened)
        listening.listen()

        waiting.join(20.0)

    assert (before, opened) == ([], ["http://example/"])
