"""Training a part of a model: what is trained, what a checkpoint holds, and how such a run goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from depth_net.actions.train import build_model
from depth_net.execution import Request, execute
from depth_net.model.weights import load_weights
from depth_net.spec import load_spec
from tests.depth_net.model.tiny import make_model, save_like_lightning
from tests.depth_net.specs import read_status, write_spec

if TYPE_CHECKING:
    from pathlib import Path

QKV = "model.pretrained.blocks.0.attn.qkv.weight"
MLP = "model.pretrained.blocks.0.mlp.fc1.weight"


def run(action: str, spec: Path, *overrides: str) -> int:
    return execute(Request(action=action, spec=spec, overrides=overrides))


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(path, weights_only=True)
    return content


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spec that starts from weights, in a folder of its own."""
    folder = tmp_path_factory.mktemp("tuning")
    spec = write_spec(folder)
    weights = save_like_lightning(folder / "start.ckpt", make_model().state_dict())
    spec.write_text(f"{spec.read_text()}\n", encoding="utf-8")
    text = spec.read_text(encoding="utf-8").replace("train:\n", f"train:\n  pretrained_model_path: {weights}\n")
    spec.write_text(text.replace("lr: 0.0001", "lr: 0.001"), encoding="utf-8")
    return spec


def train(spec: Path, folder: Path, *overrides: str) -> Path:
    """Train with a checkpoint after each step and return the folder of the run."""
    every_step = ("train.checkpoint_interval_unit=step", "train.keep_checkpoints=0")
    assert run("train", spec, f"results_dir={folder}", *every_step, *overrides) == 0
    return folder / "train"


LORA = ("train.lora_rank=4", "train.optim.layer_decay=0.8")


@pytest.fixture(scope="module")
def lora(start: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(start, tmp_path_factory.mktemp("lora"), *LORA)


def test_a_frozen_encoder_is_the_start_s_and_the_head_is_trained(start: Path, tmp_path: Path) -> None:
    state = read(train(start, tmp_path, "train.freeze=encoder") / "dn_model_latest.pth")["state_dict"]

    before = {f"model.{name}": tensor for name, tensor in make_model().state_dict().items()}
    changed = {name for name, tensor in state.items() if not torch.equal(tensor, before[name])}
    assert changed
    assert not [name for name in changed if "pretrained" in name]


def test_a_checkpoint_with_adapters_is_a_plain_model(start: Path, lora: Path) -> None:
    path = lora / "dn_model_latest.pth"
    state, before = read(path)["state_dict"], {f"model.{n}": t for n, t in make_model().state_dict().items()}

    assert state.keys() == before.keys()
    assert not torch.equal(state[QKV], before[QKV])
    assert torch.equal(state[MLP], before[MLP])
    build_model(load_spec(start)).load_state_dict(dict(load_weights(path).state))


def test_an_evaluation_of_the_checkpoint_scores_what_its_training_scored(start: Path, lora: Path) -> None:
    lines = [line for line in read_status(lora) if line["message"] == "Eval metrics generated."]

    assert run("evaluate", start, f"evaluate.checkpoint={lora / 'dn_model_latest.pth'}", f"results_dir={lora}") == 0

    scored = [line for line in read_status(lora / "evaluate") if "kpi" in line][-1]["kpi"]
    found = {name.rpartition("/")[2]: value for name, value in scored.items()}
    for name in ("abs_rel", "rmse", "silog"):
        assert found[name] == pytest.approx(lines[-1]["kpi"][f"val/{name}"], rel=1e-6)


def test_a_run_with_adapters_goes_on_exactly(start: Path, lora: Path, tmp_path: Path) -> None:
    middle = lora / "model_epoch_001_step_00004.pth"

    resumed = train(start, tmp_path, *LORA, f"train.resume_training_checkpoint_path={middle}")

    whole, again = (read(folder / "model_epoch_001_step_00006.pth") for folder in (lora, resumed))
    for name, tensor in whole["state_dict"].items():
        assert torch.equal(tensor, again["state_dict"][name]), name
    for name, tensor in whole["depth_net_adapters"].items():
        assert torch.equal(tensor, again["depth_net_adapters"][name]), name
    for index, state in whole["optimizer_states"][0]["state"].items():
        assert torch.equal(state["exp_avg"], again["optimizer_states"][0]["state"][index]["exp_avg"])


@pytest.mark.parametrize("other", [(), ("train.lora_rank=8",), ("train.freeze=blocks:2",)])
def test_a_run_may_go_on_with_other_trained_weights(
    start: Path, lora: Path, tmp_path: Path, other: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    middle = lora / "model_epoch_000_step_00003.pth"

    resumed = train(start, tmp_path, *other, f"train.resume_training_checkpoint_path={middle}")

    last = read(resumed / "dn_model_latest.pth")
    assert (last["epoch"], last["global_step"]) == (1, 6)
    assert last["state_dict"].keys() == read(middle)["state_dict"].keys()
    assert "the optimiser's averages of gradients start anew" in caplog.text


def test_layers_learn_at_decaying_rates(lora: Path) -> None:
    groups = read(lora / "model_epoch_000_step_00001.pth")["optimizer_states"][0]["param_groups"]

    rates = {group["name"]: group["initial_lr"] for group in groups}
    assert list(rates) == ["encoder", "encoder_1", "encoder_2", "encoder_3", "head"]
    assert [rates[f"encoder_{n}"] / rates["encoder"] for n in (1, 2, 3)] == pytest.approx([0.8, 0.64, 0.512])
    assert rates["head"] == pytest.approx(10 * rates["encoder"])


def test_adapters_train_with_recomputed_activations(start: Path, tmp_path: Path) -> None:
    folder = train(start, tmp_path, *LORA, "train.activation_checkpoint=true", "train.num_epochs=1")

    assert read(folder / "dn_model_latest.pth")["depth_net_adapters"]


def test_adapters_and_fsdp_are_refused(start: Path, tmp_path: Path) -> None:
    assert run("train", start, f"results_dir={tmp_path}", "train.lora_rank=4", "train.distributed_strategy=fsdp") == 1

    assert "train.lora_rank" in read_status(tmp_path / "train")[-1]["message"]
