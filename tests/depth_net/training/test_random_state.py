from __future__ import annotations

import torch

from depth_net.training.random_state import random_state, restore_random_state, seed_everything


def test_one_seed_gives_one_sequence() -> None:
    assert seed_everything(5) == 5
    first = torch.rand(3)
    seed_everything(5)

    assert torch.equal(torch.rand(3), first)


def test_a_negative_seed_draws_a_fresh_one_and_reports_it() -> None:
    first, second = seed_everything(-1), seed_everything(-1)

    assert first >= 0
    assert first != second


def test_a_state_can_be_restored() -> None:
    state = random_state()
    first = torch.rand(3)

    restore_random_state(state)

    assert torch.equal(torch.rand(3), first)
