"""What `automl init` proposes for a script."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest
import yaml

from automl.program.help_text import arguments_of_help
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
    assert document["search"]["lr"] == "0.0001..0.1 log"
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
