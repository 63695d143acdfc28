from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

from depth_net.errors import WeightsError
from depth_net.model.depth_anything import DepthAnything
from depth_net.model.family import ModelType
from depth_net.model.keys import TransformersNames, to_transformers_keys
from depth_net.model.weights import METADATA_KEY, Layout, apply_weights, load_weights, metadata_of
from tests.depth_net.model.tiny import make_model, save_like_lightning

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

METRIC, RELATIVE = ModelType.METRIC, ModelType.RELATIVE


def assert_same_weights(model: DepthAnything, state: dict[str, Tensor]) -> None:
    own = model.state_dict()
    for name, tensor in state.items():
        assert torch.equal(own[name], tensor), name


def encoder_of(model: DepthAnything) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in model.state_dict().items() if name.startswith("pretrained.")}


def save_backbone(model: DepthAnything, path: Path, **more: Tensor) -> None:
    torch.save({name.removeprefix("pretrained."): tensor for name, tensor in encoder_of(model).items()} | more, path)


def save_transformers_folder(folder: Path, model: DepthAnything) -> Path:
    folder.mkdir()
    state = to_transformers_keys(model.state_dict(), TransformersNames.CLASSIC)
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / "model.safetensors")
    kind = "metric" if model.model_type is METRIC else "relative"
    config = {"depth_estimation_type": kind, "max_depth": 10}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.mark.parametrize("model_type", ModelType)
def test_checkpoints_of_every_kind_restore_the_same_model(tmp_path: Path, model_type: ModelType) -> None:
    model = make_model(model_type)
    state = model.state_dict()
    flat = {name.replace("metric_depth_head", "depth_head"): tensor for name, tensor in state.items()}
    torch.save(flat, tmp_path / "public.pth")
    torch.save({"model": {f"module.{name}": tensor for name, tensor in flat.items()}}, tmp_path / "script.pth")
    save_file(flat, tmp_path / "public.safetensors")
    paths = {
        tmp_path / "public.pth": Layout.DEPTH_ANYTHING,
        tmp_path / "script.pth": Layout.DEPTH_ANYTHING,
        tmp_path / "public.safetensors": Layout.DEPTH_ANYTHING,
        save_like_lightning(tmp_path / "lightning.pth", state): Layout.DEPTH_ANYTHING,
        save_transformers_folder(tmp_path / "folder", model): Layout.TRANSFORMERS,
    }
    for path, layout in paths.items():
        weights = load_weights(path)
        other = make_model(model_type, seed=1)

        apply_weights(other, weights)

        assert (weights.layout, weights.encoder, weights.has_head) == (layout, "vit_tiny", True)
        assert_same_weights(other, state)


def test_a_dinov2_backbone_fills_the_encoder_and_leaves_the_head(tmp_path: Path) -> None:
    donor = make_model(RELATIVE)
    backbone = encoder_of(donor)
    save_backbone(donor, tmp_path / "dinov2_vit_pretrain.pth")
    model = make_model(METRIC, seed=1)
    head = {name: tensor.clone() for name, tensor in model.state_dict().items() if "head" in name}

    weights = load_weights(tmp_path / "dinov2_vit_pretrain.pth")
    apply_weights(model, weights, is_starting_point=True)

    assert (weights.layout, weights.has_head, weights.family) == (Layout.DINOV2, False, None)
    assert_same_weights(model, backbone)
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in head.items())
    with pytest.raises(WeightsError, match="the head: found a backbone alone"):
        apply_weights(model, weights)


def test_the_transformers_backbone_alone_is_recognised(tmp_path: Path) -> None:
    donor = make_model(RELATIVE)
    state = to_transformers_keys(donor.state_dict(), TransformersNames.CLASSIC)
    names = {name.removeprefix("backbone."): value for name, value in state.items() if name.startswith("backbone.")}
    torch.save(names, tmp_path / "dinov2.bin")

    weights = load_weights(tmp_path / "dinov2.bin")

    assert (weights.layout, weights.has_head, weights.encoder) == (Layout.TRANSFORMERS, False, "vit_tiny")
    assert_same_weights(donor, dict(weights.state))


def test_the_head_alone_can_be_left_out(tmp_path: Path) -> None:
    torch.save(make_model(RELATIVE).state_dict(), tmp_path / "full.pth")

    backbone = load_weights(tmp_path / "full.pth").without_head()

    assert not backbone.has_head
    assert all(name.startswith("pretrained.") for name in backbone.state)


def test_training_may_start_from_the_other_family_and_evaluation_may_not(tmp_path: Path) -> None:
    donor = make_model(RELATIVE)
    weights = load_weights(save_like_lightning(tmp_path / "relative.pth", donor.state_dict()))
    model = make_model(METRIC, seed=1)

    with pytest.raises(WeightsError, match=re.escape("model.model_type: found MetricDepthAnything; expected Relative")):
        apply_weights(model, weights)
    apply_weights(model, weights, is_starting_point=True)

    renamed = {name.replace("depth_head", "metric_depth_head"): value for name, value in donor.state_dict().items()}
    assert_same_weights(model, renamed)


def test_another_depth_range_than_that_of_training_is_refused(tmp_path: Path) -> None:
    model = make_model(METRIC)
    notes = metadata_of(model, min_depth_m=0.001)
    torch.save({"state_dict": model.state_dict(), METADATA_KEY: notes}, tmp_path / "ours.pth")
    other = DepthAnything(encoder="vit_tiny", model_type=METRIC, max_depth_m=80.0)

    weights = load_weights(tmp_path / "ours.pth")

    assert weights.max_depth_m == 10.0
    with pytest.raises(WeightsError, match=r"dataset\.max_depth: found 80\.0; expected 10\.0"):
        apply_weights(other, weights)
    apply_weights(other, weights, is_starting_point=True)


def test_every_mismatch_is_named_at_once_and_nothing_is_copied(tmp_path: Path) -> None:
    model = make_model(METRIC)
    state = dict(model.state_dict())
    state["surplus.weight"] = torch.zeros(1)
    del state["pretrained.norm.weight"]
    state["pretrained.pos_embed"] = torch.zeros(1, 1370, 64)
    state["pretrained.norm.bias"] = torch.full((64,), torch.nan)
    torch.save(state, tmp_path / "odd.pth")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    with pytest.raises(WeightsError) as caught:
        apply_weights(model, load_weights(tmp_path / "odd.pth"))

    text = str(caught.value)
    assert "1 missing: pretrained.norm.weight" in text
    assert "1 unknown to the model: surplus.weight" in text
    assert "1 of another shape: pretrained.pos_embed (1, 1370, 64) instead of (1, 26, 64)" in text
    assert "1 not finite: pretrained.norm.bias" in text
    assert_same_weights(model, before)


def test_the_wrong_encoder_is_named_instead_of_its_hundreds_of_shapes(tmp_path: Path) -> None:
    torch.save(make_model(RELATIVE).state_dict(), tmp_path / "tiny.pth")
    with torch.device("meta"):
        small = DepthAnything(encoder="vits", model_type=RELATIVE, max_depth_m=None)

    with pytest.raises(WeightsError) as caught:
        apply_weights(small, load_weights(tmp_path / "tiny.pth"))

    assert str(caught.value).splitlines()[1:] == [
        "  model.encoder: found vits; expected vit_tiny, which the file holds",
    ]


def test_weights_of_another_model_are_refused_with_their_first_names(tmp_path: Path) -> None:
    torch.save({"layer1.0.conv1.weight": torch.zeros(1)}, tmp_path / "resnet.pth")
    save_backbone(make_model(), tmp_path / "reg4.pth", register_tokens=torch.zeros(1))
    torch.save({"pretrained.cls_token": torch.zeros(1, 1, 512)}, tmp_path / "wide.pth")
    cases = {"resnet": "weights of another model (first names: layer1.0.conv1.weight)", "reg4": "register tokens"}
    for name, text in {**cases, "wide": "an encoder 512 wide with 0 blocks"}.items():
        with pytest.raises(WeightsError, match=re.escape(text)):
            load_weights(tmp_path / f"{name}.pth")


def test_a_file_without_the_mask_token_is_complete(tmp_path: Path) -> None:
    state = dict(make_model().state_dict())
    del state["pretrained.mask_token"]
    torch.save(state, tmp_path / "no_mask.pth")

    apply_weights(make_model(seed=1), load_weights(tmp_path / "no_mask.pth"))


def test_weights_that_are_no_real_numbers_are_named(tmp_path: Path) -> None:
    state = {name: tensor.to(torch.complex64) for name, tensor in make_model().state_dict().items()}
    torch.save(state, tmp_path / "complex.pth")

    with pytest.raises(WeightsError, match=f"{len(state)} no real numbers: "):
        apply_weights(make_model(seed=1), load_weights(tmp_path / "complex.pth"))


def test_notes_that_name_no_family_say_nothing(tmp_path: Path) -> None:
    notes = {"model_type": "QuantumDepth", "max_depth": "x"}
    torch.save({"state_dict": make_model(RELATIVE).state_dict(), METADATA_KEY: notes}, tmp_path / "odd.pth")

    weights = load_weights(tmp_path / "odd.pth")

    assert (weights.family, weights.max_depth_m) == (None, None)
