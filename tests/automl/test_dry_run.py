"""A dry run cannot drift from a run: what `run` refuses, `plan` knows, in the same words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from automl.cli.app import run_command_line
from automl.errors import LaunchError
from tests.automl.skill.packages import BAD

if TYPE_CHECKING:
    from pathlib import Path

TOY = """--set train.num_epochs=0|--set train.optim.lr=-1|--set train.optim.momentum=2|--set foo=3|--set foo.bar=3
    |--set train.optim.nesterov=true|--set dataset.batch_size=0|--set model.hidden_units=many|--set train.optim.lrr=1
    |--set train.optim.lr_scheduler=step|--set train.optim=3|--set train.optim.lr.x=1|--set a..b=1|--set lr|--set =3
    |--set train.num_epochs=0 --set foo=3 --request 5_iterations
    |--set train.resume_training_checkpoint_path=/no/such.pth
    |--data train=/no/such.txt|--data train|--data test=/no/such.txt
    |--spec /no/such.yaml|--spec broken.yaml|--spec list.yaml|--spec epochs.yaml|--spec rate.yaml
    |--spec nan.yaml --policy off|--spec unknown.yaml|--set +train.foo=.nan|--set +train.foo=[1,-.inf]
    |--spec rate.yaml --set train.num_epochs=0
    |--search nosuch|--search train.optim.lr=3..1|--search train.optim.lr=0..1:log|--search train.*=1..2
    |--search train.optim.lr=a..b|--search model.hidden_units=1.5..2.5|--search results_dir
    |--metric nosuch|--objective nosuch|--objective val/r2 --objective val/r2|--objective val/r2:up
    |--constraint memory|--constraint memory<=much|--sampler nosuch|--scheduler nosuch|--scheduler asha --option eta=0
    |--scheduler asha --option grace_epochs=99|--option nosuch=3|--option trial_time_limit_s=-1|--option grace_epochs
    |--gpus-per-trial 64|--jobs 0|--trials 0|--trials many|--time soon|--seed -1|--policy maybe|--target nan
    |--request we_would_rather_not_tune|--request 5_iterations|--request 20_trials,_thirty_trials|--request 640_GPUs
    |--launcher docker|--launcher nosuch|--warm-start nosuch|--warm-start nosuch --no-warm-start
    |--results file/results|--require-search --policy off
    |--replicates -1|--replicates some|--replicates auto --trials 9"""
OTHERS = ["toy/nosuch", "--skill /no/such", *(f"--skill {BAD / name}" for name in ("schema_not_json", "no_actions"))]
DEPTH = """--set train.num_epochs=0|--set train.num_gpus=64|--set train.optim.lr=-1|--set model.encoder=vitx|--set foo=3
    |--data train=/no/such.txt|--data val=.|--set model.mono_backbone.pretrained_path=/no/such.pth
    |--data train=list.yaml --set train.optim.lr=-1"""


RATES = [(name, f"train: {{optim: {{lr: {lr}}}}}\n") for name, lr in (("rate", "-1"), ("nan", ".nan"))]


SPECS = [
    ("broken", "a: ["),
    ("list", "- 1\n"),
    ("epochs", "train: {num_epochs: none}\n"),
    ("unknown", "train: {optim: {beta3: 0.9}}\nfoo: 1\n"),
    *RATES,
]


def split(texts: str) -> list[str]:
    return [text.strip() for text in texts.split("|")]


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that set-ups name, and a run that ends where it would start something."""
    (tmp_path / "file").touch()
    for name, text in SPECS:
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise LaunchError("came so far")

    for step in ("ready_launch", "prepare_data", "new_study_directory"):
        monkeypatch.setattr(f"automl.run.{step}", refuse)


def refused(command: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[str, list[Any]]:
    """Return the headline of an error that comes before a plan, and the problems."""
    status = run_command_line([command, *arguments, "--json"])
    document = json.loads(capsys.readouterr().out)
    if command == "plan" and status == 0:
        return "", document["not_runnable"]
    headline = document["error"]
    return ("" if headline.endswith("in this run") else headline), document["problems"]


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(
    "setup",
    [
        *(f"toy/quick {text}" for text in split(TOY)),
        *OTHERS,
        *(f"depth_net_mono/demo {text}" for text in split(DEPTH)),
    ],
)
def test_plan_knows_what_run_refuses(setup: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [argument.replace("_", " ") if "--request" in setup else argument for argument in setup.split()]
    arguments = arguments if "--results" in arguments else [*arguments, "--results", "results"]

    planned, run = refused("plan", arguments, capsys), refused("run", arguments, capsys)

    assert planned == run
    assert run[0] != "came so far"
    assert any(run)


def test_strict_turns_what_is_not_runnable_into_the_exit_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["plan", "toy/quick", "--results", str(tmp_path), "--set", "train.num_epochs=0"]

    assert run_command_line(arguments) == 0
    shown = capsys.readouterr().out
    assert "not runnable: 1 problem" in shown
    assert "--set train.num_epochs" in shown
    assert run_command_line([*arguments, "--strict"]) == 2
    assert run_command_line([*arguments[:4], "--strict"]) == 0


def test_a_key_that_is_marked_is_passed_on_unchecked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["plan", "toy/quick", "--results", str(tmp_path), "--json", "--strict"]

    assert run_command_line([*arguments, "--set", "+train.optim.nesterov=true", "--set", "+train.num_epochs=0"]) == 0
    spec = json.loads(capsys.readouterr().out)["spec"]
    assert (spec["train"]["optim"]["nesterov"], spec["train"]["num_epochs"]) == (True, 0)
