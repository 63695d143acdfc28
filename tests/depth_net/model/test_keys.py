from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from depth_net.model.depth_anything import DepthAnything
from depth_net.model.encoders import ENCODERS
from depth_net.model.family import ModelType
from depth_net.model.keys import TransformersNames, to_original_keys, to_transformers_keys
from tests.depth_net.model.tiny import make_model

if TYPE_CHECKING:
    from torch import Tensor


def make_transformers_model(encoder: str, device: str) -> Any:  # noqa: ANN401  # a class without types
    from transformers import (  # noqa: PLC0415  # seconds to import, for these tests alone
        DepthAnythingConfig,
        DepthAnythingForDepthEstimation,
        Dinov2Config,
    )

    shape = ENCODERS[encoder]
    configure: Any = Dinov2Config  # its annotations lack the inherited arguments
    backbone = configure(
        image_size=14 * shape.grid,
        patch_size=14,
        hidden_size=shape.width,
        num_hidden_layers=shape.depth,
        num_attention_heads=shape.heads,
        mlp_ratio=4,
        use_swiglu_ffn=shape.swiglu,
        out_indices=[tap + 1 for tap in shape.taps],
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=shape.width,
        neck_hidden_sizes=list(shape.neck),
        fusion_hidden_size=shape.features,
        depth_estimation_type="relative",
    )
    with torch.device(device):
        return DepthAnythingForDepthEstimation(config)


def shapes_of(state: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_name_of_the_installed_transformers_has_a_published_one(encoder: str) -> None:
    with torch.device("meta"):
        published = DepthAnything(encoder=encoder, model_type=ModelType.RELATIVE, max_depth_m=None).state_dict()
    theirs = make_transformers_model(encoder, "meta").state_dict()

    assert shapes_of(to_original_keys(theirs)) == shapes_of(published)
    assert shapes_of(to_transformers_keys(published, TransformersNames.CURRENT)) == shapes_of(theirs)


@pytest.mark.parametrize("names", TransformersNames)
@pytest.mark.parametrize("encoder", ["vit_tiny", "vitg"])
def test_translation_there_and_back_changes_nothing(names: TransformersNames, encoder: str) -> None:
    with torch.device("meta"):
        state = DepthAnything(encoder=encoder, model_type=ModelType.RELATIVE, max_depth_m=None).state_dict()
    numbered = {name: torch.arange(tensor.shape[0]).float() for name, tensor in state.items()}

    back = to_original_keys(to_transformers_keys(numbered, names))

    assert back.keys() == numbered.keys()
    for name, tensor in numbered.items():
        assert torch.equal(back[name], tensor), name


@pytest.mark.filterwarnings("ignore")
def test_the_transformers_model_with_translated_weights_predicts_the_same() -> None:
    model = make_model(ModelType.RELATIVE)
    theirs = make_transformers_model("vit_tiny", "cpu").eval()
    theirs.load_state_dict(to_transformers_keys(model.state_dict(), TransformersNames.CURRENT))
    images = torch.randn(2, 3, 70, 70)

    with torch.inference_mode():
        torch.testing.assert_close(model(images), theirs(images).predicted_depth, atol=1e-5, rtol=1e-5)


def test_published_names_pass_through() -> None:
    state = make_model().state_dict()

    assert list(to_original_keys(state)) == list(state)


def test_the_metric_head_has_the_common_name_in_transformers() -> None:
    relative = to_transformers_keys(make_model(ModelType.RELATIVE).state_dict(), TransformersNames.CLASSIC)
    metric = to_transformers_keys(make_model(ModelType.METRIC).state_dict(), TransformersNames.CLASSIC)

    assert relative.keys() == metric.keys()
    assert "backbone.encoder.layer.0.attention.attention.query.weight" in metric


def test_names_that_no_layout_knows_stay_for_the_model_to_refuse() -> None:
    state = to_transformers_keys(make_model().state_dict(), TransformersNames.CURRENT)

    assert "surplus.weight" in to_original_keys({**state, "surplus.weight": torch.zeros(1)})
