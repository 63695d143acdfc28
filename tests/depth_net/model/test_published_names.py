from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from depth_net.config.experiment import ExperimentConfig
from depth_net.errors import WeightsError
from depth_net.model.family import ModelType
from depth_net.model.published_names import doubts_of_start, is_first_version, published_name
from depth_net.model.restored import restore_model
from depth_net.model.spec_of_weights import spec_of_weights
from depth_net.model.weights import load_weights
from tests.depth_net.model.tiny import make_model

METRIC, RELATIVE = ModelType.METRIC, ModelType.RELATIVE
HUB = "hub/models--depth-anything--Depth-Anything-V2-Metric-Outdoor-Base-hf/snapshots/1f0a/model.safetensors"
NAMES = {
    "depth_anything_v2_vits.pth": (True, RELATIVE, None, "vits"),
    "depth_anything_v2_metric_hypersim_vitl.pth": (True, METRIC, 20.0, "vitl"),
    "depth_anything_v2_metric_vkitti_vitb.safetensors": (True, METRIC, 80.0, "vitb"),
    "Depth-Anything-V2-Metric-Indoor-Small-hf": (True, METRIC, 20.0, "vits"),
    HUB: (True, METRIC, 80.0, "vitb"),
    "my_metric_hypersim_vits_tuned.pth": (False, METRIC, 20.0, "vits"),
    "da2-metric-vkitti.ckpt": (False, METRIC, 80.0, None),
}


def config_of(**train: str) -> ExperimentConfig:
    return ExperimentConfig.model_validate(
        {"dataset": {"max_depth": 10, "min_depth": 0.1}, "model": {"encoder": "vit_tiny"}, "train": train}
    )


def save_flat(path: Path) -> Path:
    state = make_model().state_dict()
    torch.save({name.replace("metric_depth_head", "depth_head"): tensor for name, tensor in state.items()}, path)
    return path


@pytest.mark.parametrize("text", NAMES)
def test_a_published_name_says_family_range_and_encoder(text: str) -> None:
    name = published_name(Path("/weights") / text)

    assert name is not None
    assert (name.is_exact, name.family, name.max_depth_m, name.encoder) == NAMES[text]


@pytest.mark.parametrize("text", ["model.pth", "dn_model_best.pth", "symmetric_outdoors.pth", "vits.pth"])
def test_other_names_say_nothing(text: str) -> None:
    assert published_name(Path("/runs/demo") / text) is None


def test_a_metric_file_is_evaluated_with_the_range_of_its_name_or_refused(tmp_path: Path) -> None:
    path = save_flat(tmp_path / "depth_anything_v2_metric_hypersim_vits.pth")
    config = config_of()

    with pytest.raises(WeightsError, match=r"dataset\.max_depth: found 10\.0; expected 20\.0, .* by its name"):
        restore_model(config, str(path))

    open_range = config.model_copy(update={"dataset": config.dataset.model_copy(update={"max_depth": None})})
    assert restore_model(open_range, str(path)).max_depth_m == 20.0


def test_a_relative_file_is_no_metric_model(tmp_path: Path) -> None:
    path = save_flat(tmp_path / "depth_anything_v2_vits.pth")

    with pytest.raises(WeightsError, match=r"model_type: found MetricDepthAnything; expected RelativeDepthAnything"):
        restore_model(config_of(), str(path))


def test_a_name_with_the_words_of_a_published_one_is_a_doubt(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = save_flat(tmp_path / "my_metric_vkitti_tuned.pth")
    caplog.set_level(logging.WARNING)

    restore_model(config_of(), str(path))

    assert (
        "is named as MetricDepthAnything, 80 m; the spec says MetricDepthAnything, dataset.max_depth 10" in caplog.text
    )


def test_a_name_of_another_encoder_proves_no_range(tmp_path: Path) -> None:
    path = save_flat(tmp_path / "depth_anything_v2_metric_vkitti_vitb.pth")

    with pytest.raises(WeightsError, match="found a vit_tiny model under the name of a vitb"):
        spec_of_weights(path)
    notes = {"model_type": METRIC.value, "max_depth": 10.0}
    torch.save({"state_dict": make_model().state_dict(), "depth_net": notes}, path)
    assert spec_of_weights(path)["dataset"]["max_depth"] == 10.0


def test_our_own_notes_win_over_a_name(tmp_path: Path) -> None:
    state = make_model().state_dict()
    path = tmp_path / "depth_anything_v2_metric_vkitti_vitb.pth"
    torch.save({"state_dict": state, "depth_net": {"model_type": METRIC.value, "max_depth": 10.0}}, path)

    assert load_weights(path).max_depth_m == 10.0


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("depth_anything_v2_metric_hypersim_vits.pth", ["named vits, model.encoder is vit_tiny", "trained to 20 m"]),
        ("depth_anything_v2_vits.pth", ["named vits, model.encoder is vit_tiny", "the head has to learn the opposite"]),
        ("depth_anything_vits14.pth", ["Depth Anything V1"]),
        ("mine.pth", []),
    ],
)
def test_a_start_from_a_file_with_another_name_than_the_spec_is_doubted(file: str, expected: list[str]) -> None:
    doubts = doubts_of_start(config_of(pretrained_model_path=f"/weights/{file}"))

    assert len(doubts) == len(expected)
    assert all(words in doubt for words, doubt in zip(expected, doubts, strict=True))


def test_weights_of_the_first_version_are_not_evaluated(tmp_path: Path) -> None:
    path = save_flat(tmp_path / "depth_anything_vits14.pth")

    assert is_first_version(path)
    with pytest.raises(WeightsError, match="found Depth Anything V1, whose head reads other layers"):
        restore_model(config_of(), str(path))
