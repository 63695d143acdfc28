"""A tiny trainer: a neural network fits a wavy surface by stochastic gradient descent, in plain Python.

It tests an installation in seconds without torch. Its command line, status lines, checkpoint names, automatic resume
and failure line for a loss that is not finite are those of the large trainers, and a learning rate that is too large
makes it diverge. It shares no code with the orchestrator and is started as a program of its own.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import difflib
import json
import math
import random
import sys
import time
import zipfile
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from automl.regular_file import open_to_append, read_regular_file

DEFAULTS: dict[str, Any] = {
    "results_dir": "",
    "dataset": {"train_samples": 240, "val_samples": 200, "noise": 0.05, "seed": 7, "batch_size": 8},
    "model": {"hidden_units": 8},
    "train": {
        "seed": 1234,
        "num_epochs": 12,
        "num_gpus": 0,
        "checkpoint_interval": 1,
        "seconds_per_epoch": 0.0,
        "resume_training_checkpoint_path": "",
        "optim": {"lr": 0.01, "momentum": 0.0, "weight_decay": 0.0, "lr_scheduler": "constant", "final_fraction": 0.1},
    },
    "evaluate": {"checkpoint": ""},
}
"""Every key of the spec, with its default."""

_SCHEDULERS = ("constant", "cosine")
_AT_LEAST_ONE = frozenset(
    {"dataset.train_samples", "dataset.val_samples", "dataset.batch_size", "model.hidden_units"}
    | {"train.num_epochs", "train.checkpoint_interval"}
)
_INPUTS = 2
_INNER_SCALE = 2.5


class ToyError(Exception):
    """Spec or checkpoint cannot be used, or the loss is not finite: ``code`` is spec, weights or diverged."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class StatusFile:
    """Appends status lines; each repeats the metrics written last, as the large trainers do."""

    path: Path
    kpi: dict[str, float] = field(default_factory=dict)

    def write(self, status: str, message: str, kpi: dict[str, float] | None = None, **data: object) -> None:
        """Append one line; metrics that are not finite are null, and listed in `kpi_nonfinite`."""
        self.kpi = self.kpi if kpi is None else kpi
        lost = {name: str(value) for name, value in self.kpi.items() if not math.isfinite(value)}
        now = datetime.now().astimezone()
        line: dict[str, object] = {
            **data,
            "date": f"{now.month}/{now.day}/{now.year}",
            "time": f"{now.hour}:{now.minute}:{now.second}",
            "status": status,
            "verbosity": "ERROR" if status == "FAILURE" else "INFO",
            "message": message,
        }
        if self.kpi:
            line["kpi"] = {name: None if name in lost else value for name, value in self.kpi.items()}
        if lost:
            line["kpi_nonfinite"] = lost
        self.path.parent.mkdir(parents=True, exist_ok=True)  # not of a study: a trainer
        with open_to_append(self.path) as stream:
            stream.write(f"{json.dumps(line)}\n".encode())


@dataclass(slots=True)
class Network:
    """Two inputs, one layer of tanh units, one linear output.

    `weights` are two input weights and a bias per unit, then the output weights, then the output bias; `velocity` is
    the momentum of each.
    """

    hidden_units: int
    weights: list[float]
    velocity: list[float]

    @classmethod
    def random(cls, hidden_units: int, seed: int) -> Network:
        """Return a network with random weights."""
        generator = random.Random(seed)  # noqa: S311 # initial weights, no secret
        inner = [generator.gauss(0.0, 1.0) for _ in range((_INPUTS + 1) * hidden_units)]
        outer = [generator.gauss(0.0, 1.0 / math.sqrt(hidden_units)) for _ in range(hidden_units)]
        weights = [*inner, *outer, 0.0]
        return cls(hidden_units, weights, [0.0] * len(weights))

    def step(self, batch: list[tuple[float, float, float]], optim: dict[str, Any], rate: float) -> float:
        """Do one step of gradient descent on the mean squared error; return the error before it."""
        gradient = [0.0] * len(self.weights)
        error = 0.0
        for x, y, target in batch:
            output, units = self.forward(x, y)
            difference = output - target
            error += difference * difference / len(batch)
            slope = 2.0 * difference / len(batch)
            outer = 3 * self.hidden_units
            for i, unit in enumerate(units):
                inner = slope * self.weights[outer + i] * (1.0 - unit * unit)
                gradient[3 * i] += inner * x
                gradient[3 * i + 1] += inner * y
                gradient[3 * i + 2] += inner
                gradient[outer + i] += slope * unit
            gradient[-1] += slope
        for i, weight in enumerate(self.weights):
            decayed = gradient[i] + optim["weight_decay"] * weight
            self.velocity[i] = optim["momentum"] * self.velocity[i] - rate * decayed
            self.weights[i] += self.velocity[i]
        return error

    def forward(self, x: float, y: float) -> tuple[float, list[float]]:
        """Return the output for one point, and those of the hidden units."""
        weights, hidden = self.weights, self.hidden_units
        units = [math.tanh(weights[3 * i] * x + weights[3 * i + 1] * y + weights[3 * i + 2]) for i in range(hidden)]
        output = weights[-1] + sum(weights[3 * hidden + i] * units[i] for i in range(hidden))
        return output, units


def read_spec(file: Path, overrides: list[str]) -> dict[str, Any]:
    """Read a spec over the defaults; overrides are ``key=value``."""
    try:
        given = yaml.safe_load(read_regular_file(file).decode())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ToyError("spec", f"{file} cannot be read: {error}") from error
    spec = copy.deepcopy(DEFAULTS)
    _overlay(spec, given if isinstance(given, dict) else {}, "")
    for override in overrides:
        path, _, value = override.partition("=")
        nested: Any = yaml.safe_load(value)
        for name in reversed(path.split(".")):
            nested = {name: nested}
        _overlay(spec, nested, "")
    if not spec["results_dir"]:
        raise ToyError("spec", "results_dir is empty")
    return spec


def surface(count: int, noise: float, seed: int) -> list[tuple[float, float, float]]:
    """Return ``count`` points (x, y, height) of a wavy surface over [-1, 1] squared, with Gaussian noise on heights."""
    generator = random.Random(seed)  # noqa: S311 # a data set, no secret
    points = []
    for _ in range(count):
        x, y = generator.uniform(-1.0, 1.0), generator.uniform(-1.0, 1.0)
        height = math.sin(_INNER_SCALE * x) + math.cos(_INNER_SCALE * y) * x + generator.gauss(0.0, noise)
        points.append((x, y, height))
    return points


def validate(network: Network, points: list[tuple[float, float, float]]) -> dict[str, float]:
    """Return ``val/loss`` (mean squared error) and ``val/r2`` (1 is perfect, 0 is a constant prediction)."""
    mean = sum(height for _, _, height in points) / len(points)
    spread = sum((height - mean) * (height - mean) for _, _, height in points)
    differences = [network.forward(x, y)[0] - height for x, y, height in points]
    error = sum(difference * difference for difference in differences)
    return {"val/loss": error / len(points), "val/r2": 1.0 - error / spread}


def train(spec: dict[str, Any], status: StatusFile) -> None:
    """Train by the spec, from the newest checkpoint of the results folder if there is one."""
    folder, settings, dataset = status.path.parent, spec["train"], spec["dataset"]
    network, first_epoch, steps = _start(spec, folder, status)
    points = surface(dataset["train_samples"], dataset["noise"], dataset["seed"])
    held_out = surface(dataset["val_samples"], dataset["noise"], dataset["seed"] + 1)
    status.write("STARTED", "Starting Training Loop.")
    for epoch in range(first_epoch, settings["num_epochs"]):
        began_s = time.monotonic()
        losses = _train_epoch(network, points, spec, epoch)
        steps += len(losses)
        loss = sum(losses) / len(losses)
        if not math.isfinite(loss):
            status.write("RUNNING", "Train metrics generated.", {"train_loss": loss}, epoch=epoch, step=steps)
            raise ToyError("diverged", f"the training loss is {loss} in epoch {epoch}")
        time.sleep(max(0.0, settings["seconds_per_epoch"] - (time.monotonic() - began_s)))
        metrics = validate(network, held_out)
        status.write("RUNNING", "Eval metrics generated.", metrics, epoch=epoch, step=steps)
        seconds = time.monotonic() - began_s
        progress = {"max_epoch": settings["num_epochs"] - 1, "time_per_epoch": round(seconds, 4)}
        status.write("RUNNING", "Training loop in progress", epoch=epoch, step=steps, **progress)
        status.write("RUNNING", "Train metrics generated.", {"train_loss": loss}, epoch=epoch, step=steps)
        if (epoch + 1) % settings["checkpoint_interval"] == 0:
            _save(folder, network, epoch, steps)
        _say(f"epoch {epoch + 1}/{settings['num_epochs']}  train_loss {loss:.5g}  val/r2 {metrics['val/r2']:.4g}")
    status.write("RUNNING", "Training loop complete.")


def evaluate(spec: dict[str, Any], status: StatusFile) -> None:
    """Validate a checkpoint on the held-out points."""
    network, _, _ = load_checkpoint(Path(spec["evaluate"]["checkpoint"]))
    dataset = spec["dataset"]
    metrics = validate(network, surface(dataset["val_samples"], dataset["noise"], dataset["seed"] + 1))
    status.write("RUNNING", "Test metrics generated.", metrics)
    _say(f"val/r2 {metrics['val/r2']:.4f}")


def load_checkpoint(file: Path) -> tuple[Network, int, int]:
    """Return the network of a checkpoint, its zero-based epoch and the steps behind it."""
    try:
        with zipfile.ZipFile(file) as archive:
            state = json.loads(archive.read("state.json"))
        return Network(state["hidden_units"], state["weights"], state["velocity"]), state["epoch"], state["global_step"]
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ToyError("weights", f"the checkpoint {file} cannot be read: {error}") from error


def main(arguments: list[str] | None = None) -> int:
    """Run ``train`` or ``evaluate``; return the exit status."""
    parser = argparse.ArgumentParser(prog="automl-toy-trainer", description="Fit a wavy surface with a tiny network.")
    parser.add_argument("action", choices=("train", "evaluate"))
    parser.add_argument("-e", "--spec", type=Path, required=True, help="spec file, YAML")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    given = parser.parse_intermixed_args(arguments)
    status: StatusFile | None = None
    try:
        spec = read_spec(given.spec, given.overrides)
        status = StatusFile(Path(spec["results_dir"]) / given.action / "status.json")
        status.write("STARTED", f"Starting Toy {given.action}.")
        (train if given.action == "train" else evaluate)(spec, status)
        status.write("RUNNING", f"{given.action.capitalize()} finished successfully.")
    except ToyError as error:
        if status is not None:
            status.write("FAILURE", str(error), code=error.code)
        sys.stderr.write(f"error: {error.code}: {error}\n")
        return 1
    return 0


def _train_epoch(
    network: Network, points: list[tuple[float, float, float]], spec: dict[str, Any], epoch: int
) -> list[float]:
    settings, size = spec["train"], spec["dataset"]["batch_size"]
    # The order depends on seed and epoch only, so a resumed run equals an uninterrupted one bit by bit.
    shuffled = random.Random(f"{settings['seed']}/{epoch}").sample(points, len(points))  # noqa: S311 # no secret
    optim, rate = settings["optim"], settings["optim"]["lr"]
    if optim["lr_scheduler"] == "cosine":
        low = optim["final_fraction"]
        rate *= low + (1.0 - low) * 0.5 * (1.0 + math.cos(math.pi * (epoch / settings["num_epochs"])))
    losses: list[float] = []
    for start in range(0, len(shuffled), size):
        losses.append(network.step(shuffled[start : start + size], optim, rate))
        if not math.isfinite(losses[-1]):
            break
    return losses


def _start(spec: dict[str, Any], folder: Path, status: StatusFile) -> tuple[Network, int, int]:
    named = spec["train"]["resume_training_checkpoint_path"]
    latest = sorted(folder.glob("*_latest.pth"))
    if not named and not latest:
        return Network.random(spec["model"]["hidden_units"], spec["train"]["seed"]), 0, 0
    file = Path(named) if named else latest[0].resolve()
    network, epoch, steps = load_checkpoint(file)
    if network.hidden_units != spec["model"]["hidden_units"]:
        found, wanted = network.hidden_units, spec["model"]["hidden_units"]
        raise ToyError("weights", f"{file} has {found} hidden units, the spec says model.hidden_units {wanted}")
    status.write("RUNNING", f"Resuming training from checkpoint: {file}")
    return network, epoch + 1, steps


def _save(folder: Path, network: Network, epoch: int, steps: int) -> None:
    state = {"epoch": epoch, "global_step": steps, **dataclasses.asdict(network)}
    file = folder / f"model_epoch_{epoch:03d}_step_{steps:05d}.pth"
    unfinished = folder / f".{file.name}.part"
    with zipfile.ZipFile(unfinished, "w") as archive:
        archive.writestr("state.json", json.dumps(state))
    unfinished.replace(file)
    link = folder / ".toy_model_latest.link"
    link.unlink(missing_ok=True)  # not of a study: a link of the trainer
    link.symlink_to(file.name)
    link.replace(folder / "toy_model_latest.pth")


def _overlay(base: dict[str, Any], given: dict[str, Any], prefix: str) -> None:
    for name, value in given.items():
        if name not in base:
            near = difflib.get_close_matches(str(name), base, n=1)
            hint = f"; did you mean {prefix}{near[0]}?" if near else ""
            raise ToyError("spec", f"unknown key {prefix}{name}{hint}")
        if isinstance(base[name], dict) and isinstance(value, dict):
            _overlay(base[name], value, f"{prefix}{name}.")
            continue
        _check_value(base[name], value, f"{prefix}{name}")
        base[name] = float(value) if isinstance(base[name], float) else value


def _check_value(default: object, value: object, path: str) -> None:
    expected = (int, float) if isinstance(default, float) else type(default)
    if not isinstance(value, expected) or isinstance(value, bool):
        raise ToyError("spec", f"{path} is {value!r}, which is no {type(default).__name__}")
    if isinstance(value, int | float) and (not math.isfinite(value) or value < 0):
        raise ToyError("spec", f"{path} is {value}; it must be finite and not negative")
    if value == 0 and path in _AT_LEAST_ONE:
        raise ToyError("spec", f"{path} is 0; it must be at least 1")
    if path == "train.optim.lr_scheduler" and value not in _SCHEDULERS:
        raise ToyError("spec", f"{path} is {value!r}; it must be one of {', '.join(_SCHEDULERS)}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
