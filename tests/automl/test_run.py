"""The straight line up to the plan; whole runs are in tests/acceptance."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError, LaunchError
from automl.policy import Route
from automl.run import make_plan, run_plan
from automl.study.directory import StudyDirectory, write_json
from automl.study.earlier import EarlierPoint
from automl.study.place import RunPlace
from automl.study.plan import plan_document
from automl.study.request import Prepare, StudyRequest
from automl.study.trial import TrialResult, TrialState

if TYPE_CHECKING:
    from automl.space.parameters import Scalar

REQUEST = StudyRequest(skill="toy", name="example", trials=3)
PLACE = RunPlace(results=Path("/nowhere/results"))


def test_both_policies_plan_the_same_spec() -> None:
    tuned = make_plan(dataclasses.replace(REQUEST, policy="on"), PLACE)
    once = make_plan(dataclasses.replace(REQUEST, policy="off"), PLACE)

    assert (tuned.route, once.route) == (Route.TUNE, Route.TRAIN_ONCE)
    assert tuned.spec.values == once.spec.values


def test_a_phrase_of_the_request_trains_once_and_is_quoted() -> None:
    plan = make_plan(dataclasses.replace(REQUEST, request_text="please, plain training only"), PLACE)

    assert plan.route is Route.TRAIN_ONCE
    assert "plain training" in plan.reasons[0]


def test_a_cluster_is_planned_without_a_look_at_this_machine() -> None:
    place = RunPlace(results=PLACE.results, ray_address="10.0.0.1:6379")

    plan = make_plan(dataclasses.replace(REQUEST, gpus_per_trial=8, jobs=2), place)

    assert plan.resources.gpus_per_trial == 8


def test_planning_writes_nothing(tmp_path: Path) -> None:
    make_plan(REQUEST, RunPlace(results=tmp_path / "results"))

    assert list(tmp_path.iterdir()) == []


def test_data_that_cannot_be_prepared_leave_no_study_behind(tmp_path: Path) -> None:
    request = dataclasses.replace(REQUEST, prepare=Prepare(command=("false",), directory="x"))
    place = RunPlace(results=tmp_path)

    with pytest.raises(LaunchError):
        run_plan(request, make_plan(request, place), place)

    assert not list(tmp_path.glob("*/plan.json"))


def test_a_results_folder_that_cannot_be_written_is_found_before_anything_starts(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    place = RunPlace(results=file / "results")

    with pytest.raises(ConfigurationError, match="--results"):
        run_plan(REQUEST, make_plan(REQUEST, place), place)


def write_earlier(results: Path, name: str = "earlier", seed: int = 1) -> dict[str, Scalar]:
    """Write an ended study of the toy skill and return its best assignment."""
    request = dataclasses.replace(REQUEST, seed=seed, warm_start=None)
    plan = make_plan(request, RunPlace(results=results / "none"))
    directory = StudyDirectory(results / name)
    good = plan.space.from_unit(dict.fromkeys(plan.space.paths, 0.4))
    for number, (assignment, value) in enumerate(((plan.first_trials[0], 0.1), (good, 0.9))):
        directory.write_result(
            TrialResult(
                number=number,
                state=TrialState.COMPLETED,
                assignment=assignment,
                values={plan.objective.metric: value},
                directory=f"trials/{number:04d}",
            )
        )
    record = {"tracking_uri": "sqlite:///x.db", "experiment": name, "run_id": None}
    write_json(directory.plan_file, {**plan_document(plan), "request": request.document(), "mlflow": record})
    return good


def test_the_default_sampler_begins_with_good_points_of_earlier_studies_and_says_so(tmp_path: Path) -> None:
    good = write_earlier(tmp_path)

    plan = make_plan(REQUEST, RunPlace(results=tmp_path))

    assert plan.first_trials[1:] == (good,)
    assert plan.first_origins == ("template", "earlier study earlier, trial 1 (val/r2 0.9)")
    assert "--no-warm-start" in plan.reasons[-1]


@pytest.mark.parametrize("change", [{"warm_start": ()}, {"sampler": "random"}, {"policy": "off"}, {"seed": 1}])
def test_nothing_is_taken_over_when_switched_off_or_when_the_study_is_a_repetition(
    tmp_path: Path, change: dict[str, object]
) -> None:
    write_earlier(tmp_path)

    plan = make_plan(dataclasses.replace(REQUEST, **change), RunPlace(results=tmp_path))  # type: ignore[arg-type] # field names and values of the table above

    assert len(plan.first_trials) == 1


def test_any_sampler_begins_with_the_studies_that_the_user_names(tmp_path: Path) -> None:
    good = write_earlier(tmp_path)
    request = dataclasses.replace(REQUEST, sampler="random", warm_start=("earlier",))

    assert make_plan(request, RunPlace(results=tmp_path)).first_trials[1:] == (good,)
    with pytest.raises(ConfigurationError, match="--warm-start nowhere"):
        make_plan(dataclasses.replace(request, warm_start=("nowhere",)), RunPlace(results=tmp_path))


def test_a_tracking_server_that_is_down_is_told_in_the_plan_and_stops_nothing(tmp_path: Path) -> None:
    plan = make_plan(REQUEST, RunPlace(results=tmp_path, tracking_uri="http://127.0.0.1:9"))

    assert len(plan.first_trials) == 1
    assert plan.reasons[-1] == "http://127.0.0.1:9 was not asked for earlier studies: ConnectionError"


def test_a_tracking_server_is_asked_only_where_the_results_folder_has_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = EarlierPoint(assignment={"train.optim.lr": 0.02}, origin="from there")
    monkeypatch.setattr("automl.run.recorded_points", lambda *_: (point,))
    place = RunPlace(results=tmp_path, tracking_uri="http://127.0.0.1:9")

    assert make_plan(REQUEST, place).first_origins == ("template", "from there")
    write_earlier(tmp_path)
    assert make_plan(REQUEST, place).first_origins[1].startswith("earlier study earlier")
