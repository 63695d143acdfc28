"""`automl check` finds all that `automl list` and `automl plan` refuse, of broken packages and broken study files."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from automl.cli.app import run_command_line
from tests.automl.skill.fuzz_packages import mutated, write
from tests.automl.skill.packages import EVERY_FEATURE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Ask = Callable[..., tuple[int, Any]]

BROKEN = sorted((EVERY_FEATURE.parents[1] / "bad").iterdir())
MUTATED = range(12)
RANGE = "search: {lr: 1e-3..1 log}\n"
STUDIES = {
    "no_place": "program: python train.py\n" + RANGE,
    "unknown_place": "program: python train.py --lr {lr} --x {x}\n" + RANGE,
    "open_quotation": 'program: "python train.py --lr {lr} \'x"\n' + RANGE,
    "no_script": "program: python trian.py --lr {lr}\n" + RANGE,
    "open_choice": "program: python train.py --{overrides}\nsearch: {opt: [adam, lion]}\n",
    "ranges": "program: python train.py --{overrides}\nsearch: {lr: 1..0.1, opt: 3}\n",
    "condition": "program: python train.py --{overrides}\nsearch: {lr: {range: 1..2, when: {op: sgd}}}\n",
    "report": "program: python train.py --lr {lr}\nreport: {checkpoint: x.pt, resume: --r}\n" + RANGE,
    "names": "program: python train.py --lr {lr}\nsampler: tpee\nscheduler: ashaa\ntrackers: [nope]\n" + RANGE,
    "no_spec": "program: python train.py --config {config_path}\nspec: none.yaml\n" + RANGE,
    "nothing_to_search": "program: python train.py --{overrides}\npolicy: 'on'\n",
}
SCRIPT = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--opt", choices=["adam", "sgd"], default="adam")
"""


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    monkeypatch.setenv("AUTOML_RESULTS", str(tmp_path / "results"))

    def call(*words: str) -> tuple[int, Any]:
        capsys.readouterr()
        status = run_command_line([*words, "--json"])
        return status, json.loads(capsys.readouterr().out)

    return call


def require_covered(ask: Ask, *words: str) -> list[dict[str, str]]:
    """Compare `check` with `plan`, and return the problems of `check`."""
    status, checked = ask("check", *words)
    planned, document = ask("plan", *words)
    problems: list[dict[str, str]] = checked["problems"]
    assert bool(problems) == (status != 0)
    assert [problem for problem in document.get("problems", ()) if problem not in problems] == []
    assert problems or planned == 0, document
    return problems


def require_listed(ask: Ask, folder: Path) -> None:
    listed = ask("list", str(folder))[1]["skills"]

    problems = require_covered(ask, "--skill", str(folder))

    assert listed or problems
    for entry in listed:
        reason, is_unreadable = entry["reason"], entry["status"] == "unreadable"
        assert problems or entry["status"] not in {"blocked", "unreadable"}, reason
        assert not is_unreadable or any(found["where"] in reason and found["found"] in reason for found in problems)


@pytest.mark.parametrize("folder", BROKEN, ids=lambda folder: folder.name)
def test_check_finds_what_list_and_plan_refuse_of_a_package(ask: Ask, folder: Path) -> None:
    require_listed(ask, folder)


@pytest.mark.parametrize("seed", MUTATED)
def test_check_finds_what_list_and_plan_refuse_of_a_mutated_package(ask: Ask, tmp_path: Path, seed: int) -> None:
    write(mutated(random.Random(seed)), tmp_path / "package")  # noqa: S311 - repeatable, not secret

    require_listed(ask, tmp_path / "package")


@pytest.mark.parametrize("name", STUDIES)
def test_check_finds_what_plan_refuses_of_a_study_file(ask: Ask, tmp_path: Path, name: str) -> None:
    (tmp_path / "train.py").write_text(SCRIPT, encoding="utf-8")
    (tmp_path / "study.yaml").write_text(f"{STUDIES[name]}objective: val_loss minimize\n", encoding="utf-8")

    assert require_covered(ask, str(tmp_path / "study.yaml"))
