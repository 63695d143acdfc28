"""Which earlier studies give starting points, how many, and that a repetition begins as the original did."""

from __future__ import annotations

import dataclasses
import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from automl.earlier_studies import find_earlier_studies
from automl.errors import ConfigurationError
from automl.request.location import RunLocation
from automl.request.study_request import StudyRequest
from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace
from automl.storage.documents import write_document
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import plan_document
from automl.study.causes import Origin, OriginKind, origins_document
from automl.study.trial import EarlierPoint, TrialResult, TrialState
from automl.warm_start import chosen_points, found_points, named_points, takes_earlier_points
from tests.automl.storage.recorded import write_result
from tests.automl.study.examples import ONCE, make_plan

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MLFLOW = {"tracking_uri": "unused", "experiment": "example"}
REQUEST = StudyRequest(skill="toy", name="example").with_settings(seed=1)
PLAN = make_plan(REQUEST.with_settings(seed=2))


def write(
    root: Path,
    values: dict[float, float | None],
    request: StudyRequest = REQUEST,
    age_s: float = 0.0,
    changes: Mapping[str, object] = MappingProxyType({}),
) -> Path:
    """Write a study: learning rate -> value, trial 0 first; None for a trial that runs."""
    directory = StudyPaths(root)
    root.mkdir(parents=True, exist_ok=True)
    for number, (rate, value) in enumerate(values.items()):
        write_result(
            directory,
            TrialResult(
                number=number,
                state=TrialState.COMPLETED if value is not None else TrialState.RUNNING,
                assignment={"train.lr": rate},
                values={"val/d1": value} if value is not None else {},
                directory=f"trials/{number:04d}",
            ),
        )
    document = {**plan_document(make_plan(request)), "request": request.document(), "mlflow": MLFLOW, **changes}
    write_document(directory.plan_file, document)
    seconds = 1_000_000_000 - age_s
    os.utime(directory.plan_file, (seconds, seconds))
    return root


def found(results: Path, data: dict[str, str] | None = None) -> tuple[EarlierPoint, ...]:
    return found_points(PLAN, find_earlier_studies(PLAN, RunLocation(results=results), (), data or {}))


def rates(results: Path, data: dict[str, str] | None = None) -> list[object]:
    return [p.assignment["train.lr"] for p in chosen_points(PLAN, found(results, data))]


def test_the_best_trials_that_beat_their_template_are_taken_and_said_where_from(tmp_path: Path) -> None:
    write(tmp_path / "before", {0.01: 0.5, 0.02: 0.7, 0.03: 0.6, 0.04: 0.4, 0.05: 0.65})

    points = chosen_points(PLAN, found(tmp_path))

    assert [p.assignment["train.lr"] for p in points] == [0.02, 0.05]
    assert str(points[0].origin) == "earlier study before, trial 1 (val/d1 0.7)"


def test_the_best_of_each_study_comes_before_the_second_best_of_one(tmp_path: Path) -> None:
    write(tmp_path / "new", {0.01: 0.5, 0.02: 0.7, 0.03: 0.6})
    write(tmp_path / "old", {0.01: 0.5, 0.04: 0.9}, age_s=60)

    assert rates(tmp_path) == [0.02, 0.04]


def test_studies_on_the_same_data_come_first(tmp_path: Path) -> None:
    write(tmp_path / "new", {0.01: 0.5, 0.02: 0.7})
    same = REQUEST.with_settings(data={"train": "/data/a"})
    write(tmp_path / "old", {0.01: 0.5, 0.04: 0.9}, request=same, age_s=60)

    assert rates(tmp_path, {"train": "/data/a"}) == [0.04, 0.02]


def test_points_are_moved_into_the_space_and_the_template_is_not_repeated(tmp_path: Path) -> None:
    write(tmp_path / "before", {0.5: 0.1, 7.0: 0.9, 0.01: 0.8, 9.0: 0.7})

    assert rates(tmp_path) == [1.0]


@pytest.mark.parametrize(
    "changes",
    [
        {"objective": {"metric": "val/d1", "direction": "minimize"}},
        {"objective": {"metric": "other", "direction": "maximize"}},
        {"skill": {"name": "other", "network_arch": "toy", "fingerprints": {}}},
        {"space": {"parameters": [{"path": "train.lr"}, {"path": "train.momentum"}]}},
    ],
)
def test_other_objectives_skills_and_parameters_do_not_count(tmp_path: Path, changes: dict[str, Any]) -> None:
    write(tmp_path / "before", {0.01: 0.5, 0.02: 0.7}, changes=changes)

    assert rates(tmp_path) == []


def test_a_study_that_still_runs_does_not_count(tmp_path: Path) -> None:
    write(tmp_path / "before", {0.01: 0.5, 0.02: 0.7, 0.03: None})

    assert rates(tmp_path) == []


def test_what_is_no_study_is_passed_over(tmp_path: Path) -> None:
    for name, text in {"a": "{", "b": "[]", "c": '{"skill": 1}'}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "plan.json").write_text(text, encoding="utf-8")

    assert rates(tmp_path) == []
    assert found(tmp_path / "nowhere") == ()


def test_a_repetition_begins_with_what_the_original_began_with(tmp_path: Path) -> None:
    repeated = REQUEST.with_settings(seed=2)
    write(tmp_path / "b-original", {0.01: 0.5, 0.02: 0.7}, request=repeated)
    write(tmp_path / "a-later", {0.01: 0.5, 0.04: 0.9})
    assert rates(tmp_path) == []

    origins = origins_document([Origin(OriginKind.TEMPLATE), Origin(OriginKind.GIVEN)])
    start = {"first_trials": [{"train.lr": 0.01}, {"train.lr": 0.3}], **origins}
    write(tmp_path / "b-original", {0.01: 0.5, 0.02: 0.7}, request=repeated, changes=start)
    assert rates(tmp_path) == [0.3]


def test_a_study_that_was_given_its_first_trials_is_not_repeated(tmp_path: Path) -> None:
    write(tmp_path / "given", {0.01: 0.5, 0.02: 0.7}, request=REQUEST.with_settings(seed=2, warm_start=()))

    assert rates(tmp_path) == [0.02]


def test_there_are_never_more_points_than_trials_after_the_first(tmp_path: Path) -> None:
    write(tmp_path / "before", {0.01: 0.5, 0.02: 0.7, 0.03: 0.6})
    plan = make_plan(REQUEST.with_settings(trials=2, seed=2))

    assert len(chosen_points(plan, found(tmp_path))) == 1


def test_named_studies_need_not_be_of_the_same_skill_and_share_what_they_can(tmp_path: Path) -> None:
    write(
        tmp_path / "other",
        {0.01: 0.9, 0.02: 0.7},
        changes={"skill": {"name": "other", "network_arch": "other", "root": "/other"}},
    )
    wide = SearchSpace(
        parameters=(
            *PLAN.space.parameters,
            Parameter(path="train.momentum", type=ParameterType.FLOAT, low=0.0, high=1.0, default=0.9),
        ),
        fixed={},
    )

    points = chosen_points(PLAN, named_points(PLAN, ["other"], tmp_path))
    widened = dataclasses.replace(PLAN, space=wide)

    assert [p.assignment for p in points] == [{"train.lr": 0.02}]
    assert chosen_points(widened, named_points(widened, [str(tmp_path / "other")], tmp_path))[0].assignment == {
        "train.lr": 0.01,
        "train.momentum": 0.9,
    }


def test_every_named_study_that_cannot_be_used_is_reported_at_once(tmp_path: Path) -> None:
    write(tmp_path / "running", {0.01: None})

    with pytest.raises(ConfigurationError) as caught:
        named_points(PLAN, ["nowhere", "running"], tmp_path)

    assert [p.where for p in caught.value.problems] == ["--warm-start nowhere", "--warm-start running"]
    assert "no trial with a value" in caught.value.problems[1].found


def test_a_study_whose_log_cannot_be_opened_is_reported_with_the_others_and_passed_over_where_it_is_not_named(
    tmp_path: Path,
) -> None:
    log = StudyPaths(write(tmp_path / "closed", {0.01: 0.5, 0.02: 0.7})).events_file
    log.unlink()
    log.mkdir()

    with pytest.raises(ConfigurationError) as caught:
        named_points(PLAN, ["closed", "nowhere"], tmp_path)

    assert [p.where for p in caught.value.problems] == ["--warm-start closed", "--warm-start nowhere"]
    assert f"{log}: a file that cannot be read (it is a folder, not a file)" in caught.value.problems[0].found
    assert "no readable plan.json" in caught.value.problems[1].found
    assert rates(tmp_path) == []


def test_only_the_default_sampler_looks_by_itself() -> None:
    assert takes_earlier_points(PLAN)
    assert not takes_earlier_points(make_plan(REQUEST.with_settings(sampler="random")))
    assert not takes_earlier_points(make_plan(decision=ONCE))
