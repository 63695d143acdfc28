"""Asking a cluster of two nodes, started on this machine as `ray start` starts one."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from automl.errors import LaunchError
from automl.executor.ray.cluster import NoAnswer, ask_nodes, nodes_of, wait_for_nodes
from tests.automl.executor.ray.local_cluster import local_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with local_cluster(tmp_path_factory.mktemp("cluster"), cpus=(1, 2)) as started:
        yield started


def test_every_kind_of_node_answers_for_itself(address: str) -> None:
    wait_for_nodes(address, 2, limit_s=60)

    answers = ask_nodes(address, os.getenv, "RAY_AUTH_MODE", limit_s=60)

    assert list(answers.values()) == ["token", "token"]
    assert len(answers) == 2


def test_a_question_that_fails_there_gives_its_reason(address: str) -> None:
    answers = ask_nodes(address, os.listdir, "/no/such/folder", limit_s=60)

    assert all("No such file" in str(answer) for answer in answers.values())
    assert all(isinstance(answer, NoAnswer) and not answer.is_late for answer in answers.values())


def test_what_the_nodes_offer_is_returned(address: str) -> None:
    assert sorted(node["CPU"] for node in nodes_of(address)) == [1.0, 2.0]


@pytest.mark.parametrize(("setting", "said"), [("RAY_AUTH_TOKEN_PATH", "not the cluster's"), (None, "was given none")])
def test_a_token_that_is_wrong_is_an_error_in_seconds_not_when_ray_gives_up(
    address: str, tmp_path: Path, setting: str | None, said: str
) -> None:
    # Ray reads its token once in a process, so another process has to ask.
    (tmp_path / "token").write_text("0" * 64, encoding="ascii")
    names = {name: text for name, text in os.environ.items() if not name.startswith("RAY_AUTH")}
    given = {"RAY_AUTH_MODE": "token", setting: str(tmp_path / "token")} if setting else {}
    code = f"from automl.executor.ray.cluster import ask_nodes; ask_nodes({address!r}, len, '')"

    asked = subprocess.run(
        [sys.executable, "-c", code], env={**names, **given}, capture_output=True, text=True, timeout=60, check=False
    )

    assert asked.returncode == 1
    assert said in asked.stderr


def test_waiting_for_more_nodes_than_come_ends(address: str) -> None:
    with pytest.raises(LaunchError, match="2 of 3 nodes"):
        wait_for_nodes(address, 3, limit_s=0.1)


def test_an_address_where_nothing_listens_is_a_launch_error() -> None:
    with pytest.raises(LaunchError):
        nodes_of("127.0.0.1:1")
