from __future__ import annotations

from automl.samplers.unseen import every_assignment, unseen_assignment
from tests.contracts.studies import MIXED, SMALL


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
