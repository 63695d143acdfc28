from dataclasses import replace

import torch
from torch import nn

from depth_net.model.blocks import Block, position_embedding
from depth_net.model.encoders import ENCODERS
from tests.depth_net.model.transformers_model import make_transformers_model


def test_the_gated_perceptron_is_that_of_transformers() -> None:
    from transformers.models.dinov2.modeling_dinov2 import Dinov2Layer  # noqa: PLC0415  # seconds to import

    config = make_transformers_model("vitg", "meta").backbone.config
    config.hidden_size, config.num_attention_heads = 48, 4
    theirs = Dinov2Layer(config)
    ours = Block(replace(ENCODERS["vitg"], width=48, heads=4))
    ours.load_state_dict(theirs.state_dict())
    tokens = torch.randn(2, 7, 48)

    torch.testing.assert_close(ours(tokens), theirs(tokens), atol=1e-6, rtol=1e-5)


def test_the_learned_grid_is_returned_as_it_is() -> None:
    learned = torch.randn(1, 26, 4)

    assert position_embedding(learned, 5, 5) is learned


def test_sampling_points_are_shifted_by_a_tenth_of_a_patch() -> None:
    learned = torch.randn(1, 26, 4)
    square = learned[:, 1:].reshape(1, 5, 5, 4).permute(0, 3, 1, 2)

    found = position_embedding(learned, 7, 10)

    without_offset = nn.functional.interpolate(square, size=(7, 10), mode="bicubic")
    with_offset = nn.functional.interpolate(square, scale_factor=(7.1 / 5, 10.1 / 5), mode="bicubic")
    assert torch.equal(found[:, 1:], with_offset.flatten(2).transpose(1, 2))
    assert not torch.allclose(found[:, 1:], without_offset.flatten(2).transpose(1, 2), atol=1e-3)
    assert torch.equal(found[:, :1], learned[:, :1])
