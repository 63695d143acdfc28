"""Losses against closed forms, written with loops and numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from depth_net.losses import loss_of, normalized_l1, scale_and_shift_invariant, silog
from depth_net.model.family import ModelType


def reference_relative(predicted: Tensor, target: Tensor, valid: Tensor) -> float:
    """The loss by numpy's own least squares and explicit neighbours."""
    p, t, m = (tensor.double().numpy() for tensor in (predicted, target, valid))
    differences = []
    for one_p, one_t, one_m in zip(p, t, m > 0, strict=True):
        columns = np.stack([one_p[one_m], np.ones(one_m.sum())], axis=1)
        scale, shift = np.linalg.lstsq(columns, one_t[one_m], rcond=None)[0] if one_m.any() else (0.0, 0.0)
        differences.append(np.where(one_m, scale * one_p + shift - one_t, 0.0))
    total = sum((d**2).sum() for d in differences) / (2 * m.sum())
    for stride in (1, 2, 4, 8):
        steps, count = 0.0, 0
        for d, one_m in zip(differences, m > 0, strict=True):
            d_, m_ = d[::stride, ::stride], one_m[::stride, ::stride]
            steps += (np.abs(np.diff(d_, axis=0)) * (m_[1:] & m_[:-1])).sum()
            steps += (np.abs(np.diff(d_, axis=1)) * (m_[:, 1:] & m_[:, :-1])).sum()
            count += m_.sum()
        total += 2 * steps / count
    return float(total)


def test_the_relative_loss_is_the_closed_form_of_the_reference() -> None:
    torch.manual_seed(0)
    predicted, target = torch.rand(3, 17, 21) * 40, torch.rand(3, 17, 21) * 60
    valid = torch.rand(3, 17, 21) > 0.3
    valid[1] = False

    found = float(scale_and_shift_invariant(predicted, target, valid))

    assert found == pytest.approx(reference_relative(predicted, target, valid), rel=1e-5)


def test_the_relative_loss_ignores_scale_and_shift_of_the_prediction() -> None:
    predicted, target = torch.rand(2, 9, 9), torch.rand(2, 9, 9)
    valid = torch.ones(2, 9, 9, dtype=torch.bool)

    first = scale_and_shift_invariant(predicted, target, valid)
    second = scale_and_shift_invariant(7 * predicted + 3, target, valid)

    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-6)
    assert float(scale_and_shift_invariant(0.5 * target - 2, target, valid)) == pytest.approx(0.0, abs=1e-6)


def test_a_flat_prediction_costs_the_mean_square_of_the_target_and_has_no_gradient() -> None:
    predicted = torch.full((1, 4, 4), 3.0, requires_grad=True)
    target = torch.full((1, 4, 4), 5.0)

    loss = scale_and_shift_invariant(predicted, target, torch.ones(1, 4, 4, dtype=torch.bool))
    torch.autograd.backward(loss)

    assert float(loss.detach()) == pytest.approx(25 / 2)
    assert predicted.grad is not None
    assert torch.equal(predicted.grad, torch.zeros(1, 4, 4))


def test_the_metric_loss_is_the_unbiased_variance_plus_half_the_squared_mean() -> None:
    predicted, target = torch.rand(2, 5, 6) + 0.5, torch.rand(2, 5, 6) + 0.5
    valid = torch.rand(2, 5, 6) > 0.4
    logarithms = (predicted[valid].log() - target[valid].log()).double().numpy()

    found = float(silog(predicted, target, valid))

    assert found == pytest.approx(np.var(logarithms, ddof=1) + 0.5 * np.mean(logarithms) ** 2, rel=1e-5)


def test_the_metric_loss_of_one_pixel_is_its_mean_part() -> None:
    valid = torch.zeros(1, 2, 2, dtype=torch.bool)
    valid[0, 0, 0] = True

    loss = silog(torch.full((1, 2, 2), 2.0), torch.ones(1, 2, 2), valid)

    assert float(loss) == pytest.approx(0.5 * math.log(2) ** 2)


@pytest.mark.parametrize("model_type", ModelType)
def test_a_batch_without_a_valid_pixel_costs_nothing_and_moves_nothing(model_type: ModelType) -> None:
    predicted = torch.rand(2, 5, 5, requires_grad=True)
    target = torch.full((2, 5, 5), torch.inf)

    loss = loss_of(model_type)(predicted, target, torch.zeros(2, 5, 5, dtype=torch.bool))
    torch.autograd.backward(loss)

    assert float(loss.detach()) == 0.0
    assert predicted.grad is not None
    assert torch.equal(predicted.grad, torch.zeros(2, 5, 5))


@pytest.mark.parametrize("model_type", ModelType)
@pytest.mark.parametrize("hidden", [torch.nan, torch.inf, -torch.inf, 0.0, -5.0])
def test_what_lies_under_the_mask_reaches_neither_loss_nor_gradient(model_type: ModelType, hidden: float) -> None:
    torch.manual_seed(0)
    predicted = (torch.rand(1, 6, 6) + 0.5).requires_grad_()
    target, valid = torch.rand(1, 6, 6) + 0.5, torch.rand(1, 6, 6) > 0.3
    spoiled = torch.where(valid, target, hidden)

    expected = loss_of(model_type)(predicted, target, valid)
    found = loss_of(model_type)(predicted, spoiled, valid)

    assert torch.equal(found, expected)
    (gradient,) = torch.autograd.grad(found, predicted)
    assert bool(torch.isfinite(gradient).all())


@pytest.mark.parametrize("model_type", ModelType)
def test_a_prediction_that_is_not_a_number_makes_the_loss_say_so(model_type: ModelType) -> None:
    predicted = torch.rand(1, 4, 4) + 0.5
    predicted[0, 1, 1] = torch.nan

    loss = loss_of(model_type)(predicted, torch.rand(1, 4, 4) + 0.5, torch.ones(1, 4, 4, dtype=torch.bool))

    assert bool(loss.isnan())


def test_a_depth_that_underflowed_to_zero_has_a_finite_loss() -> None:
    predicted = torch.tensor([[[0.0, 1.0, 2.0]]], requires_grad=True)

    loss = silog(predicted, torch.ones(1, 1, 3), torch.ones(1, 1, 3, dtype=torch.bool))
    torch.autograd.backward(loss)

    assert math.isfinite(float(loss.detach()))
    assert predicted.grad is not None
    assert bool(torch.isfinite(predicted.grad).all())


def test_gradients_of_the_relative_loss_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    predicted = torch.rand(1, 3, 4, dtype=torch.float64, requires_grad=True)
    target = torch.rand(1, 3, 4, dtype=torch.float64)
    valid = torch.ones(1, 3, 4, dtype=torch.bool)

    assert torch.autograd.gradcheck(lambda p: scale_and_shift_invariant(p, target, valid), predicted)


def reference_normalized(predicted: Tensor, target: Tensor, valid: Tensor) -> float:
    """The published relative loss from its formula: medians by sorting, means by numpy."""
    total, count = 0.0, 0
    for p, t, m in zip(predicted.double().numpy(), target.double().numpy(), valid.numpy(), strict=True):
        if not m.any():
            continue
        maps = []
        for values in (p[m], t[m]):
            median = np.sort(values)[(len(values) - 1) // 2]
            maps.append((values - median) / np.abs(values - median).mean())
        total += np.abs(maps[0] - maps[1]).sum()
        count += int(m.sum())
    return total / count


def test_the_normalized_loss_is_its_formula() -> None:
    torch.manual_seed(0)
    predicted, target = torch.rand(3, 17, 21) * 40, torch.rand(3, 17, 21) * 60
    valid = torch.rand(3, 17, 21) > 0.3
    valid[1] = False

    assert float(normalized_l1(predicted, target, valid)) == pytest.approx(
        reference_normalized(predicted, target, valid), rel=1e-5
    )
    assert loss_of(ModelType.RELATIVE, "normalized_l1") is normalized_l1


def test_the_normalized_loss_ignores_scale_and_shift_of_both_maps() -> None:
    torch.manual_seed(1)
    predicted, target = torch.rand(2, 9, 9), torch.rand(2, 9, 9)
    valid = torch.ones(2, 9, 9, dtype=torch.bool)

    first = normalized_l1(predicted, target, valid)

    assert float(normalized_l1(7 * predicted + 3, 0.01 * target + 5, valid)) == pytest.approx(float(first), rel=1e-3)
    assert float(normalized_l1(3 * target + 1, target, valid)) == pytest.approx(0.0, abs=1e-5)


def test_the_normalized_loss_of_a_constant_is_one_and_has_no_gradient() -> None:
    target, valid = torch.rand(2, 9, 9), torch.ones(2, 9, 9, dtype=torch.bool)
    predicted = torch.full((2, 9, 9), 0.3, requires_grad=True)

    loss = normalized_l1(predicted, target, valid)
    loss.backward()  # type: ignore[no-untyped-call]

    assert float(loss.detach()) == pytest.approx(1.0, rel=1e-5)
    assert predicted.grad is not None
    assert float(predicted.grad.abs().max()) == 0.0


def test_the_normalized_loss_skips_what_says_nothing_and_shows_what_is_not_finite() -> None:
    target, valid = torch.rand(2, 5, 5), torch.ones(2, 5, 5, dtype=torch.bool)
    flat = torch.ones(2, 5, 5)

    assert float(normalized_l1(target, flat, valid)) == 0.0
    assert float(normalized_l1(target, target, ~valid)) == 0.0
    broken = target.clone()
    broken[0, 0, 0] = torch.nan
    assert not torch.isfinite(normalized_l1(broken, target, valid))
