import pytest
import torch
from torch import nn

from depth_net.model.quantized import WeightType, is_quantized_tensor, quantize_layers
from depth_net.model.rows import is_plain, join_rows, split_rows
from tests.depth_net.model.tiny import make_model


def test_rows_are_joined_and_split_in_order() -> None:
    parts = [torch.full((2, 3), float(index)) for index in range(3)]

    joint = join_rows(parts)

    assert joint.shape == (6, 3)
    assert all(torch.equal(part, again) for part, again in zip(parts, split_rows(joint, 3), strict=True))
    assert join_rows(parts[:1]) is parts[0]
    assert split_rows(joint, 1)[0] is joint


def test_parameters_are_plain() -> None:
    assert is_plain(nn.Parameter(torch.zeros(1)))
    assert is_plain(torch.zeros(1))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", WeightType)
def test_eight_bit_rows_are_joined_and_split_without_a_change(kind: WeightType) -> None:
    model = make_model()
    name = "pretrained.blocks.0.attn.qkv"
    plain = model.state_dict()[f"{name}.weight"]
    quantize_layers(model, {name: kind})
    live = [model.get_parameter(f"{layer}.weight") for layer in model.layers()[name]]

    joint = join_rows(live)

    assert is_quantized_tensor(joint)
    assert joint.shape == plain.shape
    values = joint.dequantize()
    assert float((values - plain).abs().max()) < 0.05 * float(plain.abs().max())
    assert torch.equal(values, torch.cat([part.dequantize() for part in live]))
    for part, again in zip(live, split_rows(joint, 3), strict=True):
        assert torch.equal(part.dequantize(), again.dequantize())
