from typing import Any

import pytest
import torch
from torch import Tensor, nn

from depth_net.model.depth_anything import DepthAnything
from depth_net.model.encoders import ENCODERS
from depth_net.model.family import ModelType
from depth_net.model.network import build_network, configure, position_embedding, position_embedding_by_products
from depth_net.model.resize import Resize

SHAPE = ENCODERS["vit_tiny"]


def make_model(*, activation_checkpointing: bool = False) -> DepthAnything:
    torch.manual_seed(0)
    return DepthAnything(
        encoder="vit_tiny",
        model_type=ModelType.METRIC,
        max_depth_m=10.0,
        activation_checkpointing=activation_checkpointing,
    )


def decode(model: DepthAnything, rows: int, columns: int) -> Tensor:
    taps = [torch.randn(2, 1 + rows * columns, SHAPE.width) for _ in SHAPE.taps]
    raw: Tensor = model.network.head(model.network.neck(taps, rows, columns), rows, columns)
    return raw


@pytest.mark.parametrize("name", ENCODERS)
def test_the_layers_are_those_of_transformers_with_fused_attention(name: str) -> None:
    from transformers import DepthAnythingForDepthEstimation  # noqa: PLC0415  # seconds to import, for this test alone

    with torch.device("meta"):
        network: Any = build_network(ENCODERS[name], resize=Resize.KERNEL)

    assert isinstance(network, DepthAnythingForDepthEstimation)
    assert network.backbone.config._attn_implementation == "sdpa"  # noqa: SLF001  # transformers has no other way to ask
    assert network.backbone.config.out_indices == [tap + 1 for tap in ENCODERS[name].taps]
    theirs = {type(module).__module__.split(".")[0] for module in network.modules()} - {"depth_net", "torch"}
    assert theirs == {"transformers"}


def test_transformers_own_forward_agrees_on_the_learned_grid() -> None:
    torch.manual_seed(0)
    model = DepthAnything(encoder="vit_tiny", model_type=ModelType.RELATIVE, max_depth_m=None).eval()
    theirs: Any = type(model.network)(configure(SHAPE)).eval()
    theirs.load_state_dict(model.network.state_dict())
    images = torch.randn(1, 3, 70, 70)

    with torch.inference_mode():
        expected = theirs(images).predicted_depth
        torch.testing.assert_close(model(images), expected, atol=1e-5, rtol=1e-5)


def test_no_parameter_is_left_uninitialised(monkeypatch: pytest.MonkeyPatch) -> None:
    to_empty = nn.Module.to_empty

    def to_nan(self: nn.Module, **options: Any) -> nn.Module:  # noqa: ANN401
        for parameter in to_empty(self, **options).parameters():
            nn.init.constant_(parameter, torch.nan)
        return self

    monkeypatch.setattr(nn.Module, "to_empty", to_nan)

    assert [name for name, tensor in make_model().state_dict().items() if not tensor.isfinite().all()] == []


def test_the_seed_decides_the_initial_weights() -> None:
    first, second = make_model().state_dict(), make_model().state_dict()

    assert all(torch.equal(second[name], tensor) for name, tensor in first.items())


def test_weights_are_drawn_as_in_the_published_training() -> None:
    state = make_model().state_dict()

    for name in ("pretrained.blocks.1.mlp.fc1.weight", "pretrained.pos_embed", "pretrained.blocks.0.attn.qkv.weight"):
        assert float(state[name].std()) == pytest.approx(0.02, rel=0.1), name
    uniform = state["metric_depth_head.scratch.layer4_rn.weight"]
    assert float(uniform.abs().max()) == pytest.approx(1 / uniform[0].numel() ** 0.5, rel=0.02)
    assert state["pretrained.blocks.2.ls1.gamma"].tolist() == [1] * SHAPE.width
    assert not state["pretrained.mask_token"].any()
    assert not state["pretrained.blocks.0.attn.qkv.bias"].any()


def test_the_map_has_fourteen_pixels_per_patch_for_odd_and_even_grids() -> None:
    for rows, columns in ((2, 3), (5, 4), (1, 1)):
        assert decode(make_model(), rows, columns).shape == (2, 14 * rows, 14 * columns)


def test_the_last_layer_stays_in_float32_under_autocast() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        raw = decode(make_model(), 2, 3)

    assert raw.dtype == torch.float32
    assert len(set(raw.flatten().tolist())) > 256  # a bfloat16 result of one sign and magnitude has far fewer levels


def test_only_what_never_runs_is_frozen() -> None:
    frozen = [name for name, parameter in make_model().network.named_parameters() if not parameter.requires_grad]

    unit = "neck.fusion_stage.layers.0.residual_layer1"
    assert sorted(name.removesuffix(".weight").removesuffix(".bias") for name in frozen) == [
        "backbone.embeddings.mask_token",
        *[f"{unit}.convolution{index}" for index in (1, 1, 2, 2)],
    ]


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


def test_recomputing_blocks_gives_the_same_gradients() -> None:
    images = torch.randn(1, 3, 28, 42)
    gradients = []
    for recompute in (False, True):
        model = make_model(activation_checkpointing=recompute).train()
        model(images).square().sum().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.requires_grad})

    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], msg=name)


@pytest.mark.parametrize("size", [(5, 5), (5, 7), (3, 5), (12, 4), (1, 1)])
def test_products_resample_position_embeddings_as_interpolation_does(size: tuple[int, int]) -> None:
    learned = torch.randn(1, 1 + 5 * 5, 8)

    expected = position_embedding(learned, *size)

    torch.testing.assert_close(position_embedding_by_products(learned, *size), expected, atol=1e-5, rtol=1e-5)
