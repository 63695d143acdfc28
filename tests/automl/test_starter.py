"""What `automl init` proposes for a script."""

from __future__ import annotations

import ast
import textwrap
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import pytest
import yaml

from automl.program.help_text import arguments_of_help, arguments_of_values, may_print_config
from automl.program.traces import read_traces
from automl.program.training_arguments import with_training_arguments
from automl.request.location import RunLocation
from automl.request.study_request import load_study_request
from automl.run import make_plan
from automl.starter import script_of, study_text
from automl.storage.paths import StudyPaths
from automl.study.trial import Proposal
from automl.trial.attempts import Start
from automl.trial.task import build_task, launch_request

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


def test_a_group_of_hydra_is_a_choice_and_what_one_option_has_acts_with_it(tmp_path: Path) -> None:
    (tmp_path / "conf/optim").mkdir(parents=True)
    (tmp_path / "conf/data").mkdir()
    (tmp_path / "conf/config.yaml").write_text("defaults: [{optim: sgd}, {data: one}]\n", encoding="utf-8")
    files = {"optim/adam": "lr: 0.01", "optim/sgd": "lr: 0.1\nmomentum: 0.9", "data/one": "n: 1", "data/two": "n: 2"}
    for name, content in files.items():
        (tmp_path / f"conf/{name}.yaml").write_text(f"{content}\n", encoding="utf-8")
    (tmp_path / "train.py").write_text(
        'import hydra\n@hydra.main(config_path="conf", config_name="config")\ndef main(c): ...\n', encoding="utf-8"
    )

    text = study_text(*script_of("python train.py", tmp_path))

    assert yaml.safe_load(text)["search"] == {
        "optim": ["sgd", "adam"],
        "optim.lr": "0.001..1.0 log elastic",
        "optim.momentum": {"range": "0.5..0.99 one_minus_log elastic", "when": {"optim": ["sgd"]}},
    }
    assert '  # data: ["one", "two"]' in text  # with other data no values can be compared
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    plan = make_plan(load_study_request(str(tmp_path / "study.yaml")), RunLocation(results=tmp_path / "results"))
    assert dict(plan.first_trials[0]) == {"hydra.optim": "sgd", "optim.lr": 0.1, "optim.momentum": 0.9}
    assert str(plan.origin) == "the program's own defaults"
    proposal = Proposal(number=1, assignment={"hydra.optim": "adam", "optim.lr": 0.5}, origin=plan.origin)
    task = build_task(plan, StudyPaths(tmp_path / "s"), proposal, Start())
    assert sorted(launch_request(task).command[2:]) == ["optim.lr=0.5", "optim=adam"]


@pytest.mark.parametrize(
    ("argument", "line"),
    [
        ("'--ema-decay', type=float, default=0.9999", "  # ema_decay: 0.999..0.99999 one_minus_log elastic"),
        ("'--lr-step', type=float, default=0.1", "  # lr_step: 0.05..0.2 elastic"),
        ("'--step-size', type=float, default=0.1", "  # step_size: 0.05..0.2 elastic"),
        ("'--gamma', type=float, default=1e-5", "  # gamma: 1e-06..0.0001 log elastic"),
        ("'--lr-noise-pct', type=float, default=0.67", "  # lr_noise_pct: "),
        ("'--lr-backbone', type=float, default=1e-4", "  lr_backbone: 1e-06..0.001 log elastic"),
        ("'--val-fraction', type=float, default=0.1", "  # val_fraction: "),
        ("'--mlm-probability', type=float, default=0.15", "  # mlm_probability: "),
        ("'--clip-grad', type=float, default=None", "  # clip_grad: "),
        ("'--epsilon', type=float, default=8/256", "  # epsilon: "),
        ("'--proportion', type=float, default=0.5", "  # proportion: "),
    ],
)
def test_what_is_no_rate_changes_the_measure_or_is_off_is_shown_and_not_searched(
    tmp_path: Path, argument: str, line: str
) -> None:
    source = f"import argparse\np = argparse.ArgumentParser()\np.add_argument({argument})\n"
    (tmp_path / "train.py").write_text(f"{source}p.add_argument('--lr', type=float, default=0.1)\n", encoding="utf-8")

    text = study_text(*script_of("train.py", tmp_path))

    assert [found for found in text.splitlines() if found.startswith(line)]


def test_a_subcommand_that_trains_is_chosen_and_what_it_needs_is_said(tmp_path: Path) -> None:
    source = """
        import argparse
        p = argparse.ArgumentParser()
        sub = p.add_subparsers()
        e = sub.add_parser("evaluate")
        e.add_argument("--threshold", type=float, default=0.5)
        t = sub.add_parser("train")
        t.add_argument("data")
        t.add_argument("--out", required=True)
        t.add_argument("--lr", type=float, default=0.1)
    """
    (tmp_path / "train.py").write_text(textwrap.dedent(source), encoding="utf-8")

    text = study_text(*script_of("train.py", tmp_path))

    assert yaml.safe_load(text)["program"] == "python train.py train --{overrides}"
    assert "# It needs DATA, --out too: " in text
    assert "threshold" not in text
    assert "It needs" not in study_text(*script_of("python train.py train /data --out x", tmp_path))


def test_of_transformers_its_own_training_arguments_are_proposed(tmp_path: Path) -> None:
    source = "from transformers import HfArgumentParser, TrainingArguments\nHfArgumentParser(TrainingArguments)\n"
    (tmp_path / "train.py").write_text(source, encoding="utf-8")

    document = yaml.safe_load(study_text(*script_of("train.py", tmp_path)))

    assert document["search"]["learning_rate"] == "5e-07..0.0005 log elastic"
    assert document["objective"] == "eval_loss minimize"
    assert document["report"] == {"resume": "--resume_from_checkpoint {checkpoint}"}
    words = "--output_dir out --eval_strategy epoch --save_strategy epoch --{overrides}"
    assert document["program"] == f"python train.py {words}"


@pytest.mark.slow
def test_the_defaults_of_training_arguments_are_those_of_transformers() -> None:
    transformers = pytest.importorskip("transformers")
    found = {
        one.path: one.default for one in with_training_arguments("TrainingArguments", ()) if one.default is not None
    }

    known = {field.name: field.default for field in fields(transformers.TrainingArguments)}

    assert found == {name: known[name] for name in found}


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


def test_a_metric_that_is_printed_as_words_is_proposed_by_its_name() -> None:
    assert read_traces([ast.parse('print(f"Train Loss: {a:.3f} | Val Acc: {b:.2f}%")')]).metrics == ("val_acc",)


def test_what_a_program_names_as_a_pair_holds_in_every_trial(tmp_path: Path) -> None:
    source = "import argparse\np = argparse.ArgumentParser()\n"
    values = {"lr": 1e-3, "min_lr": 1e-6, "crop_min": 224, "crop_max": 384}
    lines = (
        f"p.add_argument('--{name}', type={type(value).__name__}, default={value})\n" for name, value in values.items()
    )
    (tmp_path / "train.py").write_text(source + "".join(lines), encoding="utf-8")
    search = "{lr: 1e-5..1e-2 log, min_lr: 1e-6..1e-3 log, crop_min: 128..448, crop_max: 192..768}"
    text = f"program: python train.py --{{overrides}}\nsearch: {search}\nobjective: val_acc maximize\n"
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")

    plan = make_plan(load_study_request(str(tmp_path / "study.yaml")), RunLocation(results=tmp_path / "results"))

    assert [str(relation) for relation in plan.space.relations] == ["min_lr <= lr", "crop_max >= crop_min"]
