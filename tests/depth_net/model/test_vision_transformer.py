import torch
from torch import nn

from depth_net.model.encoders import ENCODERS
from depth_net.model.vision_transformer import VisionTransformer, position_embedding


def test_the_learned_grid_is_returned_as_it_is() -> None:
    learned = torch.randn(1, 26, 4)

    assert position_embedding(learned, 5, 5, 5) is learned


def test_sampling_points_are_shifted_by_a_tenth_of_a_patch() -> None:
    learned = torch.randn(1, 26, 4)
    square = learned[:, 1:].reshape(1, 5, 5, 4).permute(0, 3, 1, 2)

    found = position_embedding(learned, 5, 7, 10)

    without_offset = nn.functional.interpolate(square, size=(7, 10), mode="bicubic")
    with_offset = nn.functional.interpolate(square, scale_factor=(7.1 / 5, 10.1 / 5), mode="bicubic")
    assert torch.equal(found[:, 1:], with_offset.flatten(2).transpose(1, 2))
    assert not torch.allclose(found[:, 1:], without_offset.flatten(2).transpose(1, 2), atol=1e-3)
    assert torch.equal(found[:, :1], learned[:, :1])


def test_recomputing_blocks_gives_the_same_gradients() -> None:
    images = torch.randn(1, 3, 28, 42)
    gradients = []
    for recompute in (False, True):
        torch.manual_seed(0)
        encoder = VisionTransformer(ENCODERS["vit_tiny"], activation_checkpointing=recompute)
        nn.init.normal_(encoder.cls_token)
        sum(tap.square().sum() for tap in encoder(images, 2, 3)).backward()
        gradients.append({name: p.grad for name, p in encoder.named_parameters() if p.requires_grad})

    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], msg=name)
