from __future__ import annotations

from automl.samplers.grid import GridSampler
from automl.samplers.history import History
from automl.testing.studies import MIXED
from tests.automl.samplers.playing import PLANE, bowl, number, play


def test_a_grid_has_both_ends_and_no_point_twice() -> None:
    sampler = GridSampler(PLANE, 1, resolution=3)
    history, _ = play(sampler, bowl, 9)

    points = {(number(o.assignment, "x"), number(o.assignment, "y")) for o in history.observations}

    assert points == {(x, y) for x in (-1.0, 0.0, 1.0) for y in (-1.0, 0.0, 1.0)}
    assert sampler.propose(history, 9) is None


def test_a_huge_grid_gives_its_first_points_at_once() -> None:
    candidate = GridSampler(MIXED, 1, resolution=50).propose(History(), 0)

    assert candidate is not None
    assert MIXED.violations(candidate.assignment) == ()
