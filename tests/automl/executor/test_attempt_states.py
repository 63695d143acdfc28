"""What is shown of an attempt while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.executor.attempt_states import as_running
from automl.storage.paths import StudyPaths
from automl.study.causes import Origin, OriginKind
from automl.study.trial import Proposal, TrialState
from automl.trial.attempts import Start
from automl.trial.tasks import build_task
from tests.automl.executor.toy_study import toy_plan

if TYPE_CHECKING:
    from pathlib import Path


def test_a_running_replicate_is_shown_with_its_place_and_its_seed(tmp_path: Path) -> None:
    plan = toy_plan(tmp_path / "skill", trials=9)
    proposal = Proposal(number=7, assignment={"mode": "nan"}, origin=Origin(OriginKind.GIVEN), replicate_of=2, seed=5)

    shown = as_running(build_task(plan, StudyPaths(tmp_path), proposal, Start(attempt=2)))

    assert (shown.number, shown.state, shown.directory) == (7, TrialState.RUNNING, "trials/0007.2")
    assert (shown.replicate_of, shown.seed) == (2, 5)
