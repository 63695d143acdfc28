import copy
import io

import pytest
import torch
from torch import nn

from depth_net.model.published_state import publish
from tests.depth_net.model.tiny import make_model

QKV = "pretrained.blocks.0.attn.qkv.weight"


class Task(nn.Module):
    """A module around the model, as Lightning's."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.model = make_model(seed=seed)


def test_a_state_joins_queries_keys_and_values_in_this_order() -> None:
    model = make_model()

    joint = model.state_dict()[QKV]

    attention = model.network.backbone.encoder.layer[0].attention
    parts = [dict(attention.named_parameters())[f"{name}_proj.weight"] for name in ("q", "k", "v")]
    assert torch.equal(joint, torch.cat(parts))


def test_a_state_survives_a_file_inside_another_module() -> None:
    first, second = Task(0), Task(1)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)

    second.load_state_dict(torch.load(file, weights_only=True), strict=True)

    assert {name.split(".")[1] for name in first.state_dict()} == {"pretrained", "metric_depth_head"}
    for name, parameter in first.named_parameters():
        assert torch.equal(second.get_parameter(name), parameter), name


def test_strict_loading_names_every_mismatch_as_published() -> None:
    task = Task(0)
    state = task.state_dict()
    del state[f"model.{QKV}"]
    state["model.pretrained.surplus"] = torch.zeros(1)

    with pytest.raises(RuntimeError) as caught:
        task.load_state_dict(state, strict=True)

    text = str(caught.value)
    assert f'Missing key(s) in state_dict: "model.{QKV}".' in text
    assert 'Unexpected key(s) in state_dict: "model.pretrained.surplus".' in text
    assert "network" not in text


def test_a_copy_of_a_model_has_its_own_state() -> None:
    model = make_model()
    copied = copy.deepcopy(model)

    with torch.no_grad():
        copied.network.backbone.encoder.layer[0].norm1.weight.fill_(7)

    assert copied.state_dict()["pretrained.blocks.0.norm1.weight"].unique().tolist() == [7]
    assert model.state_dict()["pretrained.blocks.0.norm1.weight"].unique().tolist() != [7]


def test_live_parameters_keep_their_live_names_until_they_are_published() -> None:
    task = Task(0)
    live = task.state_dict(keep_vars=True)
    assert live["model.network.backbone.layernorm.weight"] is task.model.network.backbone.layernorm.weight

    for _ in range(2):
        publish(task.model, live, "model.")

    assert live.keys() == task.state_dict().keys()


def test_layers_are_known_by_their_published_names() -> None:
    layers = make_model().layers()

    prefix = "network.backbone.encoder.layer.3"
    assert layers["pretrained.blocks.3.mlp.fc2"] == (f"{prefix}.mlp.fc2",)
    assert len(layers["pretrained.blocks.3.attn.qkv"]) == 3
    assert layers["metric_depth_head.scratch.output_conv2.2"] == ("network.head.conv3",)
