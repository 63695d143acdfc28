"""The straight line up to the plan; whole runs are in tests/acceptance."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
import ray

from automl.errors import ConfigurationError, LaunchError
from automl.preflight import doctor
from automl.preflight.findings import bad
from automl.request.location import RunLocation
from automl.request.policy import Route
from automl.request.study_request import Prepare, StudyRequest
from automl.run import make_plan, run_in, run_plan
from automl.storage.paths import StudyPaths

REQUEST = StudyRequest(skill="toy", name="example").with_settings(trials=3)
PLACE = RunLocation(results=Path("/nowhere/results"))


def test_both_policies_plan_the_same_spec() -> None:
    tuned = make_plan(REQUEST.with_settings(policy="on"), PLACE)
    once = make_plan(REQUEST.with_settings(policy="off"), PLACE)

    assert (tuned.route, once.route) == (Route.TUNE, Route.TRAIN_ONCE)
    assert tuned.spec.values == once.spec.values


def test_a_phrase_of_the_request_trains_once_and_is_quoted() -> None:
    plan = make_plan(REQUEST.with_settings(request_text="please, plain training only"), PLACE)

    assert plan.route is Route.TRAIN_ONCE
    assert "plain training" in plan.reasons[0]


def test_a_cluster_is_planned_without_a_look_at_this_machine() -> None:
    place = RunLocation(results=PLACE.results, ray_address="10.0.0.1:6379")

    plan = make_plan(REQUEST.with_settings(gpus_per_trial=8, jobs=2), place)

    assert plan.resources.gpus_per_trial == 8


def test_a_limit_of_threads_holds_on_a_cluster_whose_resources_are_all_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    place = RunLocation(results=PLACE.results, ray_address="10.0.0.1:6379")
    request = REQUEST.with_settings(gpus_per_trial=1, jobs=2, cpus_per_trial=8)

    monkeypatch.setenv("OMP_NUM_THREADS", "3")

    assert make_plan(request, place).resources.threads_per_trial == 3


def test_gpus_that_are_not_there_are_reported_with_the_words_that_asked_for_them() -> None:
    request = REQUEST.with_settings(request_text="640 GPUs for 3 hours")

    with pytest.raises(ConfigurationError, match="640 GPUs in all") as caught:
        make_plan(request, PLACE)

    assert caught.value.problems[0].where == "--gpus-per-trial"


def test_planning_writes_nothing(tmp_path: Path) -> None:
    make_plan(REQUEST, RunLocation(results=tmp_path / "results"))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_what_a_run_writes_is_its_users_alone_whatever_the_umask_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int
) -> None:
    def write(directory: StudyPaths, *_: object, **__: object) -> None:
        directory.journal_file.touch()
        directory.trials.mkdir()

    monkeypatch.setattr("automl.run._run_locked", write)
    before = os.umask(umask)
    try:
        root = run_in(StudyPaths(tmp_path), REQUEST, make_plan(REQUEST, PLACE), PLACE)
        assert os.umask(umask) == umask
    finally:
        os.umask(before)

    assert {file.name: file.stat().st_mode & 0o077 for file in root.iterdir()} == {
        "journal.log": 0,
        "journal.log.owner": 0,
        "trials": 0,
    }


def test_data_that_cannot_be_prepared_leave_no_study_behind(tmp_path: Path) -> None:
    request = REQUEST.with_settings(prepare=Prepare(command=("false",), directory="x"))
    place = RunLocation(results=tmp_path)

    with pytest.raises(LaunchError):
        run_plan(request, make_plan(request, place), place)

    assert not list(tmp_path.glob("*/plan.json"))


def test_the_trainers_own_look_at_the_data_can_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = bad("depth data", "millimetres", fix="convert them")
    monkeypatch.setattr(doctor, "check_depth_data", lambda *_, **__: [row])
    # The next thing that can go wrong, so that nothing has to be trained here.
    monkeypatch.setattr("automl.run.smoke_test", lambda *_: (_ for _ in ()).throw(LaunchError("came so far")))
    place = RunLocation(results=tmp_path)
    plan = make_plan(REQUEST, place)

    with pytest.raises(ConfigurationError, match="millimetres"):
        run_plan(REQUEST, plan, place, is_smoked=True)
    with pytest.raises(LaunchError, match="came so far"):
        run_plan(REQUEST, plan, place, is_smoked=True, is_checked=False)
    assert list(tmp_path.iterdir()) == []


def test_a_results_folder_that_cannot_be_written_is_found_before_anything_starts(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    place = RunLocation(results=file / "results")

    with pytest.raises(ConfigurationError, match="--results"):
        run_plan(REQUEST, make_plan(REQUEST, place), place)


def test_what_shares_this_process_with_a_study_is_refused_before_anything_is_done(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = RunLocation(results=tmp_path)
    plan, said = make_plan(REQUEST, place), []

    def run() -> None:
        with pytest.raises(LaunchError) as caught:
            run_plan(REQUEST, plan, place)
        said.append(str(caught.value))

    def elsewhere(*_: object, **__: object) -> None:
        other = threading.Thread(target=run)
        other.start()
        other.join()
        raise ConfigurationError("enough")

    monkeypatch.setattr("automl.run.before_run", elsewhere)
    with pytest.raises(ConfigurationError, match="enough"):
        run_plan(REQUEST, plan, place)
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    run()

    assert "another study runs in this process" in said[0]
    assert "connected to Ray already" in said[1]
    assert not list(tmp_path.iterdir())
