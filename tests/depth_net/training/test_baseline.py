from __future__ import annotations

import pytest
import torch

from depth_net.model.family import ModelType
from depth_net.training.baseline import ConstantBaseline, OutputSpread, is_constant, is_near_constant
from tests.depth_net.constant_prediction import score_constant


def pictures() -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(3)
    found = []
    for _ in range(4):
        target = torch.rand(20, 30, generator=generator) * 6 + 0.5
        found.append((target, torch.rand(20, 30, generator=generator) > 0.2))
    return found


@pytest.mark.parametrize("model_type", list(ModelType))
def test_it_agrees_with_scoring_the_constant_itself(model_type: ModelType) -> None:
    baseline = ConstantBaseline(model_type, min_depth_m=0.1, max_depth_m=10.0)
    for target, valid in pictures():
        baseline.update(target, valid)
    limits = {"min_depth_m": 0.1, "max_depth_m": 10.0} if model_type is ModelType.METRIC else {}

    expected = score_constant(pictures(), model_type, **limits)["d1"]

    assert float(baseline.compute()) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("model_type", list(ModelType))
def test_without_a_valid_pixel_it_is_not_a_number(model_type: ModelType) -> None:
    baseline = ConstantBaseline(model_type, min_depth_m=0.1, max_depth_m=10.0)

    baseline.update(torch.ones(2, 2), torch.zeros(2, 2, dtype=torch.bool))

    assert torch.isnan(baseline.compute())


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_constant_output_is_recognised(value: float) -> None:
    spread = OutputSpread()

    spread.update(torch.full((2, 5, 5), value))

    assert is_constant(float(spread.compute()))


def test_one_image_with_structure_is_enough() -> None:
    spread = OutputSpread()
    predicted = torch.ones(2, 5, 5)
    predicted[1, 2, 2] = 1.5

    spread.update(predicted)

    assert not is_constant(float(spread.compute()))


@pytest.mark.parametrize(("d1", "is_near"), [(0.50, True), (0.586, True), (0.61, False), (0.689, False)])
def test_a_score_within_a_tenth_of_the_way_is_close_to_a_constant(d1: float, is_near: bool) -> None:  # noqa: FBT001
    assert is_near_constant(d1, 0.560) is is_near
    assert not is_near_constant(float("nan"), 0.560)
