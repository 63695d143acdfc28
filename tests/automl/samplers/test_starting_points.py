from __future__ import annotations

import dataclasses

from automl.samplers.starting_points import starting_points
from automl.study.causes import Origin, OriginKind
from tests.contracts.studies import MIXED, plan_of


def test_the_template_comes_first_then_the_plans_points_with_their_origins() -> None:
    base = MIXED.default_assignment()
    plan = plan_of("auto", first_trials=(base, {**base, "lr": 0.5}, {**base, "lr": 0.1}))
    there = Origin(OriginKind.EARLIER_STUDY, parent=3, study="before", detail="accuracy 0.7")

    draws = starting_points(
        dataclasses.replace(plan, first_origins=(Origin(OriginKind.TEMPLATE), Origin(OriginKind.GIVEN), there))
    )

    assert [(str(d.origin), d.assignment["lr"]) for d in draws] == [
        ("template", 3.0),
        ("given", 0.5),
        ("earlier study before, trial 3 (accuracy 0.7)", 0.1),
    ]


def test_earlier_points_are_moved_into_the_space_and_not_repeated() -> None:
    base = MIXED.default_assignment()

    draws = starting_points(plan_of("auto", first_trials=(base, {**base, "lr": 40.0}, {**base, "lr": 50.0})))

    assert [d.assignment["lr"] for d in draws] == [3.0, 1.0]
