from __future__ import annotations

import secrets
import sys
import time
from typing import TYPE_CHECKING

import pytest

from automl.errors import LaunchError
from automl.launch.fork_server import ForkServer
from automl.launch.leftovers import find_leftovers
from automl.launch.server import peer_user
from tests.contracts.launcher import unique_tag, wait_until_gone

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = (sys.executable, "-m", "automl.launch.server")


def server(tag: str, session: str | None = None) -> ForkServer:
    return ForkServer(session or secrets.token_hex(8), command=COMMAND, environment={"AUTOML_TRIAL": tag})


def servers(tag: str) -> int:
    """Count servers: below each, a guard and its child wait for a job."""
    found = find_leftovers(tag)
    return sum(process.parent not in {other.pid for other in found} for process in found)


def test_a_server_ends_when_nobody_holds_it() -> None:
    tag = unique_tag()
    client = server(tag)
    client.start()
    assert servers(tag) == 1

    client.close()

    wait_until_gone(tag, limit_s=5.0)


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
    wait_until_gone(tag, limit_s=5.0)


def test_a_connection_leads_to_a_process_of_the_same_user() -> None:
    client = server(unique_tag())

    with client.connect() as connection:
        assert peer_user(connection) == peer_user(connection)

    client.close()


def test_a_server_that_cannot_be_started_is_an_error_with_its_log(tmp_path: Path) -> None:
    client = ForkServer("x", command=("false",), environment={}, log=tmp_path / "log")

    with pytest.raises(LaunchError, match="could not be started"):
        client.start()
