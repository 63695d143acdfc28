"""Versions, credentials by name only, and servers that answer or do not."""

from __future__ import annotations

import dataclasses
import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from automl.preflight.findings import Level
from automl.preflight.software import (
    credential_findings,
    ray_address_findings,
    socket_finding,
    unreachable,
    version_finding,
)
from tests.automl.study.examples import SKILL

if TYPE_CHECKING:
    from pathlib import Path


ASKING = dataclasses.replace(SKILL, required_credentials=("HF_TOKEN",))


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_versions_are_one_row() -> None:
    assert version_finding({"python": "3.11.7", "ray": "2.60.0"}).found == "python 3.11.7, ray 2.60.0"


def test_a_credential_is_named_and_its_value_is_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HF_TOKEN", "hf_secret_value")
    (present,) = credential_findings(ASKING)
    monkeypatch.delenv("HF_TOKEN")
    (missing,) = credential_findings(ASKING)

    assert (present.level, missing.level) == (Level.OK, Level.WARN)
    assert "hf_secret_value" not in str(present)
    assert "export HF_TOKEN=" in missing.fix


def test_a_token_file_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    token = tmp_path / ".cache/huggingface/token"
    token.parent.mkdir(parents=True)
    token.write_text("hf_secret_value", encoding="utf-8")

    (finding,) = credential_findings(ASKING)

    assert finding.level is Level.OK
    assert "secret" not in finding.found


def test_an_address_without_a_head_behind_it_fails() -> None:
    (finding,) = ray_address_findings(f"127.0.0.1:{closed_port()}")

    assert finding.level is Level.FAIL
    assert "ray start --head" in finding.fix


def test_the_address_of_a_ray_client_is_refused_with_the_way_that_works() -> None:
    (finding,) = ray_address_findings("ray://head:10001")

    assert "auto" in finding.fix


def test_a_port_that_listens_is_reached() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        assert unreachable("127.0.0.1", server.getsockname()[1]) is None


@pytest.mark.parametrize(("free", "level"), [(100, Level.OK), (99, Level.WARN)])
def test_a_temporary_folder_with_little_room_is_doubted(
    monkeypatch: pytest.MonkeyPatch, free: int, level: Level
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free * 1024**2))

    row = socket_finding()

    assert row.level is level
    assert "99.0 MiB free" in row.found or level is Level.OK
