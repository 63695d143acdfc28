"""One step of trial 0 before the study: what is shortened, what a failure means. Whole runs are in tests/acceptance."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from automl.request.location import RunLocation
from automl.request.policy import Route
from automl.request.study_request import StudyRequest
from automl.run import make_plan
from automl.smoke import has_dry_run, smoke_plan
from automl.spec.model import Spec
from tests.automl.study.examples import make_plan as example_plan

PLACE = RunLocation(results=Path("/nowhere"))


def test_the_shortest_training_has_one_epoch_one_trial_and_the_values_of_trial_0() -> None:
    plan = make_plan(StudyRequest(skill="toy", name="example").with_settings(trials=9, jobs=2), PLACE)

    short = smoke_plan(plan)

    assert (short.spec.get("train.num_epochs"), short.max_epochs) == (1, 1)
    assert (short.budget.trials, short.resources.jobs, short.route) == (1, 1, Route.TRAIN_ONCE)
    assert short.spec.get("train.optim.lr") == plan.first_trials[0]["train.optim.lr"]
    assert short.space.parameters == ()
    assert plan.spec.get("train.num_epochs") == 12


def test_replicates_are_not_rehearsed() -> None:
    assert smoke_plan(dataclasses.replace(example_plan(), replicates=2)).replicates == 0


def test_a_skill_with_a_dry_run_trains_one_step() -> None:
    spec = Spec(values={"train": {"num_gpus": 1, "num_epochs": 5, "lr": 0.01, "is_dry_run": False}})
    plan = example_plan(spec=spec)

    assert has_dry_run(plan)
    assert smoke_plan(plan).spec.get("train.is_dry_run") is True
    assert not smoke_plan(example_plan()).spec.has("train.is_dry_run")


def test_intervals_longer_than_the_one_epoch_are_shortened() -> None:
    spec = Spec(values={"train": {"num_gpus": 1, "num_epochs": 50, "lr": 0.01, "checkpoint_interval": 10}})

    assert smoke_plan(example_plan(spec=spec)).spec.get("train.checkpoint_interval") == 1


def test_options_of_rules_that_do_not_run_are_left_out() -> None:
    plan = dataclasses.replace(example_plan(), options={"grace_epochs": 3, "silence_limit_s": 60})

    assert smoke_plan(plan).options == {"silence_limit_s": 60}
