from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING

from ray.tune.search import Searcher as TuneSearcher

from automl.executor.ray.actor import LAUNCHER, MEASUREMENTS, RESULT, TASK
from automl.executor.ray.nodes import LauncherChoice
from automl.executor.ray.search import LoopSearch
from automl.study.launch_plan import LauncherKind
from automl.study.trial import FailureKind, Measurement, TrialState
from automl.testing.studies import ended
from tests.automl.executor.loop_study import Study
from tests.automl.executor.toy_study import toy_plan

if TYPE_CHECKING:
    from pathlib import Path

CHOICE = LauncherChoice(kind=LauncherKind.LOCAL, session="s", program="p", log="")


def search_over(study: Study) -> LoopSearch:
    return LoopSearch("key", study.loop, CHOICE)


def test_a_task_is_suggested_once_and_then_none_until_it_has_ended(tmp_path: Path) -> None:
    study = Study(tmp_path, toy_plan(tmp_path / "skill", trials=1))
    search = search_over(study)

    config = search.suggest("a")

    assert isinstance(config, dict)
    assert pickle.loads(config[TASK]).number == 0  # noqa: S301 # our own bytes
    assert pickle.loads(config[LAUNCHER]) == CHOICE  # noqa: S301 # our own bytes
    assert search.suggest("b") is None
    search.on_trial_complete("a", error=True)
    assert isinstance(search.suggest("c"), dict)


def test_the_study_is_finished_when_the_last_result_has_come(tmp_path: Path) -> None:
    study = Study(tmp_path, toy_plan(tmp_path / "skill", trials=1))
    search = search_over(study)
    search.suggest("a")

    last = [Measurement(epoch=0, values={"val/d1": 0.5})]
    result = ended(0, TrialState.COMPLETED, {"val/d1": 0.5})
    search.on_trial_complete("a", {MEASUREMENTS: pickle.dumps(last), RESULT: pickle.dumps(result)})

    assert study.searcher.observed == [(0, 0, 0.5)]
    assert [result.number for result in study.searcher.reported] == [0]
    assert search.suggest("b") == TuneSearcher.FINISHED


def test_a_lost_actor_is_an_infrastructure_failure_after_three_attempts(tmp_path: Path) -> None:
    study = Study(tmp_path, toy_plan(tmp_path / "skill", trials=1))
    search = search_over(study)

    for trial_id in "abc":
        search.suggest(trial_id)
        search.on_trial_complete(trial_id, error=True)

    assert study.searcher.reported[0].failure is FailureKind.INFRASTRUCTURE


def test_a_copy_speaks_to_the_same_study(tmp_path: Path) -> None:
    study = Study(tmp_path)
    search = search_over(study)

    for twin in (copy.deepcopy(search), pickle.loads(pickle.dumps(search))):  # noqa: S301 # our own bytes
        twin.suggest("x")

    assert study.next().number == 2
