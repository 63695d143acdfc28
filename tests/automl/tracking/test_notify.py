"""A study that is over notifies by a command or an address; what fails is a warning, and secrets stay unsaid."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from base64 import b64encode
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

import pytest

import automl.tracking.notify as notify_module
from automl.cli.app import run_command_line
from automl.storage.paths import StudyPaths
from automl.study.result import StudyResult
from automl.tracking.notify import NotifyTracker, notify
from tests.automl.cli.study_folder import TRIALS, write_study
from tests.automl.tracking.file_tracker import FileTracker
from tests.automl.tracking.synthetic import OBJECTIVE, make_plan
from tests.local_server import LocalServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automl.study.trial import TrialResult


class Hook(LocalServer):
    """A server on loopback that keeps what is posted to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posted: list[bytes] = []
        self.logins: list[str | None] = []
        self.status = 200

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hooks/s3cret"


class _Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        self.server.logins.append(self.headers["Authorization"])
        self.server.posted.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.server.status)
        self.end_headers()

    def log_request(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_an_address_gets_the_summary_as_json(hook: Hook) -> None:
    assert notify(hook.address, {"outcome": "completed", "best": None})

    assert json.loads(hook.posted[0]) == {"outcome": "completed", "best": None}


def test_an_address_that_refuses_is_a_warning_without_its_secret(hook: Hook, caplog: pytest.LogCaptureFixture) -> None:
    hook.status = 500

    assert not notify(hook.address, {})

    assert "POST to 127.0.0.1: status 500" in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/s3cret", "http://[::1/s3cret", "https://user:s3cret@127.0.0.1:9/"]
)
def test_an_address_that_nobody_answers_is_a_warning_without_its_secret(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert not notify(address, {})
    assert "notification failed" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_command_gets_the_summary_on_its_standard_input(tmp_path: Path) -> None:
    assert notify(f"sh -c 'cat > {tmp_path}/got.json'", {"outcome": "failed"})

    assert json.loads((tmp_path / "got.json").read_text(encoding="utf-8")) == {"outcome": "failed"}


@pytest.mark.parametrize(
    ("command", "warning"),
    [
        ("false --token s3cret", "ended with status 1"),
        ("/nowhere/s3cret", "a command whose program is not there"),
        ("'s3cret", "cannot be read"),
    ],
)
def test_a_command_that_fails_is_a_warning_without_its_secret(
    command: str, warning: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert not notify(command, {})
    assert warning in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("ftp://u:s3cret@host/x", "an address of ftp://"),
        ("http://[::1/s3cret", "an address or a command that cannot be read"),
        ("http://host:99999/s3cret", "an address or a command that cannot be read"),
        ("https:///s3cret", "an address without a host"),
        ("hooks.example/s3cret", "a command whose program is not there"),
    ],
)
def test_a_target_to_which_nothing_can_be_sent_is_refused_before_a_run(
    target: str, found: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["run", "toy/quick", "--notify", target]) == 2

    said = capsys.readouterr().err
    assert found in said
    assert "s3cret" not in said


def test_an_address_is_one_whatever_the_case_of_its_scheme(hook: Hook) -> None:
    assert notify(hook.address.replace("http", "HTTP", 1), {})


def test_an_answer_that_comes_byte_by_byte_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notify_module, "_POST_LIMIT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()

        assert not notify(f"http://127.0.0.1:{server.getsockname()[1]}/", {})

    assert "no answer within 0.2 s" in caplog.text
    thread.join()


def drip(server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection, _ = server.accept()
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X" * 4:
            connection.send(bytes([byte]))
            time.sleep(0.05)
        connection.close()


@pytest.mark.parametrize(("ended", "outcome"), [(TRIALS, "completed"), (TRIALS[1:2], "failed"), (None, "interrupted")])
def test_the_outcome_is_sent_once(
    tmp_path: Path, hook: Hook, ended: tuple[TrialResult, ...] | None, outcome: str
) -> None:
    root = write_study(tmp_path / "example", ended or TRIALS)
    tracker = NotifyTracker(hook.address)
    files = FileTracker(StudyPaths(root), [tracker])
    files.study_started(make_plan(root, "example"), root)
    if ended is not None:
        files.study_ended(StudyResult(objective=OBJECTIVE, trials=ended, end_reason="enough"))
    files.close()

    tracker.close()
    tracker.close()

    (document,) = (json.loads(content) for content in hook.posted)
    assert (document["outcome"], document["end_reason"] == "enough") == (outcome, ended is not None)


def test_a_study_that_never_started_notifies_nobody(hook: Hook) -> None:
    NotifyTracker(hook.address).close()

    assert not hook.posted


def test_a_login_in_the_address_is_sent_as_a_login(hook: Hook) -> None:
    address = hook.address.replace("http://", "http://user:p%40ss@")

    assert notify(address, {})
    assert hook.logins == ["Basic " + b64encode(b"user:p@ss").decode()]
