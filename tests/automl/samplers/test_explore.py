from __future__ import annotations

from typing import TYPE_CHECKING

from automl.samplers.explore import explore
from automl.space.parameters import Parameter, ParameterType, SearchSpace

if TYPE_CHECKING:
    from automl.space.values import Scalar

SPACE = SearchSpace(
    parameters=(
        Parameter(path="train.lr", type=ParameterType.FLOAT, low=1e-5, high=1e-1, log=True, default=1e-3),
        Parameter(path="train.batch", type=ParameterType.INT, low=1, high=8, default=2),
        Parameter(path="train.optim", type=ParameterType.CATEGORICAL, choices=("sgd", "adam"), default="sgd"),
        Parameter(path="model.width", type=ParameterType.INT, low=1, high=64, default=8),
    ),
    fixed={},
)
PARENT: dict[str, Scalar] = {"train.lr": 0.09, "train.batch": 2, "train.optim": "adam", "model.width": 32}


def test_what_is_explored_is_valid_near_its_parent_and_has_its_shape() -> None:
    found = [explore(SPACE, PARENT, seed=1, number=number) for number in range(200)]

    assert not [SPACE.violations(assignment) for assignment in found if SPACE.violations(assignment)]
    assert {assignment["model.width"] for assignment in found} == {32}
    near = [assignment["train.lr"] for assignment in found if assignment["train.lr"] in {0.09 * 0.8, 0.1}]
    assert 100 < len(near) < 190
    assert {assignment["train.batch"] for assignment in found} >= {1, 3}


def test_the_same_seed_and_number_explore_the_same() -> None:
    assert explore(SPACE, PARENT, seed=1, number=4) == explore(SPACE, PARENT, seed=1, number=4)
    assert explore(SPACE, PARENT, seed=1, number=4) != explore(SPACE, PARENT, seed=2, number=4)
