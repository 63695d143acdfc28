from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from depth_net.metrics import BEST_METRICS, is_higher_better
from depth_net.model.family import ModelType
from depth_net.scoring import DepthMetrics, align
from tests.depth_net.constant_prediction import score_constant

METRIC, RELATIVE = ModelType.METRIC, ModelType.RELATIVE
EVERYWHERE = torch.ones(2, 2, dtype=torch.bool)


def score(metrics: DepthMetrics) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.compute().items()}


def metric_metrics() -> DepthMetrics:
    return DepthMetrics(METRIC, min_depth_m=0.001, max_depth_m=10.0)


def test_metric_scores_of_four_pixels_match_a_manual_computation() -> None:
    metrics = metric_metrics()
    predicted, target = torch.tensor([[1.0, 2.0], [3.0, 20.0]]), torch.tensor([[1.0, 1.0], [2.0, 8.0]])

    metrics.update([predicted], [target], [EVERYWHERE])

    found = score(metrics)
    logs = np.log([1.0, 2.0, 1.5, 1.25])  # the prediction of 20 m is clipped to 10 m
    assert found["d1"] == pytest.approx(1 / 4)  # a ratio of exactly 1.25 is not below it
    assert found["d2"] == pytest.approx(3 / 4)
    assert found["d3"] == pytest.approx(3 / 4)
    assert found["abs_rel"] == pytest.approx((0 + 1 + 0.5 + 0.25) / 4)
    assert found["sq_rel"] == pytest.approx((0 + 1 + 0.5 + 0.5) / 4)
    assert found["rmse"] == pytest.approx(math.sqrt((0 + 1 + 1 + 4) / 4))
    assert found["log10"] == pytest.approx(np.abs(logs).mean() / math.log(10))
    assert found["silog"] == pytest.approx(math.sqrt((logs**2).mean() - 0.5 * logs.mean() ** 2))
    assert (found["valid_fraction"], found["num_images"], found["d1_image_mean"]) == (1.0, 1.0, 0.25)


def test_scores_are_pooled_over_pixels_and_the_image_mean_is_reported_beside() -> None:
    metrics = metric_metrics()
    small, large = torch.ones(1, 2, dtype=torch.bool), torch.ones(4, 2, dtype=torch.bool)

    metrics.update([torch.ones(1, 2)], [torch.ones(1, 2)], [small])
    metrics.update([torch.full((4, 2), 5.0)], [torch.ones(4, 2)], [large])

    assert score(metrics)["d1"] == pytest.approx(2 / 10)
    assert score(metrics)["d1_image_mean"] == pytest.approx(1 / 2)


def test_how_images_are_batched_changes_nothing() -> None:
    predicted, target = torch.rand(4, 3, 5) + 1, torch.rand(4, 3, 5) + 1
    valid = torch.rand(4, 3, 5) > 0.2
    whole, parts = metric_metrics(), metric_metrics()

    whole.update(predicted, target, valid)
    for index in range(4):
        parts.update([predicted[index]], [target[index]], [valid[index]])

    assert score(whole) == pytest.approx(score(parts), rel=1e-12)


def test_alignment_is_the_least_squares_solution() -> None:
    torch.manual_seed(0)
    predicted, target = torch.rand(6, 7, dtype=torch.float64), torch.rand(6, 7, dtype=torch.float64) * 50
    valid = torch.rand(6, 7) > 0.3
    columns = np.stack([predicted[valid].numpy(), np.ones(int(valid.sum()))], axis=1)
    scale, shift = np.linalg.lstsq(columns, target[valid].numpy(), rcond=None)[0]

    aligned = align(predicted, target, valid)

    np.testing.assert_allclose(aligned.numpy(), scale * predicted.numpy() + shift, rtol=1e-10)


def test_a_relative_prediction_is_scored_after_alignment() -> None:
    target = torch.tensor([[10.0, 20.0], [30.0, 40.0]])
    metrics = DepthMetrics(RELATIVE)

    metrics.update([0.01 * target + 3], [target], [EVERYWHERE])

    assert score(metrics)["d1"] == 1.0
    assert score(metrics)["abs_rel"] == pytest.approx(0.0, abs=1e-5)


def test_a_constant_relative_prediction_becomes_the_mean_of_the_target() -> None:
    target = torch.tensor([[10.0, 12.0], [12.0, 50.0]])
    metrics = DepthMetrics(RELATIVE)

    metrics.update([torch.zeros(2, 2)], [target], [EVERYWHERE])

    assert score(metrics)["rmse"] == pytest.approx(float(target.std(correction=0)))
    assert score(metrics) == pytest.approx(dict(score_constant([(target, EVERYWHERE)], RELATIVE)))


@pytest.mark.parametrize("model_type", ModelType)
def test_an_image_without_valid_pixels_adds_only_to_the_counts(model_type: ModelType) -> None:
    limits = (0.001, 10.0) if model_type is METRIC else (None, None)
    metrics = DepthMetrics(model_type, min_depth_m=limits[0], max_depth_m=limits[1])
    target = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    metrics.update([target], [target], [EVERYWHERE])

    metrics.update([torch.full((2, 2), torch.nan)], [torch.full((2, 2), torch.inf)], [~EVERYWHERE])

    found = score(metrics)
    assert (found["d1"], found["d1_image_mean"]) == (1.0, 1.0)
    assert (found["num_images"], found["valid_fraction"]) == (2.0, 0.5)


@pytest.mark.parametrize("model_type", ModelType)
def test_a_prediction_that_is_not_a_number_makes_every_score_say_so(model_type: ModelType) -> None:
    limits = (0.001, 10.0) if model_type is METRIC else (None, None)
    metrics = DepthMetrics(model_type, min_depth_m=limits[0], max_depth_m=limits[1])
    predicted = torch.tensor([[1.0, torch.nan], [3.0, 4.0]])

    metrics.update([predicted], [torch.ones(2, 2)], [EVERYWHERE])

    found = score(metrics)
    assert all(math.isnan(found[name]) for name in ("d1", "d2", "d3", "abs_rel", "rmse", "silog"))


def test_without_any_image_scores_are_not_numbers_instead_of_errors() -> None:
    found = score(metric_metrics())

    assert math.isnan(found["d1"])
    assert found["num_images"] == 0.0


def test_the_metric_baseline_is_the_constant_of_the_mean_logarithm() -> None:
    targets = [(torch.tensor([[1.0, 2.0], [4.0, 8.0]]), EVERYWHERE), (torch.full((2, 2), 9.0), ~EVERYWHERE)]
    constant = 8 ** (1 / 2)
    metrics = metric_metrics()
    for target, valid in targets:
        metrics.update([torch.full((2, 2), constant)], [target], [valid])

    found = score_constant(targets, METRIC, min_depth_m=0.001, max_depth_m=10.0)

    assert dict(found) == pytest.approx(score(metrics), rel=1e-6)


@pytest.mark.parametrize(("low", "high"), [(None, 10.0), (0.001, None), (10.0, 1.0), (0.0, 10.0)])
def test_a_depth_range_that_is_none_is_refused(low: float | None, high: float | None) -> None:
    with pytest.raises(ValueError, match="0 < min_depth < max_depth"):
        DepthMetrics(METRIC, min_depth_m=low, max_depth_m=high)


def test_maps_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must have one shape \(H, W\)"):
        metric_metrics().update([torch.ones(2, 3)], [torch.ones(2, 2)], [EVERYWHERE])


@pytest.mark.parametrize(("metric", "higher"), [("val/d1", True), ("val/loss", False), ("val/abs_rel", False)])
def test_accuracies_are_better_when_higher_and_errors_when_lower(metric: str, higher: bool) -> None:  # noqa: FBT001 - a case
    assert metric in BEST_METRICS
    assert is_higher_better(metric) is higher
