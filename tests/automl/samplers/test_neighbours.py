from __future__ import annotations

from typing import TYPE_CHECKING

from automl.samplers.neighbours import every_assignment, explore, unseen_assignment
from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace
from automl.testing.studies import MIXED, SMALL

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


def test_a_small_space_is_listed_without_repetitions() -> None:
    listed = list(every_assignment(SMALL))

    assert len(listed) == 9
    assert all(SMALL.violations(a) == () for a in listed)


def test_the_last_free_assignment_is_found_and_then_none() -> None:
    listed = list(every_assignment(SMALL))
    seen = listed[:-1]

    assert unseen_assignment(SMALL, seen[0], lambda a: a in seen, seed=1, number=8) == listed[-1]
    assert unseen_assignment(SMALL, seen[0], lambda a: a in listed, seed=1, number=9) is None


def test_a_duplicate_in_a_large_space_is_replaced_by_a_valid_neighbour() -> None:
    wanted = MIXED.repair(MIXED.default_assignment())

    other = unseen_assignment(MIXED, wanted, lambda a: a == wanted, seed=1, number=3)

    assert other is not None
    assert other != wanted
    assert MIXED.violations(other) == ()


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
