"""Every error of the trainer has a code that a reader of the status file can tell apart."""

from __future__ import annotations

from depth_net import errors


def test_every_error_has_a_code_of_its_own() -> None:
    kinds = (errors.SpecError, errors.DataError, errors.WeightsError, errors.DivergenceError)

    assert len({kind.code for kind in kinds} | {errors.DepthNetError.code}) == len(kinds) + 1
    assert all(issubclass(kind, errors.DepthNetError) for kind in kinds)


def test_a_divergence_says_where_it_happened() -> None:
    error = errors.DivergenceError("the training loss is nan", epoch=3, step=41)

    assert (error.epoch, error.step, str(error)) == (3, 41, "the training loss is nan")
