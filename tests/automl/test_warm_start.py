"""Points of earlier studies in a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.request.location import RunLocation
from automl.request.study_request import StudyRequest
from automl.run import make_plan
from automl.storage.documents import write_document
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import StoredPlan, write_plan
from automl.study.evaluation import RecordLocation
from automl.study.trial import TrialResult, TrialState
from tests.automl.storage.recorded import write_result

if TYPE_CHECKING:
    from pathlib import Path

    from automl.space.values import Scalar

REQUEST = StudyRequest(skill="toy", name="example").with_settings(trials=3)


def write_earlier(results: Path, name: str = "earlier", seed: int = 1) -> dict[str, Scalar]:
    """Write an ended study of the toy skill and return its best assignment."""
    request = REQUEST.with_settings(seed=seed, warm_start=None)
    plan = make_plan(request, RunLocation(results=results / "none"))
    directory = StudyPaths(results / name)
    directory.root.mkdir(parents=True)
    write_plan(directory, plan, request, RecordLocation(tracking_uri="sqlite:///x.db", experiment=name), results)
    good = plan.space.from_unit(dict.fromkeys(plan.space.paths, 0.4))
    for number, (assignment, value) in enumerate(((plan.first_trials[0], 0.1), (good, 0.9))):
        write_result(
            directory,
            TrialResult(
                number=number,
                state=TrialState.COMPLETED,
                assignment=assignment,
                values={plan.objective.metric: value},
                directory=f"trials/{number:04d}",
            ),
        )
    return good


def test_the_default_sampler_begins_with_good_points_of_earlier_studies_and_says_so(tmp_path: Path) -> None:
    good = write_earlier(tmp_path)

    plan = make_plan(REQUEST, RunLocation(results=tmp_path))

    assert plan.first_trials[1:] == (good,)
    assert tuple(map(str, plan.first_origins)) == ("template", "earlier study earlier, trial 1 (val/r2 0.9)")
    assert "--no-warm-start" in plan.reasons[-1]


def test_the_plans_of_the_results_folder_are_read_once_also_where_a_server_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    read: list[Path] = []

    def note(directory: StudyPaths) -> StoredPlan:
        read.append(directory.root)
        raise ConfigurationError("no plan")

    monkeypatch.setattr("automl.earlier_studies.read_plan", note)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_document(StudyPaths(tmp_path / name).plan_file, {})

    make_plan(REQUEST, RunLocation(results=tmp_path, tracking_uri="http://127.0.0.1:9"))

    assert sorted(read) == [tmp_path / "one", tmp_path / "two"]


@pytest.mark.parametrize("change", [{"warm_start": ()}, {"sampler": "random"}, {"policy": "off"}, {"seed": 1}])
def test_nothing_is_taken_over_when_switched_off_or_when_the_study_is_a_repetition(
    tmp_path: Path, change: dict[str, object]
) -> None:
    write_earlier(tmp_path)

    plan = make_plan(REQUEST.with_settings(**change), RunLocation(results=tmp_path))

    assert len(plan.first_trials) == 1
    assert any("that it repeats" in reason for reason in plan.reasons) == (change == {"seed": 1})


def test_any_sampler_begins_with_the_studies_that_the_user_names(tmp_path: Path) -> None:
    good = write_earlier(tmp_path)
    request = REQUEST.with_settings(sampler="random", warm_start=("earlier",))

    assert make_plan(request, RunLocation(results=tmp_path)).first_trials[1:] == (good,)
    with pytest.raises(ConfigurationError, match="--warm-start nowhere"):
        make_plan(request.with_settings(warm_start=("nowhere",)), RunLocation(results=tmp_path))


def test_a_tracking_server_that_is_down_is_reported_in_the_plan_and_stops_nothing(tmp_path: Path) -> None:
    plan = make_plan(REQUEST, RunLocation(results=tmp_path, tracking_uri="http://127.0.0.1:9"))

    assert len(plan.first_trials) == 1
    assert plan.reasons[-1] == "http://127.0.0.1:9 was not asked for earlier studies: ConnectionError"
