"""Scores against reference values, computed from the formulas of the papers by code that shares nothing with ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from depth_net.config.actions import EvaluateConfig
from depth_net.config.choices import Alignment, EvalCrop, Protocol
from depth_net.errors import SpecError
from depth_net.model.family import ModelType
from depth_net.paper_scores import PaperScores, Truth
from depth_net.protocols import PROTOCOLS, rules_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Array = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

METRIC, RELATIVE = ModelType.METRIC, ModelType.RELATIVE


def eigen_2014(predicted: Array, target: Array) -> dict[str, float]:
    """Metrics of two vectors of depth (Eigen et al. 2014, section 4.2; log10 as in later papers)."""
    ratio = np.maximum(predicted / target, target / predicted)
    logarithm = np.log(predicted) - np.log(target)
    return {
        "d1": np.mean(ratio < 1.25),
        "d2": np.mean(ratio < 1.25**2),
        "d3": np.mean(ratio < 1.25**3),
        "abs_rel": np.mean(np.abs(predicted - target) / target),
        "sq_rel": np.mean((predicted - target) ** 2 / target),
        "rmse": np.sqrt(np.mean((predicted - target) ** 2)),
        "rmse_log": np.sqrt(np.mean(logarithm**2)),
        "log10": np.mean(np.abs(np.log10(predicted) - np.log10(target))),
        "silog": np.sqrt(np.mean(logarithm**2) - 0.5 * np.mean(logarithm) ** 2),
        "silog_x100": 100 * np.sqrt(np.mean(logarithm**2) - np.mean(logarithm) ** 2),
    }


def midas_depth(disparity: Array, target_depth: Array, cap: float) -> Array:
    """Depth after alignment in inverse depth (Ranftl et al. 2019, section 5), capped as there."""
    columns = np.stack([disparity, np.ones_like(disparity)], axis=1)
    scale, shift = np.linalg.lstsq(columns, 1 / target_depth, rcond=None)[0]
    return np.asarray(1 / np.clip(scale * disparity + shift, 1 / cap, 1 / 1e-3))


def mean_of(images: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([image[name] for image in images])) for name in images[0]}


def rooms(cap: float) -> list[tuple[Array, Array, Mask]]:
    """Prediction, depth and what is known of three images, with values on both sides of the range."""
    random = np.random.default_rng(0)
    images = []
    for size in ((48, 64), (40, 64), (64, 48)):
        target = random.uniform(0.0, 1.2 * cap, size).astype(np.float32)
        target[random.uniform(size=size) < 0.2] = cap
        predicted = (target * random.uniform(0.6, 1.6, size)).astype(np.float32)
        known = (random.uniform(size=size) > 0.3) & (target > 0)
        images.append((predicted.astype(np.float64), target.astype(np.float64), known))
    return images


def box(protocol: Protocol, shape: tuple[int, ...]) -> Mask:
    height, width = shape
    inside = np.zeros(shape, dtype=np.bool_)
    match protocol:
        case Protocol.NYU:  # rows 45 to 471 and columns 41 to 601 of 480x640
            rows = slice(round(45 * height / 480), round(471 * height / 480))
            inside[rows, round(41 * width / 640) : round(601 * width / 640)] = True
        case Protocol.KITTI:
            rows = slice(int(0.40810811 * height), int(0.99189189 * height))
            inside[rows, int(0.03594771 * width) : int(0.96405229 * width)] = True
        case Protocol.DA2:
            inside[:] = True
    return inside


def scores_of(
    model_type: ModelType, settings: EvaluateConfig, images: Sequence[tuple[Array, Array, Mask]], model_max_m: float
) -> PaperScores:
    max_depth_m = model_max_m if model_type is METRIC else None
    rules = rules_of(settings, model_type, max_depth_m, 1e-3)
    scores = PaperScores(model_type, rules, settings.ranges)
    protocol = settings.protocol or Protocol.DA2
    for index, (predicted, target, known) in enumerate(images):
        counts = torch.from_numpy(known & box(protocol, target.shape))
        if model_type is METRIC:
            own, values = predicted, target
        else:
            own, values = 3 / predicted + 0.4, np.where(target > 0, 1 / np.maximum(target, 1e-12), 0)
        truth = Truth(values=torch.from_numpy(values), counts=counts)
        scores.update(torch.from_numpy(own), truth, f"room_{index % 2}")
    return scores


@pytest.mark.parametrize(
    ("protocol", "cap", "inclusive"),
    [(Protocol.NYU, 10.0, False), (Protocol.KITTI, 80.0, False), (Protocol.DA2, 20.0, True)],
)
def test_a_metric_model_scores_as_the_papers_compute_it(protocol: Protocol, cap: float, *, inclusive: bool) -> None:
    images = rooms(cap)
    expected, inverse, pixels = [], [], []
    for predicted, target, known in images:
        within = (target >= 1e-3) & (target <= cap) if inclusive else (target > 1e-3) & (target < cap)
        mask = known & within & box(protocol, target.shape)
        depth = np.clip(predicted[mask], 1e-3, cap)
        expected.append(eigen_2014(depth, target[mask]))
        inverse.append(eigen_2014(1 / depth, 1 / target[mask]))
        pixels.append((depth, target[mask]))
    every = [np.concatenate(part) for part in zip(*pixels, strict=True)]

    document = scores_of(METRIC, EvaluateConfig(protocol=protocol), images, cap).document()

    assert document["image_mean"]["depth"] == pytest.approx(mean_of(expected), abs=1e-6)
    assert document["image_mean"]["disparity"] == pytest.approx(mean_of(inverse), abs=1e-6)
    assert document["pooled"]["depth"] == pytest.approx(eigen_2014(every[0], every[1]), abs=1e-6)
    scene = document["by_scene"]["room_0"]["depth"]
    assert scene.pop("num_images") == 2
    assert scene == pytest.approx(mean_of([expected[0], expected[2]]), abs=1e-6)


@pytest.mark.parametrize(("protocol", "cap"), [(Protocol.NYU, 10.0), (Protocol.KITTI, 80.0)])
def test_a_relative_model_is_aligned_in_disparity_and_compared_in_depth(protocol: Protocol, cap: float) -> None:
    images = rooms(cap)
    expected = []
    for predicted, target, known in images:
        mask = known & (target > 1e-3) & (target < cap) & box(protocol, target.shape)
        depth = midas_depth(3 / predicted[mask] + 0.4, target[mask], cap)
        expected.append(eigen_2014(depth, target[mask]))

    document = scores_of(RELATIVE, EvaluateConfig(protocol=protocol), images, cap).document()

    assert document["image_mean"]["depth"] == pytest.approx(mean_of(expected), abs=1e-6)


def test_a_relative_model_under_da2_has_scores_in_disparity_and_with_a_cap_in_depth() -> None:
    images = rooms(20.0)
    expected = []
    for predicted, target, known in images:
        mask = known & (target >= 1e-3) & (target <= 20.0)
        expected.append(eigen_2014(midas_depth(3 / predicted[mask] + 0.4, target[mask], 20.0), target[mask]))

    bare = scores_of(RELATIVE, EvaluateConfig(protocol=Protocol.DA2), images, 20.0).document()
    capped = scores_of(RELATIVE, EvaluateConfig(protocol=Protocol.DA2, max_depth=20.0), images, 20.0).document()

    assert list(bare["image_mean"]) == ["disparity"]
    assert capped["image_mean"]["depth"] == pytest.approx(mean_of(expected), abs=1e-6)


def test_median_alignment_gives_both_depth_maps_one_median() -> None:
    images = rooms(10.0)
    metric, relative = [], []
    for predicted, target, known in images:
        mask = known & (target > 1e-3) & (target < 10.0)
        depth = predicted[mask] * np.median(target[mask]) / np.median(predicted[mask])
        metric.append(eigen_2014(np.clip(depth, 1e-3, 10.0), target[mask]))
        inverse = 1 / (3 / predicted[mask] + 0.4)
        depth = inverse * np.median(target[mask]) / np.median(inverse)
        relative.append(eigen_2014(np.clip(depth, 1e-3, 10.0), target[mask]))
    settings = EvaluateConfig(alignment=Alignment.MEDIAN, min_depth=1e-3, max_depth=10.0)

    found = [scores_of(kind, settings, images, 10.0).document()["image_mean"]["depth"] for kind in (METRIC, RELATIVE)]

    assert found[0] == pytest.approx(mean_of(metric), abs=1e-6)
    assert found[1] == pytest.approx(mean_of(relative), abs=1e-6)


def test_ranges_of_distance_hold_each_pixel_once() -> None:
    images = rooms(10.0)
    settings = EvaluateConfig(ranges=(2.0, 4.0), min_depth=1e-3, max_depth=10.0)

    rows = scores_of(METRIC, settings, images, 10.0).document()["by_distance"]

    assert [(row["from_m"], row["to_m"]) for row in rows] == [(0.0, 2.0), (2.0, 4.0), (4.0, 10.0)]
    assert sum(row["share"] for row in rows) == pytest.approx(1.0)
    pairs = [(np.clip(p, 1e-3, 10)[m], t[m]) for p, t, k in images for m in [k & (t >= 2) & (t < 4)]]
    predicted, target = (np.concatenate(part) for part in zip(*pairs, strict=True))
    assert {name: rows[1][name] for name in ("d1", "rmse")} == pytest.approx(
        {name: eigen_2014(predicted, target)[name] for name in ("d1", "rmse")}
    )


def test_an_image_without_a_pixel_that_counts_is_counted_and_left_out() -> None:
    images = rooms(10.0)
    empty = (images[0][0], images[0][1], np.zeros_like(images[0][2]))

    document = scores_of(METRIC, EvaluateConfig(protocol=Protocol.DA2), [*images, empty], 10.0).document()

    assert (document["num_images_scored"], document["num_images_without_valid_pixels"]) == (3, 1)


def test_every_protocol_names_its_source_and_a_spec_replaces_parts_of_it() -> None:
    assert set(PROTOCOLS) == set(Protocol)
    assert all("arXiv" in rules.source for rules in PROTOCOLS.values())

    rules = rules_of(
        EvaluateConfig(protocol=Protocol.KITTI, eval_crop=EvalCrop.EIGEN, max_depth=50.0), METRIC, 80.0, 1e-3
    )

    assert (rules.crop, rules.max_depth_m, rules.name) == ("eigen", 50.0, "kitti")


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(SpecError, match="found 20 and 10"):
        rules_of(EvaluateConfig(protocol=Protocol.NYU, min_depth=20.0), METRIC, 10.0, 1e-3)
