"""Replicates: which seed they get, whose mean is best, and by how much the search was flattered."""

from __future__ import annotations

import dataclasses

import pytest

from automl.errors import ConfigurationError
from automl.request.study_request import StudyRequest
from automl.spec.model import Spec
from automl.study.objectives import Direction, Objective
from automl.study.replicates import counts_of, replicated
from automl.study.replication import replicate_seeds, seed_key, what_follows
from automl.study.trial import TrialResult, TrialState
from tests.automl.study.examples import SKILL, SPEC, make_plan

SEEDED = Spec(values={"train": {"seed": 40, "num_epochs": 5, "lr": 0.01}})
REQUEST = StudyRequest(skill="toy", name="example").with_settings(replicates=2)


def trial(number: int, value: float | None, of: int | None = None) -> TrialResult:
    state = TrialState.COMPLETED if value is not None else TrialState.FAILED
    values = {"loss": value} if value is not None else {}
    return TrialResult(number=number, state=state, assignment={}, directory="", values=values, replicate_of=of)


def test_the_gap_is_positive_where_the_search_saw_a_trial_too_good_in_either_direction() -> None:
    trials = (
        *(trial(0, 0.5), trial(1, 0.4), trial(2, 0.5, of=0), trial(5, 0.5, of=0)),
        *(trial(3, 0.7, of=1), trial(4, 0.6, of=1)),
    )

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


def test_a_race_is_the_default_of_a_search_in_which_one_trial_costs_under_a_twentieth() -> None:
    many = REQUEST.with_settings(replicates=None, trials=21)

    plan = make_plan(many, spec=SEEDED)

    assert (plan.race, plan.replicates, plan.budget.trials) == (True, 3, 16)
    assert plan.seed_key == "train.seed"
    assert "of the 21 trials 5 are kept for a race" in plan.reasons[-1]
    for other in ({"trials": 20}, {"replicates": 0}, {"sampler": "grid"}, {"scheduler": "pbt"}):
        assert not make_plan(many.with_settings(**other), spec=SEEDED).race
    assert not make_plan(many, spec=SPEC).race
    assert make_plan(many.with_settings(replicates=2), spec=SEEDED).budget.trials == 21


def test_a_race_that_is_asked_for_needs_as_many_trials_before_it() -> None:
    plan = make_plan(REQUEST.with_settings(replicates="auto", trials=10), spec=SEEDED)

    assert (plan.race, plan.budget.trials) == (True, 5)
    with pytest.raises(ConfigurationError, match="at least 10: 5 of them are kept for the race"):
        make_plan(REQUEST.with_settings(replicates="auto", trials=9), spec=SEEDED)


def test_the_spread_of_replicates_is_known_from_two_on() -> None:
    trials = (trial(0, 0.5), trial(1, 0.4), trial(2, 0.5, of=0), trial(3, 0.7, of=1), trial(4, 0.5, of=1))

    first, second = replicated(Objective(metric="loss", direction=Direction.MINIMIZE), trials)

    assert (first.trial.number, first.runs) == (1, 2)
    assert first.spread == pytest.approx(0.1414, abs=1e-4)
    assert (second.trial.number, second.runs, second.spread) == (0, 1, None)


@pytest.mark.parametrize(
    ("spec", "options", "where"),
    [
        (SPEC, {}, "--replicates"),
        (SEEDED, {"replicate_seeds": 0}, "options.replicate_seeds"),
        (SEEDED, {"replicate_seeds": 10**400}, "options.replicate_seeds"),
    ],
)
def test_replicates_that_cannot_differ_are_refused_before_anything_runs(
    spec: Spec, options: dict[str, int], where: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_plan(REQUEST.with_settings(options=options), spec=spec)

    assert caught.value.problems[0].where == where


def test_replicates_are_counted_beside_the_trials_of_the_search() -> None:
    trials = (trial(0, 0.5), trial(1, 0.4), trial(2, 0.5, of=0))

    assert counts_of(trials[:2], 2) == "2 of 2"
    assert counts_of(trials, 2) == "2 of 2 and 1 replicate"


def test_what_follows_the_search_is_said_behind_its_trials() -> None:
    plan = make_plan(REQUEST, spec=SEEDED)

    assert what_follows(make_plan()) == ""
    assert what_follows(plan) == ", then the best 2 again with other seeds"
    assert what_follows(dataclasses.replace(plan, race=True, replicates=3)) == ", then a race of the best 3"
