from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from depth_net.errors import SpecError
from depth_net.model.quantized import (
    DEFAULT_RULES,
    LayerRule,
    WeightType,
    choose_layers,
    is_quantized_tensor,
    quantize_layers,
    read_rules,
)
from tests.depth_net.model.tiny import make_model

INT8, FP8 = WeightType.INT8, WeightType.FP8


def test_no_rules_mean_int8_for_every_linear_layer(caplog: pytest.LogCaptureFixture) -> None:
    rules = read_rules(())

    layers = choose_layers(make_model(), rules)

    assert rules == DEFAULT_RULES
    assert "every Linear layer gets int8 weights" in caplog.text
    assert len(layers) == 16
    assert set(layers.values()) == {INT8}


def test_later_rules_win_and_skipped_names_stay() -> None:
    rules = read_rules(
        [
            {"module_name": "Linear", "weights": {"dtype": "int8"}},
            {"module_name": "*.mlp.*", "weights": {"dtype": "fp8_e5m2"}},
            {"module_name": "*.blocks.3.*", "weights": {"dtype": "native"}},
        ]
    )

    layers = choose_layers(make_model(), rules, ["pretrained.blocks.0.*"])

    assert layers == {
        f"pretrained.blocks.{block}.{part}": kind
        for block in (1, 2)
        for part, kind in (("attn.qkv", INT8), ("attn.proj", INT8), ("mlp.fc1", FP8), ("mlp.fc2", FP8))
    }


@pytest.mark.parametrize(
    ("pattern", "skip", "text"),
    [
        ("backbone.*", (), "found 'backbone.*', which matches no layer"),
        ("Conv2d", (), "found no layer to quantise"),
        ("Linear", ("Linear",), "found no layer to quantise"),
    ],
)
def test_quantising_nothing_is_refused(pattern: str, skip: tuple[str, ...], text: str) -> None:
    with pytest.raises(SpecError, match=re.escape(text)):
        choose_layers(make_model(), [LayerRule(pattern=pattern, weight_type=INT8)], skip)


def test_every_mistake_in_the_rules_is_reported_at_once() -> None:
    layers: list[dict[str, Any]] = [
        {"module_name": "Linear", "weights": {"dtype": "int4"}},
        {"weights": {"dtype": "int8"}, "activations": {"dtype": "int8"}, "bits": 8},
    ]

    with pytest.raises(SpecError) as caught:
        read_rules(layers)

    assert [line.strip().split(": found")[0] for line in str(caught.value).splitlines()[1:]] == [
        "quantize.layers[0].weights.dtype",
        "quantize.layers[1].module_name",
        "quantize.layers[1].activations.dtype",
        "quantize.layers[1]",
    ]


@pytest.mark.filterwarnings("ignore")
def test_int8_weights_change_a_prediction_by_less_than_two_percent() -> None:
    model = make_model()
    images = torch.randn(1, 3, 42, 42)
    with torch.inference_mode():
        before = model(images)

    quantize_layers(model, choose_layers(model, DEFAULT_RULES))

    assert is_quantized_tensor(model.state_dict()["pretrained.blocks.0.attn.qkv.weight"])
    with torch.inference_mode():
        after = model(images)
    assert 0 < float((after - before).abs().mean()) < 0.02 * float(before.mean())
