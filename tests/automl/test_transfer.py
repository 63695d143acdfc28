"""What a plan keeps of earlier studies, and that it is what a resume proposes from."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from automl.request.location import RunLocation
from automl.request.study_request import StudyRequest
from automl.run import make_plan
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import read_plan, write_plan
from automl.study.evaluation import RecordLocation
from automl.study.trial import TrialResult, TrialState
from tests.automl.storage.recorded import write_result

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = StudyRequest(skill="toy", name="example").with_settings(trials=3)
RECORD = RecordLocation(tracking_uri="sqlite:///x.db", experiment="example")


def write_study(results: Path, name: str, *, seed: int, trials: int = 8, **settings: object) -> None:
    """Write an ended study of the toy skill whose values fall with the distance from the middle of the space."""
    request = REQUEST.with_settings(seed=seed, warm_start=(), **settings)
    plan = make_plan(request.with_settings(name=name), RunLocation(results=results / "none"))
    directory = StudyPaths(results / name)
    for number in range(trials):
        position = (number + 0.5 + seed / 10) / (trials + 1)
        value = 1.0 - (position - 0.5) ** 2
        state = TrialState.DIVERGED if number == trials - 1 else TrialState.COMPLETED
        write_result(
            directory,
            TrialResult(
                number=number,
                state=state,
                assignment=plan.space.from_unit(dict.fromkeys(plan.space.paths, position)),
                values={} if state is TrialState.DIVERGED else {plan.objective.metric: value},
                directory=f"trials/{number:04d}",
            ),
        )
    write_plan(directory, plan, request, RECORD, results)


def test_a_plan_keeps_what_two_or_more_earlier_studies_measured_and_names_them(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        write_study(tmp_path, f"room{seed}", seed=seed)

    plan = make_plan(REQUEST, RunLocation(results=tmp_path))

    assert {study.name for study in plan.earlier} == {"room1", "room2", "room3"}
    assert [len(study.trials) for study in plan.earlier] == [8] * 3
    assert plan.earlier[0].trials[-1].value is None
    assert len(plan.first_trials) == 1
    sentence = plan.reasons[-1]
    assert sentence.startswith("it learns from earlier studies: ")
    assert all(f"room{seed}" in sentence for seed in (1, 2, 3))
    assert "8 trials, agreement 0." in sentence
    assert "--no-warm-start" in sentence


def test_one_study_gives_starting_points_as_do_studies_of_few_trials(tmp_path: Path) -> None:
    write_study(tmp_path, "one", seed=1)
    write_study(tmp_path, "short", seed=2, trials=4)

    plan = make_plan(REQUEST, RunLocation(results=tmp_path))

    assert plan.earlier == ()
    assert plan.first_origins[1].study is not None


@pytest.mark.parametrize("change", [{"warm_start": ()}, {"sampler": "tpe"}, {"policy": "off"}])
def test_nothing_is_kept_where_it_is_switched_off_or_not_used(tmp_path: Path, change: dict[str, object]) -> None:
    for seed in (1, 2):
        write_study(tmp_path, f"room{seed}", seed=seed)

    assert make_plan(REQUEST.with_settings(**change), RunLocation(results=tmp_path)).earlier == ()


def test_a_parameter_that_was_not_searched_counts_with_its_value_and_a_trial_out_of_range_does_not(
    tmp_path: Path,
) -> None:
    fixed, *_ = make_plan(REQUEST, RunLocation(results=tmp_path / "none")).space.paths
    value = make_plan(REQUEST, RunLocation(results=tmp_path / "none")).first_trials[0][fixed]
    for seed in (1, 2):
        write_study(tmp_path, f"room{seed}", seed=seed, overrides={fixed: value})

    kept = make_plan(REQUEST, RunLocation(results=tmp_path)).earlier
    assert {trial.assignment[fixed] for study in kept for trial in study.trials} == {value}


def test_a_stored_plan_holds_the_observations_when_their_studies_are_gone(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_study(tmp_path, f"room{seed}", seed=seed)
    plan = make_plan(REQUEST, RunLocation(results=tmp_path))
    directory = StudyPaths(tmp_path / "new")
    directory.root.mkdir()
    write_plan(directory, plan, REQUEST, RECORD, tmp_path)
    for seed in (1, 2):
        shutil.rmtree(tmp_path / f"room{seed}")

    assert read_plan(directory).earlier == plan.earlier
    # A repetition of the study learns from the same.
    assert make_plan(REQUEST, RunLocation(results=tmp_path)).earlier == plan.earlier
