"""What improvements are weighed by, and how much the duration of a trial counts."""

from __future__ import annotations

import dataclasses

import pytest

from automl.request.study_request import StudyRequest
from automl.study.cost import CostLimit, ObjectivePer, cost_limit, objective_per
from automl.study.plan import fingerprint
from tests.automl.study.examples import GPU_MACHINE, make_plan

REQUEST = StudyRequest(skill="toy", name="example")


def test_improvements_are_weighed_by_what_limits_the_study() -> None:
    timed = make_plan(REQUEST.with_settings(time_s=100.0, trials=8))
    rented = make_plan(REQUEST.with_settings(gpu_hours=2.0, gpus_per_trial=2.0), machine=GPU_MACHINE)

    assert (objective_per(timed), cost_limit(timed)) == (ObjectivePer.TIME, CostLimit(trials=8, seconds=200.0))
    assert timed.resources.jobs == 2
    assert (objective_per(rented), cost_limit(rented)) == (
        ObjectivePer.GPU_HOURS,
        CostLimit(trials=20, seconds=3600.0),
    )
    assert (objective_per(make_plan()), cost_limit(make_plan())) == (ObjectivePer.TRIAL, None)


def test_what_the_user_says_wins_and_is_part_of_the_fingerprint() -> None:
    timed = make_plan(REQUEST.with_settings(time_s=100.0))
    plain = make_plan(REQUEST.with_settings(time_s=100.0, objective_per="trial"))

    assert cost_limit(plain) is None
    assert plain.fingerprint != timed.fingerprint == make_plan(REQUEST).fingerprint
    assert fingerprint(dataclasses.replace(plain, objective_per=None)) == timed.fingerprint


def test_gpu_hours_of_trials_without_gpus_limit_nothing() -> None:
    assert objective_per(make_plan(REQUEST.with_settings(gpu_hours=2.0))) is ObjectivePer.TRIAL


def test_without_gpus_the_gpu_hours_of_a_trial_are_its_time() -> None:
    assert objective_per(make_plan(REQUEST.with_settings(objective_per="gpu_hours"))) is ObjectivePer.TIME


def test_a_sampler_that_weighs_nothing_is_said_to() -> None:
    plan = make_plan(REQUEST.with_settings(sampler="tpe", time_s=100.0, objective_per="time"))

    assert objective_per(plan) is ObjectivePer.TRIAL
    assert plan.reasons[-1] == "--objective-per: without effect, the sampler tpe weighs no improvements"


def test_duration_counts_less_towards_the_end_and_not_where_trials_are_the_limit() -> None:
    limit = CostLimit(trials=10, seconds=100.0)

    assert limit.exponent(2, 20.0, [10.0, 30.0, 50.0]) == pytest.approx(0.8)
    assert limit.exponent(6, 90.0, [10.0, 30.0, 50.0]) == pytest.approx(0.1)
    assert limit.exponent(6, 200.0, [30.0]) == 0.0
    assert limit.exponent(2, 20.0, [10.0]) == 0.0
    assert CostLimit(trials=10).exponent(4, 20.0, [10.0]) == pytest.approx(0.6)
