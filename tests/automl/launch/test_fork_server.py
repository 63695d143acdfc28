from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING

import pytest

from automl.errors import LaunchError
from automl.launch.control import redirect
from automl.launch.fork_server import Server, peer_user
from automl.launch.local import ForkServerClient
from automl.launch.processes import Process, descendants, find_leftovers, send_signal
from automl.testing.launchers import unique_tag, wait_for_end, wait_until_gone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = (sys.executable, "-m", "automl.launch.fork_server")


def server(tag: str, session: str | None = None) -> ForkServerClient:
    return ForkServerClient(session or secrets.token_hex(8), command=COMMAND, environment={"AUTOML_TRIAL": tag})


def servers(tag: str) -> int:
    """Count servers: below each, a supervisor and its child wait for a job."""
    found = find_leftovers(tag)
    return sum(process.parent not in {other.pid for other in found} for process in found)


def test_a_server_ends_when_no_client_holds_it() -> None:
    tag = unique_tag()
    client = server(tag)
    client.start()
    assert servers(tag) == 1

    client.close()

    wait_until_gone(tag, limit_s=20.0)


def test_a_server_that_gets_no_processor_for_long_does_not_end_under_its_clients() -> None:
    late = "iter(range(0, 1 << 40, 100)).__next__"
    code = (
        "import types; from automl.launch import fork_server; fork_server._FIRST_CLIENT_LIMIT_S = 1e12;"
        f"fork_server.time = types.SimpleNamespace(monotonic={late}); fork_server.main()"
    )
    tag = unique_tag()
    client = ForkServerClient(
        secrets.token_hex(8), command=(sys.executable, "-c", code), environment={"AUTOML_TRIAL": tag}
    )
    client.start()

    time.sleep(1.5)

    assert servers(tag) == 1
    client.close()
    wait_until_gone(tag, limit_s=20.0)


def test_a_second_client_joins_the_server_that_runs() -> None:
    tag, session = unique_tag(), secrets.token_hex(8)
    clients = [server(tag, session) for _ in range(2)]

    for client in clients:
        client.start()

    assert servers(tag) == 1
    clients[0].close()
    time.sleep(1.5)
    assert servers(tag) == 1
    clients[1].close()
    wait_until_gone(tag, limit_s=20.0)


def test_a_connection_leads_to_a_process_of_the_same_user() -> None:
    client = server(unique_tag())

    with client.connect() as connection:
        assert peer_user(connection) == peer_user(connection)

    client.close()


def test_a_server_that_cannot_be_started_is_an_error_with_its_log(tmp_path: Path) -> None:
    client = ForkServerClient("x", command=("false",), environment={}, log=tmp_path / "log")

    with pytest.raises(LaunchError, match="could not be started"):
        client.start()


def test_the_user_at_the_other_end_of_a_socket_is_known() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer_user(ours) == os.getuid()


def test_a_connection_that_asks_for_nothing_is_closed_and_the_server_goes_on(tmp_path: Path) -> None:
    session = secrets.token_hex(8)
    tag = unique_tag()
    client = ForkServerClient(
        session, command=(sys.executable, "-m", "automl.launch.fork_server"), environment={"AUTOML_TRIAL": tag}
    )
    client.start()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stranger:
        stranger.connect(f"\0automl-{os.getuid()}-{session}")
        stranger.sendall(b"x")
        stranger.settimeout(5.0)
        assert stranger.recv(1) == b""

    with client.connect() as job:
        request = {"command": ["true"], "directory": str(tmp_path), "environment": {}, "log": str(tmp_path / "log")}
        job.sendall(json.dumps(request).encode() + b"\n")
        job.settimeout(5.0)
        with job.makefile("r", encoding="utf-8") as answers:
            assert [next(iter(json.loads(line))) for line in answers] == ["started", "exit"]

    client.close()
    wait_until_gone(tag, limit_s=20.0)


class Waiting:
    """A server, and the supervisor and the child that wait for its next job."""

    def __init__(self, tmp_path: Path) -> None:
        self.tag = unique_tag()
        self.directory = tmp_path
        command = (sys.executable, "-m", "automl.launch.fork_server")
        self.client = ForkServerClient(secrets.token_hex(8), command=command, environment={"AUTOML_TRIAL": self.tag})
        self.client.start()
        found = find_leftovers(self.tag)
        (self.server,) = (process for process in found if process.parent not in {other.pid for other in found})

    def pair(self) -> tuple[Process, Process]:
        """Wait until both are there."""
        deadline = time.monotonic() + 30.0
        while True:
            below = descendants(self.server.pid)
            if len(below) == 2:
                supervisor, child = sorted(below, key=lambda process: process.parent != self.server.pid)
                return supervisor, child
            assert time.monotonic() < deadline, below
            time.sleep(0.01)

    def run(self, *command: str) -> list[dict[str, int]]:
        """Run a job and return the answers."""
        log = str(self.directory / "log")
        request = {"command": command, "directory": str(self.directory), "environment": {}, "log": log}
        with self.client.connect() as job:
            job.sendall(json.dumps(request).encode() + b"\n")
            job.settimeout(10.0)
            with job.makefile("r", encoding="utf-8") as answers:
                return [json.loads(line) for line in answers]


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Waiting]:
    server = Waiting(tmp_path)
    yield server
    server.client.close()
    wait_until_gone(server.tag, limit_s=20.0)


def test_the_child_that_waits_becomes_the_next_job_and_another_one_waits_then(waiting: Waiting) -> None:
    supervisor, child = waiting.pair()

    assert waiting.run("true") == [{"started": child.pid}, {"exit": 0}]

    assert supervisor.pid not in {process.pid for process in waiting.pair()}
    assert waiting.run("false")[-1] == {"exit": 1}


@pytest.mark.parametrize("which", [0, 1])
def test_a_job_runs_though_what_waited_for_it_was_killed(waiting: Waiting, which: int) -> None:
    pair = waiting.pair()
    send_signal(pair[which], signal.SIGKILL)
    wait_for_end(pair, limit_s=20.0)

    assert [waiting.run("true")[-1] for _ in range(2)] == [{"exit": 0}] * 2
    assert waiting.run("true")[0]["started"] > 0


def test_what_waits_ends_with_a_server_that_is_killed(waiting: Waiting) -> None:
    pair = waiting.pair()

    send_signal(waiting.server, signal.SIGKILL)

    wait_for_end(pair, limit_s=20.0)


def test_a_second_server_of_the_same_name_leaves_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"automl-test-{secrets.token_hex(8)}"
    monkeypatch.setattr(sys, "argv", ["server", name])
    monkeypatch.setattr(Server, "serve", lambda _: pytest.fail("two servers of one name"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as first:
        first.bind(f"\0{name}")

        from automl.launch.fork_server import main  # noqa: PLC0415 # forks; only ever called where the name is taken

        main()


def test_a_log_that_cannot_be_opened_is_an_error_before_the_program_starts(tmp_path: Path) -> None:
    directory = os.getcwd()  # noqa: PTH109 # restored below
    try:
        with pytest.raises(OSError, match="missing"):
            redirect({"directory": str(tmp_path), "log": "missing/log"})
    finally:
        os.chdir(directory)
