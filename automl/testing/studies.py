"""Small spaces and plans that the abstract suites run on."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from automl.request.policy import Route
from automl.skill.model import Skill, SkillAction
from automl.space.conditions import Condition, Relation, RelationKind
from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace
from automl.spec.model import Spec
from automl.study.model import Budget, Resources, StudyPlan
from automl.study.objectives import Direction, Objective
from automl.study.trial import TrialResult, TrialState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.space.values import Scalar

ACCURACY = Objective(metric="accuracy", direction=Direction.MAXIMIZE)
ERROR = Objective(metric="error", direction=Direction.MINIMIZE)
SIZE = Objective(metric="size", direction=Direction.MINIMIZE)

MIXED = SearchSpace(
    parameters=(
        Parameter(path="lr", type=ParameterType.FLOAT, low=1e-5, high=1.0, log=True, default=3.0),
        Parameter(path="batch", type=ParameterType.INT, low=4, high=64, log=True, default=16),
        Parameter(path="crop", type=ParameterType.INT, low=14, high=140, step=14, default=56),
        Parameter(path="drop", type=ParameterType.FLOAT, low=0.0, high=0.5, step=0.1, default=0.1),
        Parameter(path="width", type=ParameterType.INT, choices=(16, 32, 64), default=32),
        Parameter(path="optimizer", type=ParameterType.CATEGORICAL, choices=("sgd", "adam", None), default="adam"),
        Parameter(
            path="momentum",
            type=ParameterType.FLOAT,
            low=0.0,
            high=0.99,
            default=0.9,
            condition=Condition(path="optimizer", any_of=("sgd",)),
        ),
        Parameter(path="nesterov", type=ParameterType.BOOL, choices=(True, False), default=False),
        Parameter(path="warmup", type=ParameterType.INT, low=0, high=20, default=2),
    ),
    relations=(Relation(path="warmup", kind=RelationKind.LESS, parent="batch"),),
    fixed={},
)
"""Every kind of parameter, a condition and a relation; the template's learning rate lies outside its range."""

SMALL = SearchSpace(
    parameters=(
        Parameter(path="depth", type=ParameterType.INT, low=1, high=3, default=2),
        Parameter(path="head", type=ParameterType.CATEGORICAL, choices=("a", "b"), default="a"),
        Parameter(
            path="bins",
            type=ParameterType.INT,
            low=1,
            high=2,
            default=1,
            condition=Condition(path="head", any_of=("b",)),
        ),
    ),
    fixed={},
)
"""Nine distinct assignments: 3 with head a, 6 with head b."""

NESTED = SearchSpace(
    parameters=(
        Parameter(path="lr", type=ParameterType.FLOAT, low=1e-5, high=1.0, log=True, default=0.1),
        Parameter(path="batch", type=ParameterType.INT, low=4, high=64, log=True, default=16),
        Parameter(path="optimizer", type=ParameterType.CATEGORICAL, choices=("sgd", "adam"), default="sgd"),
        Parameter(path="deep", type=ParameterType.BOOL, choices=(True, False), default=True),
        Parameter(
            path="momentum",
            type=ParameterType.FLOAT,
            low=0.0,
            high=0.99,
            default=0.9,
            condition=Condition(path="optimizer", any_of=("sgd",), also=(Condition(path="deep", any_of=(True,)),)),
        ),
        Parameter(
            path="nesterov",
            type=ParameterType.BOOL,
            choices=(True, False),
            default=False,
            condition=Condition(
                path="optimizer",
                any_of=("sgd",),
                also=(Condition(path="deep", any_of=(True,), also=(Condition(path="frozen", any_of=(0,)),)),),
            ),
        ),
    ),
    fixed={"frozen": 0},
)
"""Parameters that act under several conditions at once, one of them on a value of the spec."""

EMPTY = SearchSpace(parameters=(), fixed={})


def plan_of(
    sampler: str,
    space: SearchSpace = MIXED,
    *,
    seed: int = 7,
    objectives: tuple[Objective, ...] = (ACCURACY,),
    first_trials: tuple[Mapping[str, Scalar], ...] = (),
) -> StudyPlan:
    """Return a plan around a sampler and a space."""
    skill = Skill(
        name="toy",
        root=Path("toy"),
        network_arch="toy",
        automl_enabled=True,
        actions={"train": SkillAction(name="train", command="true")},
        templates={},
        schemas={},
    )
    return StudyPlan(
        name="toy",
        route=Route.TUNE,
        reasons=(),
        skill=skill,
        action="train",
        spec=Spec(values={}),
        space=space,
        objectives=objectives,
        budget=Budget(trials=30),
        resources=Resources(jobs=1),
        sampler=sampler,
        scheduler="none",
        seed=seed,
        max_epochs=10,
        first_trials=first_trials,
    )


def ended(
    number: int, state: TrialState = TrialState.COMPLETED, values: Mapping[str, float] | None = None
) -> TrialResult:
    """Return the result of a trial, with an accuracy unless the values say otherwise."""
    measured = {"accuracy": 0.5} if values is None and state.has_value else (values or {})
    return TrialResult(
        number=number, state=state, assignment={}, directory=f"trials/{number:04d}", reason="said so", values=measured
    )


def score(assignment: Mapping[str, Scalar]) -> float:
    """Return an accuracy that depends on two of the parameters of `MIXED`, best at lr 0.01 and batch 16."""
    rate, batch = assignment["lr"], assignment["batch"]
    assert isinstance(rate, float)
    assert isinstance(batch, int)
    return 1.0 - 0.1 * abs(math.log10(min(rate, 1.0)) + 2.0) - 0.002 * abs(batch - 16)
