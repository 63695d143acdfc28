from __future__ import annotations

from automl.samplers.sampler import generator_for


def test_every_trial_and_purpose_has_its_own_generator() -> None:
    first = {(s, n, p): generator_for(s, n, p).random() for s in (-1, 1) for n in (0, 1) for p in (0, 1)}

    assert len(set(first.values())) == 8
    assert generator_for(-1, 0, 1).random() == first[-1, 0, 1]
