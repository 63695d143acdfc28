"""From a request to a plan: defaults, resources, and a fingerprint that changes when the computation does."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from automl.errors import ConfigurationError
from automl.machine import Machine
from automl.request.study_request import StudyRequest
from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace
from automl.storage.plan_document import plan_document
from automl.study.plan import DEFAULT_TRIALS
from tests.automl.study.examples import CPU_MACHINE, GPU_MACHINE, ONCE, SPEC, make_plan

REQUEST = StudyRequest(skill="toy", name="example")


def test_trial_0_is_the_spec_as_it_is() -> None:
    assert make_plan().first_trials == ({"train.lr": 0.01},)


def test_training_once_is_one_trial_without_a_space_and_without_a_stopping_rule() -> None:
    plan = make_plan(REQUEST.with_settings(trials=9, scheduler="asha"), decision=ONCE)

    assert plan.budget.trials == 1
    assert plan.space.parameters == ()
    assert plan.scheduler == "none"
    assert plan.first_trials == ({},)
    assert "training once" in plan.space.left_out[0].reason


def test_both_routes_run_the_same_spec() -> None:
    assert make_plan().spec == make_plan(decision=ONCE).spec


def test_a_space_of_three_assignments_is_never_tried_more_than_three_times() -> None:
    choice = Parameter(path="train.lr", type=ParameterType.CATEGORICAL, choices=(1, 2, 3), default=1)

    plan = make_plan(space=SearchSpace(parameters=(choice,), fixed={}))

    assert plan.budget.trials == 3
    assert plan.reasons[-1] == f"the space has 3 points: no need for {DEFAULT_TRIALS} trials"


def test_without_gpus_every_core_runs_a_trial_with_one_thread() -> None:
    resources = make_plan().resources

    assert (resources.jobs, resources.gpus_per_trial, resources.threads_per_trial) == (2, 0.0, 1)


def test_with_gpus_each_runs_a_trial_and_the_cores_are_shared() -> None:
    resources = make_plan(machine=GPU_MACHINE).resources

    assert (resources.jobs, resources.gpus_per_trial, resources.cpus_per_trial) == (4, 1.0, 8.0)


def test_several_trials_can_share_a_gpu() -> None:
    resources = make_plan(REQUEST.with_settings(gpus_per_trial=0.5), machine=GPU_MACHINE).resources

    assert resources.jobs == 8


def test_more_jobs_than_cores_share_the_cores() -> None:
    resources = make_plan(REQUEST.with_settings(jobs=8), machine=CPU_MACHINE).resources

    assert resources.jobs == 8
    assert resources.jobs * resources.cpus_per_trial <= CPU_MACHINE.cpus


def test_there_are_never_more_jobs_than_trials() -> None:
    assert make_plan(REQUEST.with_settings(trials=1)).resources.jobs == 1


def test_a_gpu_that_is_not_there_is_an_error_that_names_what_is() -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_plan(REQUEST.with_settings(gpus_per_trial=1))

    (problem,) = caught.value.problems
    assert problem.where == "--gpus-per-trial"
    assert "at most 0" in problem.expected


def test_the_epochs_of_a_full_trial_come_from_the_spec() -> None:
    assert make_plan().max_epochs == 5
    assert make_plan(spec=dataclasses.replace(SPEC, values={"train": {}})).max_epochs is None


@pytest.mark.parametrize(
    "change", [{"sampler": "random"}, {"seed": 7}, {"scheduler": "asha"}, {"options": {"grace_epochs": 2}}]
)
def test_the_fingerprint_changes_with_what_is_computed(change: dict[str, object]) -> None:
    changed = REQUEST.with_settings(**change)

    assert make_plan(changed).fingerprint != make_plan(REQUEST).fingerprint


@pytest.mark.parametrize("change", [{"trials": 99}, {"time_s": 5.0}, {"jobs": 1}, {"name": "other"}])
def test_the_fingerprint_allows_another_budget_in_a_resume(change: dict[str, object]) -> None:
    changed = REQUEST.with_settings(**change)

    assert make_plan(changed).fingerprint == make_plan(REQUEST).fingerprint


def test_the_plan_is_strict_json_with_the_promised_fields() -> None:
    document = plan_document(make_plan())

    assert json.loads(json.dumps(document, allow_nan=False)) == document
    promised = {
        "route",
        "reasons",
        "skill",
        "objective",
        "sampler",
        "scheduler",
        "budget",
        "resources",
        "space",
        "first_trials",
    }
    assert promised | {"fingerprint"} <= document.keys()
    assert document["space"]["parameters"][0]["path"] == "train.lr"
    assert document["budget"]["trials"] == DEFAULT_TRIALS


def test_a_cluster_gets_what_is_asked_for_without_a_look_at_this_machine() -> None:
    resources = make_plan(REQUEST.with_settings(gpus_per_trial=8, jobs=4), machine=None).resources

    assert (resources.jobs, resources.gpus_per_trial) == (4, 8)


def test_a_machine_with_one_core_runs_one_trial_at_a_time() -> None:
    assert make_plan(machine=Machine(cpus=1)).resources.jobs == 1


def named(**settings: Any) -> str:  # noqa: ANN401 # settings of a request
    return make_plan(StudyRequest(skill="toy", name="toy-quick").with_settings(**settings)).experiment


def test_experiment_and_model_are_named_by_skill_objective_and_data() -> None:
    file = Path("/studies/toy/quick.yaml")
    data = {"train": "/data/nyu/train.txt"}

    assert named(source=file) == named(source=file, data=data) == "toy-val_d1-quick"
    assert named(source=file, name="kitchens") == "toy-val_d1-kitchens"
    # Other data than those of the study file have the name of their folder.
    assert named(source=file, data=data, explicit=("data",)) == named(data=data) == "toy-val_d1-nyu"
    assert named(data={"train": "/data/nyu"}) == "toy-val_d1-nyu"
    assert named() == "toy-val_d1"


def test_the_names_of_experiment_and_model_can_be_chosen() -> None:
    plan = make_plan(StudyRequest(skill="toy", name="x").with_settings(experiment="Team A/depth", model_name="a:b/c"))

    assert (plan.experiment, plan.model) == ("Team A/depth", "a_b_c")
