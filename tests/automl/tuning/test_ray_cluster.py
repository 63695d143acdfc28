"""Asking a cluster of two nodes, started on this machine as `ray start` starts one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from automl.errors import LaunchError
from automl.tuning.ray_cluster import ask_nodes, nodes_of, wait_for_nodes
from tests.automl.tuning.local_cluster import local_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with local_cluster(tmp_path_factory.mktemp("cluster"), cpus=(1, 2)) as started:
        yield started


def test_every_kind_of_node_answers_for_itself(address: str) -> None:
    wait_for_nodes(address, 2, limit_s=60)

    answers = ask_nodes(address, os.getenv, "RAY_AUTH_MODE")

    assert list(answers.values()) == ["token", "token"]
    assert len(answers) == 2


def test_a_question_that_fails_there_gives_its_reason(address: str) -> None:
    answers = ask_nodes(address, os.listdir, "/no/such/folder")

    assert all("No such file" in str(answer) for answer in answers.values())


def test_what_the_nodes_offer_is_told(address: str) -> None:
    assert sorted(node["CPU"] for node in nodes_of(address)) == [1.0, 2.0]


def test_waiting_for_more_nodes_than_come_ends(address: str) -> None:
    with pytest.raises(LaunchError, match="2 of 3 nodes"):
        wait_for_nodes(address, 3, limit_s=0.1)


def test_an_address_where_nothing_listens_is_a_launch_error() -> None:
    with pytest.raises(LaunchError):
        nodes_of("127.0.0.1:1")
