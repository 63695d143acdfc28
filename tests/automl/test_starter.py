"""What `automl init` proposes for a script."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml

from automl.program.help_text import arguments_of_help, arguments_of_values, may_print_config
from automl.program.traces import read_traces
from automl.request.location import RunLocation
from automl.request.study_request import load_study_request
from automl.run import make_plan
from automl.starter import script_of, study_text

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import argparse, torch
p = argparse.ArgumentParser()
p.add_argument("--lr", type=float, default=0.01, help="step size")
p.add_argument("--optimizer", default="adam", choices=["adam", "sgd"])
p.add_argument("--momentum", type=float, default=0.9)
p.add_argument("--hidden", type=int, default=64)
p.add_argument("--epochs", type=int, default=10)
p.add_argument("--seed", type=int, default=1)
p.add_argument("--resume")
a = p.parse_args()
for epoch in range(1, a.epochs + 1):
    print(f"epoch {epoch} train_loss={1} val_acc={2}")
    torch.save({}, f"ckpt/net-{epoch}-{a.lr}.pt")
    open("metrics.csv", "a").write("x")
"""


def test_a_study_file_is_proposed_from_the_source_and_can_be_planned(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT, encoding="utf-8")
    script, command = script_of("train.py", tmp_path)

    text = study_text(script, command)
    document = yaml.safe_load(text)
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    plan = make_plan(load_study_request(str(tmp_path / "study.yaml")), RunLocation(results=tmp_path / "results"))

    assert document["program"] == "python train.py --{overrides}"
    assert document["search"]["lr"] == "0.0001..0.1 log elastic"
    assert document["search"]["optimizer"] == ["adam", "sgd"]
    assert document["search"]["momentum"]["when"] == {"optimizer": ["sgd"]}
    assert list(document["search"]) == ["lr", "optimizer", "momentum"]
    assert "  # hidden: " in text
    assert "seed" not in text
    assert document["objective"] == "val_acc maximize"
    assert document["report"] == {
        "checkpoint": "ckpt/net-{epoch}-*.pt",
        "resume": "--resume {checkpoint}",
        "metrics": "metrics.csv",
        "first_epoch": 1,
    }
    assert dict(plan.first_trials[0]) == {"lr": 0.01, "optimizer": "adam"}
    assert plan.space["lr"].derived == ("low", "high")
    assert plan.space["momentum"].derived == ("low", "high")


LIGHTNING = """
import net
from lightning.pytorch.cli import LightningCLI
LightningCLI(net.Net)
"""
NET = """
import lightning
class Net(lightning.LightningModule):
    def __init__(self, lr: float = 0.003): ...
    def validation_step(self, batch, _):
        self.log("val_acc", 0.0)
"""
PRINTED = """\
# lightning.pytorch==2.6.6
seed_everything: true
trainer:
  max_epochs: null
  gradient_clip_val: 0.5
model:
  lr: 0.003
  optimizer: {class_path: torch.optim.SGD, init_args: {lr: 0.2}}
ckpt_path: null
"""


def test_a_lightning_cli_is_read_with_its_subcommand_and_its_words(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(LIGHTNING, encoding="utf-8")
    (tmp_path / "net.py").write_text(NET, encoding="utf-8")

    script, command = script_of("python main.py", tmp_path)
    text = study_text(script, command)

    document = yaml.safe_load(text)
    assert document["program"] == "python main.py fit --{overrides}"
    assert document["search"] == {"model.lr": "3e-05..0.03 log elastic"}
    assert document["objective"] == "val_acc maximize"
    assert document["report"] == {"resume": "--ckpt_path {checkpoint}", "first_epoch": 0}
    assert "# set: {trainer.max_epochs: 10}" in text
    assert script_of("python main.py validate", tmp_path)[1] == "python main.py validate"


def test_a_printed_configuration_is_where_trial_0_starts(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(LIGHTNING, encoding="utf-8")
    (tmp_path / "net.py").write_text(NET, encoding="utf-8")
    (tmp_path / "printed.yaml").write_text(PRINTED, encoding="utf-8")
    script, command = script_of("python main.py", tmp_path)
    found = {one.path: one for one in arguments_of_values(yaml.safe_load(PRINTED), script.arguments)}

    text = study_text(replace(script, arguments=found), command, "printed.yaml")
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    plan = make_plan(load_study_request(str(tmp_path / "study.yaml")), RunLocation(results=tmp_path / "results"))

    assert yaml.safe_load(text)["program"] == "python main.py fit --config {config_path}"
    assert dict(plan.first_trials[0]) == {
        "model.lr": 0.003,
        "model.optimizer.init_args.lr": 0.2,
        "trainer.gradient_clip_val": 0.5,
    }
    assert plan.spec.get("model.optimizer.class_path") == "torch.optim.SGD"


def test_the_groups_of_hydra_are_shown(tmp_path: Path) -> None:
    (tmp_path / "conf/optim").mkdir(parents=True)
    (tmp_path / "conf/config.yaml").write_text("defaults: [{optim: sgd}]\n", encoding="utf-8")
    for name, lr in (("adam", 0.01), ("sgd", 0.1)):
        (tmp_path / f"conf/optim/{name}.yaml").write_text(f"lr: {lr}\n", encoding="utf-8")
    (tmp_path / "train.py").write_text(
        'import hydra\n@hydra.main(config_path="conf", config_name="config")\ndef main(c): ...\n', encoding="utf-8"
    )

    text = study_text(*script_of("python train.py", tmp_path))

    assert yaml.safe_load(text)["search"] == {"optim.lr": "0.001..1.0 log elastic"}
    assert '  # optim: ["sgd", "adam"]  # a group' in text


def test_a_help_text_names_its_configuration() -> None:
    assert may_print_config("  --config CONFIG  Path to a file.\n  --print_config[=flags]\n     Print it\n")
    assert not may_print_config("  --lr LR   as --print_config says\n")


def test_a_help_text_gives_names_defaults_and_options() -> None:
    found = {
        argument.path: argument
        for argument in arguments_of_help(
            "usage: x\n\noptions:\n  -h, --help  show this\n  --lr LR     step size (default: 0.1)\n"
            "  --opt {adam,sgd}\n              which (default: adam)\n  --amp       fast\n"
        )
    }

    assert (found["lr"].default, found["lr"].text) == (0.1, "step size")
    assert found["opt"].choices == ("adam", "sgd")
    assert found["amp"].is_flag


@pytest.mark.parametrize(
    ("saved", "pattern"),
    [
        ('torch.save(x, f"ckpt/e{epoch}.pt")', "ckpt/e{epoch}.pt"),
        ('torch.save(x, f"checkpoint_{epoch}.pth.tar")', "checkpoint_{epoch}.pth.tar"),
        ('np.savez(f"weights/e{epoch:02d}.npz", W=W)', "weights/e{epoch}.npz"),
        ('model.save("best_model.keras")', "best_model.keras"),
        ('open("points.ptx")', ""),
    ],
)
def test_the_names_of_checkpoints_are_proposed(saved: str, pattern: str) -> None:
    assert read_traces([ast.parse(saved)]).checkpoint == pattern


@pytest.mark.parametrize(
    ("loop", "first"),
    [
        ("for epoch in range(3): pass", 0),
        ("for epoch in range(1, 4): pass", 1),
        ("start = 1\nif x:\n    start = y + 1\nfor epoch in range(start, 4): pass", 1),
        ("first, w = 0, 5.0\nfor epoch in range(first, 4): pass", 0),
        ("for epoch in range(begin(), 4): pass", None),
        ("for epoch in range(3): print(f'epoch {epoch + 1}')", None),
        ("for i in range(1, 4): pass", None),
    ],
)
def test_the_first_epoch_is_proposed_only_where_the_source_is_plain(loop: str, first: int | None) -> None:
    assert read_traces([ast.parse(loop)]).first_epoch == first
