"""An engine that is asked over TCP, on a machine of its own as far as it shows: one folder is not the one here."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from automl.executor.ray.multi_node import free_port
from tests.acceptance.command_line import automl
from tests.acceptance.scripted_skill import build_scripted_skill
from tests.contracts.engines import IMAGE, PYTHON, TRAINER, docker_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is here and not where the engine is."""
    folder = tmp_path / "only-here"
    folder.mkdir()
    with docker_engine(port=free_port(), hidden=folder) as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        yield folder


def test_a_study_on_shared_storage_passes_and_one_that_is_not_ends_before_it_starts(
    tmp_path: Path, elsewhere: Path
) -> None:
    results = tmp_path / "results"
    results.mkdir()
    skill = build_scripted_skill(tmp_path / "skill", container=(IMAGE, f"{PYTHON} {TRAINER}"))
    words = ("--skill", str(skill), "--trials", "3", "--network", "none")

    looked = automl("doctor", *words, "--json", results=elsewhere)
    refused = automl("run", *words, "--yes", results=elsewhere)
    done = automl("run", *words, "--yes", "--json", results=results)

    (row,) = [row for row in looked.document["rows"] if row["level"] == "fail"]
    assert (looked.status, refused.status) == (2, 2), refused.err
    assert (row["check"], str(elsewhere) in row["found"], "tcp://127.0.0.1:" in row["found"]) == ("results", True, True)
    assert list(elsewhere.iterdir()) == []
    assert done.status == 0, done.err
    assert [trial["state"] for trial in done.document["trials"]] == ["COMPLETED"] * 3
    left = ["docker", "ps", "--all", "--quiet"]
    assert subprocess.run(left, capture_output=True, text=True, check=True).stdout == ""
