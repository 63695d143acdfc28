"""`automl run --smoke`: a run that cannot work ends before its study is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.command_line import automl, studies
from tests.acceptance.scripted_skill import build_scripted_skill

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.acceptance


@pytest.mark.slow
def test_a_trainer_that_dies_ends_the_run_with_its_cause_and_no_study(tmp_path: Path) -> None:
    skill = build_scripted_skill(tmp_path / "skill", faults=[{"kind": "exit", "status": 3}])

    done = automl("run", "--skill", str(skill), "--trials", "5", "--smoke", results=tmp_path)

    assert done.status == 5, done.err
    assert "no study was started" in done.err
    assert "train.log" in done.err
    assert studies(tmp_path) == []


@pytest.mark.slow
def test_a_step_that_works_leaves_no_trace_and_the_study_follows(tmp_path: Path) -> None:
    skill = build_scripted_skill(tmp_path / "skill")

    done = automl("run", "--skill", str(skill), "--trials", "1", "--smoke", "--json", results=tmp_path)

    assert done.status == 0, done.err
    assert len(studies(tmp_path)) == 1
    assert [entry.name for entry in tmp_path.iterdir() if "smoke" in entry.name] == []
    assert len(done.document["trials"]) == 1
