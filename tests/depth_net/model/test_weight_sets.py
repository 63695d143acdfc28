from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import pytest
import torch

from depth_net.errors import WeightsError
from depth_net.model.checkpoint_file import open_weights
from depth_net.model.weights import load_weights
from tests.depth_net.model.tiny import make_model, save_like_lightning

if TYPE_CHECKING:
    from pathlib import Path

STATE = {"pretrained.cls_token": torch.ones(1, 1, 64), "depth_head.bias": torch.zeros(2)}
OTHER = {name: tensor + 1 for name, tensor in STATE.items()}
BACKBONE = {"cls_token": torch.ones(1, 1, 64), "blocks.0.1.norm1.weight": torch.ones(3)}


def under(prefix: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


def save(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize(
    "content",
    [
        {"model_state_dict": STATE, "optimizer_state_dict": {"state": {0: {"exp_avg": torch.ones(2)}}}},
        {"net": STATE, "epoch": 3},
        {"ema": under("module.", STATE)},
        {"state_dict": under("module.model.", STATE), "best_acc1": 0.5},
        {"checkpoint": {"model": STATE}},
        {"model": under("module.", STATE), "args": argparse.Namespace(lr=1e-4)},
        {**STATE, "queue": {"other": torch.ones(3)}},
    ],
)
def test_the_weights_of_a_script_are_found_wherever_it_keeps_them(tmp_path: Path, content: dict[str, Any]) -> None:
    opened = open_weights(save(tmp_path / "weights.pth", content)).state

    assert {name: opened[name].tolist() for name in STATE} == {name: t.tolist() for name, t in STATE.items()}


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"model": OTHER, "model_ema": STATE}, "model_ema"),
        ({"net": OTHER, "ema": under("module.", STATE)}, "ema"),
        ({"student": under("backbone.", OTHER), "teacher": under("backbone.", STATE)}, "teacher"),
        ({"model": {**under("student.backbone.", OTHER), **under("teacher.backbone.", STATE)}}, "model.teacher"),
    ],
)
def test_of_several_sets_the_key_says_which(tmp_path: Path, content: dict[str, Any], key: str) -> None:
    path = save(tmp_path / "weights.pth", content)

    assert torch.equal(open_weights(path, key).state["pretrained.cls_token"], STATE["pretrained.cls_token"])
    for wrong in ("", "none"):
        with pytest.raises(WeightsError, match=rf"several sets of weights \(.*{key}.*\).*set model\.weights_key"):
            open_weights(path, wrong)


def test_a_key_is_not_read_for_a_file_with_one_set(tmp_path: Path) -> None:
    path = save_like_lightning(tmp_path / "own.pth", STATE)

    assert open_weights(path, "teacher").state.keys() == STATE.keys()


def test_of_a_lightning_checkpoint_the_model_is_taken(tmp_path: Path) -> None:
    path = save_like_lightning(tmp_path / "own.pth", STATE)
    content = torch.load(path, weights_only=True)
    content["state_dict"] |= under("ema_model.", OTHER)
    save(path, content)

    assert torch.equal(open_weights(path).state["pretrained.cls_token"], STATE["pretrained.cls_token"])
    assert torch.equal(open_weights(path, "ema_model").state["pretrained.cls_token"], OTHER["pretrained.cls_token"])


def test_a_teacher_of_dinov2s_training_gives_its_backbone_with_blocks_numbered_through(tmp_path: Path) -> None:
    teacher = {**under("backbone.", BACKBONE), "dino_head.mlp.0.weight": torch.ones(2)}

    opened = open_weights(save(tmp_path / "teacher.pth", {"teacher": teacher})).state

    assert sorted(opened) == ["blocks.1.norm1.weight", "cls_token"]


def test_weights_of_another_model_are_refused_by_their_names(tmp_path: Path) -> None:
    path = save(tmp_path / "resnet.pth", {"model": {"layer1.0.conv1.weight": torch.ones(2)}})

    with pytest.raises(WeightsError, match=r"another model \(first names: model\.layer1\.0\.conv1\.weight\)"):
        load_weights(path)


def test_floats_of_eight_bits_are_refused_in_a_sentence(tmp_path: Path) -> None:
    state = make_model().state_dict()
    name = "pretrained.blocks.0.attn.qkv.weight"
    path = save(tmp_path / "weights.pth", {**state, name: state[name].to(torch.float8_e4m3fn)})

    with pytest.raises(WeightsError, match=rf"found 1 tensors of float8_e4m3fn, such as {name}; expected float32"):
        load_weights(path)
