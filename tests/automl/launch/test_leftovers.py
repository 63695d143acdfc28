from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from automl.launch.leftovers import TAG_VARIABLE, end_leftovers, find_leftovers
from tests.contracts.launcher import unique_tag

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sleeper() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    study = unique_tag().split("/")[0]
    environment = {**os.environ, TAG_VARIABLE: f"{study}/0003/2"}
    with subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(300)"], env=environment) as process:
        yield study, process
        process.kill()


def test_a_process_is_found_by_its_study_its_trial_and_its_attempt(
    sleeper: tuple[str, subprocess.Popen[bytes]],
) -> None:
    study, process = sleeper

    for tag in (study, f"{study}/0003", f"{study}/0003/2"):
        assert [found.pid for found in find_leftovers(tag)] == [process.pid]


def test_another_study_whose_name_begins_alike_is_not_found(sleeper: tuple[str, subprocess.Popen[bytes]]) -> None:
    study, _ = sleeper

    assert not find_leftovers(study[:-1])
    assert not find_leftovers(f"{study}/0003/1")


def test_leftovers_are_ended_and_counted(sleeper: tuple[str, subprocess.Popen[bytes]]) -> None:
    study, process = sleeper

    assert end_leftovers(study) == 1

    assert process.wait(5) == -9
    assert end_leftovers(study) == 0
