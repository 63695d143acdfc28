"""Replicates: which seed they get, whose mean is best, and by how much the search was flattered."""

from __future__ import annotations

import dataclasses

import pytest

from automl.errors import ConfigurationError
from automl.request.study_request import StudyRequest
from automl.spec.model import Spec
from automl.study.model import Direction, Objective
from automl.study.replicates import replicate_seeds, replicated, seed_key
from automl.study.trial import TrialResult, TrialState
from tests.automl.study.examples import SKILL, SPEC, make_plan

SEEDED = Spec(values={"train": {"seed": 40, "num_epochs": 5, "lr": 0.01}})
REQUEST = StudyRequest(skill="toy", name="example").with_settings(replicates=2)


def trial(number: int, value: float | None, of: int | None = None) -> TrialResult:
    state = TrialState.COMPLETED if value is not None else TrialState.FAILED
    values = {"loss": value} if value is not None else {}
    return TrialResult(number=number, state=state, assignment={}, directory="", values=values, replicate_of=of)


def test_the_gap_is_positive_where_the_search_saw_a_trial_too_good_in_either_direction() -> None:
    trials = (trial(0, 0.5), trial(1, 0.4), trial(2, 0.5, of=0), trial(3, 0.7, of=1), trial(4, 0.6, of=1))

    lower = replicated(Objective(metric="loss", direction=Direction.MINIMIZE), trials)
    higher = replicated(Objective(metric="loss", direction=Direction.MAXIMIZE), trials)

    assert [(r.trial.number, r.mean) for r in lower] == [(0, 0.5), (1, pytest.approx(0.65))]
    assert [r.gap for r in lower] == [0.0, pytest.approx(0.25)]
    assert [r.trial.number for r in higher] == [1, 0]
    assert higher[0].gap == pytest.approx(-0.25)


def test_replicates_that_failed_prove_nothing() -> None:
    assert (
        replicated(Objective(metric="loss", direction=Direction.MINIMIZE), (trial(0, 0.5), trial(1, None, of=0))) == ()
    )


def test_the_seeds_follow_the_seed_of_the_spec() -> None:
    plan = make_plan(REQUEST, spec=SEEDED)

    assert (plan.seed_key, plan.replicates, replicate_seeds(plan)) == ("train.seed", 2, (41, 42))
    three = dataclasses.replace(plan, options={"replicate_seeds": 3})
    assert replicate_seeds(three) == (41, 42, 43)


def test_a_shorthand_of_the_skill_names_the_seed_before_any_guess() -> None:
    skill = dataclasses.replace(SKILL, shorthand_keys={"seed": "train.lr"})

    assert seed_key(skill, SEEDED) == "train.lr"


@pytest.mark.parametrize(
    ("spec", "options", "where"),
    [(SPEC, {}, "--replicates"), (SEEDED, {"replicate_seeds": 0}, "options.replicate_seeds")],
)
def test_replicates_that_cannot_differ_are_refused_before_anything_runs(
    spec: Spec, options: dict[str, int], where: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_plan(REQUEST.with_settings(options=options), spec=spec)

    assert caught.value.problems[0].where == where
