from __future__ import annotations

import json
import os
import secrets
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from automl.launch.fork_server import ForkServer
from automl.launch.server import Server, execute, peer_user
from tests.contracts.launcher import unique_tag, wait_until_gone

if TYPE_CHECKING:
    from pathlib import Path


def test_the_user_at_the_other_end_of_a_socket_is_known() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer_user(ours) == os.getuid()


def test_a_connection_that_asks_for_nothing_is_closed_and_the_server_goes_on(tmp_path: Path) -> None:
    session = secrets.token_hex(8)
    tag = unique_tag()
    client = ForkServer(
        session, command=(sys.executable, "-m", "automl.launch.server"), environment={"AUTOML_TRIAL": tag}
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
    wait_until_gone(tag, limit_s=5.0)


def test_a_second_server_of_the_same_name_leaves_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"automl-test-{secrets.token_hex(8)}"
    monkeypatch.setattr(sys, "argv", ["server", name])
    monkeypatch.setattr(Server, "serve", lambda _: pytest.fail("two servers of one name"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as first:
        first.bind(f"\0{name}")

        from automl.launch.server import main  # noqa: PLC0415 # forks; only ever called where the name is taken

        main()


def test_a_log_that_cannot_be_opened_is_an_error_before_the_program_starts(tmp_path: Path) -> None:
    directory = os.getcwd()  # noqa: PTH109 # restored below
    try:
        with pytest.raises(OSError, match="missing"):
            execute({"command": ["true"], "directory": str(tmp_path), "environment": {}, "log": "missing/log"})
    finally:
        os.chdir(directory)
