"""The toy trainer: it really learns, really diverges, resumes exactly and speaks the files of the big trainers."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from automl.readers.status_file import StatusReader
from automl.resources import packaged
from automl.toy_trainer import DEFAULTS, Network, load_checkpoint, main, read_spec, surface, validate

if TYPE_CHECKING:
    from pathlib import Path


def run(folder: Path, *overrides: str, action: str = "train") -> int:
    spec = folder / "spec.yaml"
    spec.write_text(yaml.safe_dump({"results_dir": str(folder)}), encoding="utf-8")
    return main([action, "-e", str(spec), "dataset.train_samples=60", "train.num_epochs=4", *overrides])


def curve(folder: Path, metric: str = "val/r2") -> dict[int, float]:
    measured = list(StatusReader(folder).finish())
    return {m.epoch: m.values[metric] for m in measured if metric in m.values and m.epoch is not None}


def test_training_beats_a_constant_prediction(tmp_path: Path) -> None:
    assert run(tmp_path, "train.optim.lr=0.05", "train.optim.momentum=0.8") == 0

    values = curve(tmp_path)
    assert list(values) == [0, 1, 2, 3]
    assert values[3] > max(0.3, values[0])


def test_the_gradient_is_the_slope_of_the_error() -> None:
    network = Network.random(3, seed=1)
    batch = surface(5, 0.1, seed=2)
    optim = {"momentum": 0.0, "weight_decay": 0.0}
    for i in range(len(network.weights)):
        here = Network(3, list(network.weights), [0.0] * len(network.weights))
        moved = Network(3, list(network.weights), [0.0] * len(network.weights))
        moved.weights[i] += 1e-6
        slope = (moved.step(batch, optim, 0.0) - here.step(batch, optim, 1.0)) / 1e-6

        assert here.velocity[i] == pytest.approx(-slope, abs=1e-4)


def test_r2_of_a_constant_prediction_of_the_mean_is_0() -> None:
    points = surface(50, 0.0, seed=3)
    mean = sum(height for _, _, height in points) / len(points)
    constant = Network(1, [0.0, 0.0, 0.0, 0.0, mean], [0.0] * 5)

    assert validate(constant, points)["val/r2"] == pytest.approx(0.0, abs=1e-9)


def test_a_learning_rate_that_is_too_large_diverges_and_says_so(tmp_path: Path) -> None:
    status = run(tmp_path, "train.optim.lr=1.0", "train.optim.momentum=0.9", "train.num_epochs=40")

    lines = [json.loads(line) for line in (tmp_path / "train/status.json").read_text(encoding="utf-8").splitlines()]
    assert status == 1
    assert (lines[-1]["status"], lines[-1]["code"]) == ("FAILURE", "diverged")
    assert lines[-2]["kpi"]["train_loss"] is None
    assert "train_loss" in lines[-2]["kpi_nonfinite"]


def test_a_resumed_training_equals_an_uninterrupted_one_bit_by_bit(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    options = ("train.optim.momentum=0.5", "train.optim.lr=0.05")

    run(whole, *options)
    run(parts, *options, "train.num_epochs=2")
    run(parts, *options)

    last = "train/model_epoch_003_step_00032.pth"
    assert load_checkpoint(parts / last) == load_checkpoint(whole / last)


def test_one_checkpoint_an_epoch_and_a_link_to_the_latest(tmp_path: Path) -> None:
    run(tmp_path)

    steps = {epoch: 8 * (epoch + 1) for epoch in range(4)}
    expected = {f"model_epoch_{epoch:03d}_step_{step:05d}.pth" for epoch, step in steps.items()}
    assert {file.name for file in (tmp_path / "train").glob("model_*.pth")} == expected
    assert (tmp_path / "train/toy_model_latest.pth").readlink().name == "model_epoch_003_step_00032.pth"


def test_evaluation_of_a_checkpoint_repeats_its_value(tmp_path: Path) -> None:
    run(tmp_path)
    checkpoint = tmp_path / "train/model_epoch_002_step_00024.pth"

    assert run(tmp_path, f"evaluate.checkpoint={checkpoint}", action="evaluate") == 0

    assert curve(tmp_path / "evaluate")[0] == curve(tmp_path / "train")[2]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.optim.lrr=0.1", "did you mean train.optim.lr?"),
        ("train.optim.lr=fast", "'fast'"),
        ("train.optim.lr=-1", "not negative"),
        ("model.hidden_units=0", "at least 1"),
        ("model.hidden_units=2.5", "no int"),
        ("train.optim.lr_scheduler=step", "constant, cosine"),
    ],
)
def test_a_wrong_spec_is_refused_with_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], override: str, words: str
) -> None:
    assert run(tmp_path, override) == 1

    assert words in capsys.readouterr().err


def test_a_torn_checkpoint_is_not_resumed_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torn = tmp_path / "torn.pth"
    with zipfile.ZipFile(torn, "w") as archive:
        archive.writestr("state.json", "{}")

    assert run(tmp_path, f"train.resume_training_checkpoint_path={torn}") == 1

    assert "torn.pth" in capsys.readouterr().err


def test_schema_template_and_trainer_agree_on_every_default() -> None:
    schema = json.loads((packaged("schemas") / "toy/train.schema.json").read_text(encoding="utf-8"))
    template = yaml.safe_load((packaged("templates") / "toy/spec_template_train.yaml").read_text(encoding="utf-8"))
    ours: dict[str, Any] = {name: value for name, value in DEFAULTS.items() if name != "evaluate"}

    assert schema["default"] == template == ours


def test_the_template_of_the_evaluation_is_a_spec_of_the_trainer(tmp_path: Path) -> None:
    spec = read_spec(packaged("templates") / "toy/spec_template_evaluate.yaml", [f"results_dir={tmp_path}"])

    assert spec["dataset"] == DEFAULTS["dataset"]
