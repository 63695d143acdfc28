"""Which weights a training run starts from; the rest of `depth_net.actions.train` is tested in `test_train.py`."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING

import pytest
import torch

from depth_net.actions import quantize
from depth_net.actions.train import build_model, start_from_weights
from depth_net.checkpoint import LATEST
from depth_net.execution import Request, execute
from depth_net.spec import load_spec
from depth_net.status import StatusWriter
from tests.depth_net.actions.trained import load_trained, open_status
from tests.depth_net.model.tiny import make_model, save_like_lightning
from tests.depth_net.specs import read_status, write_spec

if TYPE_CHECKING:
    from pathlib import Path

    from depth_net.model.depth_anything import DepthAnything

HEAD = "metric_depth_head.scratch.output_conv1.weight"
CLASS = "pretrained.cls_token"


def run(spec: Path, *overrides: str) -> int:
    return execute(Request(action="train", spec=spec, overrides=overrides))


def start(folder: Path, *overrides: str) -> DepthAnything:
    """Return the model of a run as it is before the first step."""
    config = load_spec(write_spec(folder), overrides)
    model = build_model(config)
    start_from_weights(model, config, StatusWriter(None))
    return model


def test_weights_that_are_missing_are_reported_before_any_step(tmp_path: Path) -> None:
    assert run(write_spec(tmp_path), f"train.pretrained_model_path={tmp_path / 'none.pth'}") == 1

    lines = read_status(tmp_path / "results" / "train")
    assert [line["status"] for line in lines] == ["STARTED", "FAILURE"]
    assert (lines[-1]["code"], "none.pth" in lines[-1]["message"]) == ("weights", True)


def test_a_run_starts_from_the_weights_of_another(tmp_path: Path) -> None:
    donor = make_model().state_dict()
    checkpoint = save_like_lightning(tmp_path / "donor.ckpt", donor)

    started = start(tmp_path, f"train.pretrained_model_path={checkpoint}").state_dict()

    assert torch.equal(started[CLASS], donor[CLASS])
    assert torch.equal(started[HEAD], donor[HEAD])


def test_a_backbone_path_gives_the_encoder_and_leaves_the_head_new(tmp_path: Path) -> None:
    donor = make_model().state_dict()
    checkpoint = save_like_lightning(tmp_path / "donor.pth", donor)

    started = start(tmp_path, f"model.mono_backbone.pretrained_path={checkpoint}").state_dict()

    assert torch.equal(started[CLASS], donor[CLASS])
    assert not torch.equal(started[HEAD], donor[HEAD])


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_whole_model_that_is_an_encoder_alone_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, is_whole: bool
) -> None:
    donor = make_model().state_dict()
    encoder = {name.removeprefix("pretrained."): tensor for name, tensor in donor.items() if "pretrained." in name}
    torch.save(donor if is_whole else encoder, tmp_path / "weights.pth")
    caplog.set_level(logging.WARNING)

    started = start(tmp_path, f"train.pretrained_model_path={tmp_path / 'weights.pth'}").state_dict()

    message = f"{tmp_path / 'weights.pth'} holds an encoder alone: the head starts from random weights"
    assert (message in caplog.messages) != is_whole
    assert torch.equal(started[HEAD], donor[HEAD]) == is_whole
    assert torch.equal(started[CLASS], donor[CLASS])


@pytest.mark.parametrize(
    "key",
    ["train.pretrained_model_path", "model.mono_backbone.pretrained_path", "train.resume_training_checkpoint_path"],
)
def test_a_run_does_not_start_from_quantised_weights(tmp_path: Path, key: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchao warns about its own compiled parts
        quantize.run(load_trained(tmp_path, "quantize"), open_status(tmp_path))
    quantised = tmp_path / "results" / "quantize" / "quantized_model_torchao.pth"

    assert run(tmp_path / "spec.yaml", f"{key}={quantised}") == 1

    last = read_status(tmp_path / "results" / "train")[-1]
    assert (last["status"], last["code"]) == ("FAILURE", "weights")
    assert "found quantised weights; expected those that they were made of" in last["message"]


def test_what_is_advised_for_a_checkpoint_of_the_container_works(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    assert run(spec, "train.num_epochs=1") == 0
    theirs = torch.load(tmp_path / "results" / "train" / "dn_model_latest.pth", weights_only=True)
    groups = theirs["optimizer_states"][0]["param_groups"]
    groups[1]["params"] = [groups[0]["params"].pop(), *groups[1]["params"]]  # it counts its parameters in another way
    torch.save(theirs, tmp_path / "container.pth")
    named = f"train.resume_training_checkpoint_path={tmp_path / 'container.pth'}"

    assert run(spec, named) == 1
    message = read_status(tmp_path / "results" / "train")[-1]["message"]
    assert "start from its weights by train.pretrained_model_path" in message
    assert "remove train.resume_training_checkpoint_path and set train.resume=never" in message

    advised = (f"train.pretrained_model_path={tmp_path / 'container.pth'}", "train.resume=never")
    assert run(spec, *advised, "train.num_epochs=1") == 0


def test_weights_that_fsdp_spreads_are_contiguous_because_it_restores_optimiser_states_as_if_they_were(
    tmp_path: Path,
) -> None:
    config = load_spec(write_spec(tmp_path))

    alone, sharded = (build_model(config, on_gpu=True, is_sharded=is_sharded) for is_sharded in (False, True))

    assert not all(each.is_contiguous() for each in alone.parameters())
    assert all(each.is_contiguous() for each in sharded.parameters())


@pytest.mark.parametrize("is_asked", [False, True])
def test_a_run_that_begins_anew_beside_checkpoints_says_so_unless_it_was_asked_to(
    tmp_path: Path, *, is_asked: bool
) -> None:
    spec, folder = write_spec(tmp_path), tmp_path / "results" / "train"
    assert run(spec, "train.num_epochs=1") == 0
    (folder / LATEST).unlink()
    before = len(read_status(folder))

    assert run(spec, "train.num_epochs=1", *(["train.resume=never"] if is_asked else [])) == 0

    warned = [line["message"] for line in read_status(folder)[before:] if line.get("code") == "checkpoints_unused"]
    assert [f"and no {LATEST}" in message for message in warned] == ([] if is_asked else [True])
