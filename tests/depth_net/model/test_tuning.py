from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from depth_net.model.adapters import SCALE, adapter_state, merged
from depth_net.model.tuning import prepare_tuning
from tests.depth_net.model.tiny import make_model

if TYPE_CHECKING:
    from depth_net.model.depth_anything import DepthAnything

BLOCKS = 4
"""Of vit_tiny."""


def trained(model: DepthAnything) -> set[str]:
    return {name.removeprefix("network.") for name, p in model.named_parameters() if p.requires_grad}


def adapted_model(rank: int = 4, *, freeze: str = "none") -> DepthAnything:
    """A model whose adapters change its output."""
    model = make_model()
    prepare_tuning(model, freeze=freeze, lora_rank=rank)
    for name, parameter in model.named_parameters():
        if name.endswith("lora_b"):
            nn.init.normal_(parameter, std=0.1)
    return model


def test_a_frozen_encoder_leaves_the_head_alone() -> None:
    model = make_model()
    before = trained(model)

    prepare_tuning(model, freeze="encoder", lora_rank=0)

    assert trained(model) == {name for name in before if not name.startswith("backbone.")}
    assert not list(model.encoder_parameters())


def test_frozen_blocks_are_the_first_ones_and_the_embeddings() -> None:
    model = make_model()
    before = trained(model)

    prepare_tuning(model, freeze="blocks:3", lora_rank=0)

    frozen = {name.split(".")[1] if "embeddings" in name else name.split(".")[3] for name in before - trained(model)}
    assert frozen == {"embeddings", "0", "1", "2"}


def test_more_frozen_blocks_than_there_are_freeze_the_encoder() -> None:
    model = make_model()

    prepare_tuning(model, freeze=f"blocks:{BLOCKS}", lora_rank=0)

    assert not list(model.encoder_parameters())


@pytest.mark.parametrize(("freeze", "adapted"), [("none", "0123"), ("encoder", "0123"), ("blocks:1", "123")])
def test_adapters_are_the_trained_weights_of_the_encoder(freeze: str, adapted: str) -> None:
    model = adapted_model(freeze=freeze)

    names = {name for name in trained(model) if name.startswith("backbone.")}
    assert {name.split(".")[3] for name in names} == set(adapted)
    assert {name.rpartition(".")[2] for name in names} == {"lora_a", "lora_b"}
    assert len(names) == len(adapted) * 4 * 2


def test_a_new_adapter_changes_nothing() -> None:
    images = torch.randn(1, 3, 42, 42)
    model = make_model()
    before = model(images)

    prepare_tuning(model, freeze="none", lora_rank=8)

    assert torch.equal(model(images), before)
    assert torch.equal(model.train()(images), before)


def test_a_state_has_published_names_and_sums_that_compute_the_same() -> None:
    images = torch.randn(2, 3, 42, 42)
    model, plain = adapted_model(), make_model(seed=1)

    assert model.state_dict().keys() == plain.state_dict().keys()
    plain.load_state_dict(model.state_dict())

    assert torch.equal(model(images), plain(images))
    assert torch.allclose(model.train()(images), plain(images), atol=1e-4)
    assert not torch.allclose(make_model()(images), plain(images), atol=1e-2)


def test_matrices_and_factors_are_kept_beside_the_sums() -> None:
    model = adapted_model(rank=2)
    kept = adapter_state(model)
    name = "network.backbone.encoder.layer.0.attention.q_proj"

    weight, a, b = (kept[f"{name}.{part}"] for part in ("weight", "lora_a", "lora_b"))

    assert (a.shape, b.shape) == ((2, 64), (64, 2))
    assert torch.allclose(merged(weight, a, b), weight + SCALE * b @ a, atol=1e-6)
    assert torch.equal(model.state_dict()["pretrained.blocks.0.attn.qkv.weight"][:64], merged(weight, a, b))
    assert not adapter_state(make_model())


def test_layers_are_ordered_from_the_last_block_to_the_embeddings() -> None:
    model = make_model()

    layers = model.encoder_layers()

    blocks = model.network.backbone.encoder.layer
    assert len(layers) == BLOCKS + 1
    assert {id(p) for p in model.encoder_parameters()} == {id(p) for layer in layers for p in layer}
    assert any(p is blocks[-1].norm1.weight for p in layers[0])
    assert any(p is model.network.backbone.layernorm.weight for p in layers[0])
    assert any(p is blocks[0].norm1.weight for p in layers[-2])
    assert any(p is model.network.backbone.embeddings.cls_token for p in layers[-1])


@pytest.mark.filterwarnings("ignore")  # PyTorch's own, about its compiler
def test_an_adapted_block_is_one_graph_for_the_compiler() -> None:
    block = adapted_model().train().network.backbone.encoder.layer[0]
    tokens = torch.randn(1, 10, 64)

    compiled = torch.compile(block, backend="eager", fullgraph=True)

    assert torch.equal(compiled(tokens), block(tokens))  # type: ignore[no-untyped-call]  # PyTorch annotates in part
