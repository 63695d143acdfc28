"""Parity with the published architecture, written a second time in `benchmarks.depth_net.published_model`."""

from __future__ import annotations

import re

import pytest
import torch

from benchmarks.depth_net.published_model import PublishedModel
from depth_net.errors import SpecError
from depth_net.model.depth_anything import DepthAnything
from depth_net.model.encoders import ENCODERS
from depth_net.model.family import ModelType
from depth_net.model.resize import Resize
from tests.depth_net.model.tiny import make_model

COUNTS = {
    "vits": (22_056_576, 2_728_513, 239),
    "vitb": (86_580_480, 10_890_305, 239),
    "vitl": (304_368_640, 30_947_009, 407),
    "vitg": (1_136_480_768, 121_651_457, 631),
    "vit_tiny": (240_064, 76_201, 127),
}
RELATIVE_SIZES = [(518, 518), (98, 98), (70, 126), (518, 686)]


def assert_parity(encoder: str, model_type: ModelType, sizes: list[tuple[int, int]]) -> None:
    model = make_model(model_type, encoder)
    published = PublishedModel(encoder, model.max_depth_m).eval()
    published.load_state_dict(model.state_dict())
    for size in sizes:
        images = torch.randn(1, 3, *size)
        with torch.inference_mode():
            found, expected = model(images), published(images)
        assert found.shape == (1, *size)
        assert float(expected.std()) > 0.1, "the weights must make the output vary"
        difference, largest = (found - expected).abs(), float(expected.max())
        assert float(difference.mean()) <= 1e-6 * largest, size
        assert float(difference.max()) <= 1e-5 * largest, size


def assert_rounding_only(encoder: str, model_type: ModelType, sizes: list[tuple[int, int]]) -> None:
    """A model with new weights, whose outputs are near 0.5 or half of the depth range, differs by a few last digits."""
    max_depth_m = 10.0 if model_type is ModelType.METRIC else None
    model = DepthAnything(encoder=encoder, model_type=model_type, max_depth_m=max_depth_m).eval()
    published = PublishedModel(encoder, max_depth_m).eval()
    published.load_state_dict(model.state_dict())
    for size in sizes:
        images = torch.randn(1, 3, *size)
        with torch.inference_mode():
            difference = float((model(images) - published(images)).abs().max())
        assert difference <= (2e-6 if max_depth_m else 1e-6), (size, difference)


@pytest.mark.parametrize("encoder", COUNTS)
@pytest.mark.parametrize("model_type", ModelType)
def test_parameters_are_counted_as_published(encoder: str, model_type: ModelType) -> None:
    with torch.device("meta"):
        model = DepthAnything(
            encoder=encoder, model_type=model_type, max_depth_m=10.0 if model_type is ModelType.METRIC else None
        )

    sizes = {name: tensor.numel() for name, tensor in model.state_dict().items()}
    in_encoder = sum(count for name, count in sizes.items() if name.startswith("pretrained."))
    in_head = sum(sizes.values()) - in_encoder
    assert (in_encoder, in_head, len(model.state_dict())) == COUNTS[encoder]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_names_and_shapes_are_those_of_the_published_layout(encoder: str) -> None:
    with torch.device("meta"):
        model = DepthAnything(encoder=encoder, model_type=ModelType.RELATIVE, max_depth_m=None)
        published = PublishedModel(encoder)

    found = {name: tensor.shape for name, tensor in model.state_dict().items()}
    assert found == {name: tensor.shape for name, tensor in published.state_dict().items()}


@pytest.mark.parametrize("model_type", ModelType)
def test_the_tiny_model_predicts_what_the_published_architecture_predicts(model_type: ModelType) -> None:
    assert_parity("vit_tiny", model_type, [(70, 70), (98, 98), (70, 126), (14, 28)])
    assert_rounding_only("vit_tiny", model_type, [(70, 70), (70, 126)])


@pytest.mark.parametrize("size", [(70, 70), (70, 126), (196, 42)])
def test_in_float64_the_published_architecture_agrees_to_twelve_digits(size: tuple[int, int]) -> None:
    model = make_model(ModelType.RELATIVE)
    published = PublishedModel("vit_tiny").eval()
    published.load_state_dict(model.state_dict())
    images = torch.randn(1, 3, *size, dtype=torch.float64)

    with torch.inference_mode():
        torch.testing.assert_close(model.double()(images), published.double()(images), atol=1e-12, rtol=1e-12)


def test_the_small_model_predicts_what_the_published_architecture_predicts() -> None:
    assert_parity("vits", ModelType.RELATIVE, [(518, 518), (98, 98), (70, 126)])


@pytest.mark.slow
@pytest.mark.timeout(3000)  # the largest one computes for minutes on a processor
@pytest.mark.parametrize("encoder", ["vits", "vitb", "vitl"])
@pytest.mark.parametrize("model_type", ModelType)
def test_models_of_every_size_predict_what_the_published_architecture_predicts(
    encoder: str, model_type: ModelType
) -> None:
    assert_parity(encoder, model_type, RELATIVE_SIZES)
    assert_rounding_only(encoder, model_type, [(518, 518), (518, 686)])


def test_the_gated_encoder_predicts_what_the_published_architecture_predicts(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.depth_net import published_model  # noqa: PLC0415  # its table is changed below
    from depth_net.model import depth_anything  # noqa: PLC0415

    tiny = ENCODERS["vit_tiny"]
    gated = tiny.__class__(
        width=48, depth=4, heads=3, features=8, neck=(8, 8, 16, 16), taps=tiny.taps, swiglu=True, grid=5
    )
    sizes = published_model.Sizes(48, 4, 3, 8, (8, 8, 16, 16), (0, 1, 2, 3), swiglu=True, grid=5)
    monkeypatch.setattr(depth_anything, "ENCODERS", {"gated": gated})
    monkeypatch.setitem(published_model.SIZES, "gated", sizes)

    assert_parity("gated", ModelType.RELATIVE, [(70, 70), (42, 98)])


def test_every_trainable_parameter_gets_a_gradient() -> None:
    model = make_model(ModelType.RELATIVE).train()

    model(torch.randn(2, 3, 42, 56)).square().mean().backward()

    groups = [*model.encoder_parameters(), *model.head_parameters()]
    assert all(parameter.grad is not None for parameter in groups)
    assert len(groups) == sum(parameter.requires_grad for parameter in model.parameters())


def test_metric_predictions_lie_in_the_depth_range_in_float32() -> None:
    model = make_model()

    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        depth = model(10 * torch.randn(1, 3, 28, 28))

    assert depth.dtype == torch.float32
    assert 0 <= float(depth.min()) <= float(depth.max()) <= 10


@pytest.mark.parametrize("convolution_init", ["pytorch", "transformers"])
@pytest.mark.parametrize("seed", range(6))
def test_a_new_relative_model_predicts_more_than_zeros(convolution_init: str, seed: int) -> None:
    torch.manual_seed(seed)
    model = DepthAnything(
        encoder="vit_tiny",
        model_type=ModelType.RELATIVE,
        max_depth_m=None,
        convolution_init="pytorch" if convolution_init == "pytorch" else "transformers",
    )

    predicted = model(torch.randn(1, 3, 56, 70))

    assert float((predicted > 0).float().mean()) > 0.9


@pytest.mark.parametrize("shape", [(1, 3, 70, 71), (3, 70, 70), (1, 1, 70, 70), (1, 3, 0, 14)])
def test_images_of_an_impossible_shape_are_refused_with_the_nearest_size(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"multiples of 14, e\.g\. "):
        make_model()(torch.zeros(shape))


@pytest.mark.parametrize(
    ("encoder", "model_type", "max_depth_m", "text"),
    [
        ("vitx", ModelType.METRIC, 10.0, "model.encoder: found 'vitx'; expected one of vits"),
        ("vits", ModelType.METRIC, None, "dataset.max_depth: found None; expected a depth in metres above 0"),
        ("vits", ModelType.METRIC, float("nan"), "dataset.max_depth: found nan"),
        ("vits", ModelType.RELATIVE, 10.0, "found 10.0 with the relative model"),
    ],
)
def test_a_model_that_makes_no_sense_is_refused(
    encoder: str, model_type: ModelType, max_depth_m: float | None, text: str
) -> None:
    with pytest.raises(SpecError, match=re.escape(text)):
        DepthAnything(encoder=encoder, model_type=model_type, max_depth_m=max_depth_m)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("resize", Resize)
def test_the_model_is_one_graph_to_the_compiler(resize: Resize) -> None:
    model = DepthAnything(encoder="vit_tiny", model_type=ModelType.METRIC, max_depth_m=10.0, resize=resize)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    images = torch.randn(1, 3, 28, 42)

    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(compiled(images), model(images), atol=0.02, rtol=0.01)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_compiled_parts_keep_the_names_of_the_weights() -> None:
    model = make_model()
    names = list(model.state_dict())

    model.compile_parts()

    assert list(model.state_dict()) == names
