"""The prompt has values as they were measured, in the direction of their objective."""

from __future__ import annotations

from dataclasses import replace

import pytest

from automl.samplers.history import Observation
from automl.samplers.llm.prompt import describe, describe_trial
from automl.study.causes import Origin, OriginKind
from automl.study.objectives import parse_constraints
from automl.study.trial import TrialState
from automl.testing.studies import ACCURACY, ERROR, plan_of


def test_values_that_are_minimised_are_turned_back_and_missed_constraints_are_named() -> None:
    plan = replace(plan_of("llm", objectives=(ERROR, ACCURACY)), constraints=parse_constraints(["memory <= 8"]))
    observation = Observation(
        number=0,
        assignment={"lr": 0.1},
        origin=Origin(OriginKind.TEMPLATE),
        state=TrialState.COMPLETED,
        values=(-0.2, 0.9),
        violations=(1.5,),
        curve=tuple((epoch, -0.1 * epoch) for epoch in range(30)),
        finished_as=0,
    )

    entry = describe_trial(plan, observation)

    assert entry["values"] == {"error": 0.2, "accuracy": 0.9}
    assert entry["missed"] == ["memory <= 8"]
    assert entry["curve"][1] == [3, pytest.approx(0.3)]
    assert len(entry["curve"]) == 10
    assert describe(plan)["objectives"][0] == {"metric": "error", "direction": "minimize"}
