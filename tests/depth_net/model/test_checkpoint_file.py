from __future__ import annotations

import pickle
import random
import re
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

from depth_net.errors import WeightsError
from depth_net.model.checkpoint_file import Container, open_weights
from tests.depth_net.model.tiny import save_like_lightning

if TYPE_CHECKING:
    from pathlib import Path

STATE = {"pretrained.cls_token": torch.ones(1, 1, 64), "depth_head.bias": torch.zeros(2)}


@pytest.mark.parametrize(
    ("content", "container"),
    [
        (STATE, Container.FLAT),
        ({"model": {f"module.{name}": tensor for name, tensor in STATE.items()}}, Container.WRAPPED),
        ({"state_dict": STATE, "depth_net": {"encoder": "vit_tiny"}}, Container.WRAPPED),
        (
            {f"_forward_module.model._fsdp_wrapped_module.{name}": tensor for name, tensor in STATE.items()},
            Container.FLAT,
        ),
        ({name.replace(".", "._orig_mod."): tensor for name, tensor in STATE.items()}, Container.FLAT),
        ({f"_orig_mod.module.{name}": tensor for name, tensor in STATE.items()}, Container.FLAT),
    ],
)
def test_a_state_is_found_in_every_wrapping(tmp_path: Path, content: dict[str, object], container: Container) -> None:
    path = tmp_path / "weights.pth"
    torch.save(content, path)

    opened = open_weights(path)

    assert opened.container is container
    assert opened.state.keys() == STATE.keys()
    assert all(torch.equal(opened.state[name], tensor) for name, tensor in STATE.items())


def test_a_file_of_the_old_format_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    torch.save(STATE, path, _use_new_zipfile_serialization=False)

    assert open_weights(path).state.keys() == STATE.keys()


def test_of_a_lightning_checkpoint_only_the_model_is_taken(tmp_path: Path) -> None:
    path = save_like_lightning(tmp_path / "model_epoch_000_step_00003.pth", STATE)
    content = torch.load(path, weights_only=True)
    content["state_dict"]["metrics.count"] = torch.zeros(())
    torch.save(content, path)

    opened = open_weights(path)

    assert opened.container is Container.LIGHTNING
    assert opened.state.keys() == STATE.keys()


def test_safetensors_and_transformers_folders_are_read(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"depth_estimation_type": "metric"}', encoding="utf-8")

    file, folder = open_weights(tmp_path / "model.safetensors"), open_weights(tmp_path)

    assert (file.container, folder.container) == (Container.SAFETENSORS, Container.FOLDER)
    assert file.state.keys() == folder.state.keys() == STATE.keys()
    assert folder.metadata["depth_estimation_type"] == "metric"


def test_a_file_that_would_run_code_is_refused_by_the_name_of_what_it_asks_for(tmp_path: Path) -> None:
    path = tmp_path / "hostile.pth"
    torch.save({**STATE, "extra": Fraction(1, 2)}, path)

    with pytest.raises(WeightsError, match=r"must run code to be read \(fractions\.Fraction\)"):
        open_weights(path)


def test_a_bare_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hostile.pth"
    path.write_bytes(pickle.dumps(Fraction(1, 2)))

    with pytest.raises(WeightsError, match=re.escape(str(path))):
        open_weights(path)


def test_a_truncated_file_is_named_with_its_size(tmp_path: Path) -> None:
    path = tmp_path / "cut.pth"
    torch.save(STATE, path)
    path.write_bytes(path.read_bytes()[:600])

    with pytest.raises(WeightsError, match="fetch or save it again"):
        open_weights(path)


@pytest.mark.parametrize("name", ["model.engine", "model.onnx"])
def test_engines_are_sent_to_the_deploy_container(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")

    with pytest.raises(WeightsError, match="engines run in the deploy container"):
        open_weights(tmp_path / name)


def test_a_missing_file_an_empty_folder_and_a_file_without_tensors_are_distinguished(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "counter.pth")
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    cases = {
        tmp_path / "absent.pth": "found no such file",
        tmp_path: "a folder without config.json",
        tmp_path / "counter.pth": "found no tensors (keys: epoch)",
        tmp_path / "list.pth": "found a pickled list",
    }
    for path, text in cases.items():
        with pytest.raises(WeightsError, match=re.escape(text)):
            open_weights(path)


@pytest.mark.parametrize("kind", ["zip", "old", "safetensors"])
def test_whatever_damages_a_file_the_answer_is_one_sentence(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("weights.safetensors" if kind == "safetensors" else "weights.pth")
    if kind == "safetensors":
        save_file(STATE, path)
    else:
        torch.save(STATE, path, _use_new_zipfile_serialization=kind == "zip")
    whole, chance = path.read_bytes(), random.Random(3)  # noqa: S311 - damage, no secret
    refused = 0
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged[: chance.randrange(len(damaged)) if chance.random() < 0.2 else None])

        try:
            open_weights(path)
        except WeightsError:
            refused += 1

    assert refused > 20


@pytest.mark.parametrize(
    "content",
    [
        {1: torch.zeros(2), ("a",): torch.zeros(2)},
        {"pytorch-lightning_version": "2.6.6", "state_dict": [1]},
        {"pytorch-lightning_version": "2.6.6"},
    ],
)
def test_a_mapping_without_named_tensors_is_no_checkpoint(tmp_path: Path, content: dict[object, object]) -> None:
    torch.save(content, tmp_path / "odd.pth")

    with pytest.raises(WeightsError, match="found no tensors"):
        open_weights(tmp_path / "odd.pth")


@pytest.mark.parametrize(
    ("text", "said"), [("{", "found no JSON"), ("[]", "found a list"), ("null", "found a NoneType")]
)
def test_a_folder_with_a_damaged_configuration_is_refused(tmp_path: Path, text: str, said: str) -> None:
    save_file(STATE, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(text, encoding="utf-8")

    with pytest.raises(WeightsError, match=said):
        open_weights(tmp_path)
