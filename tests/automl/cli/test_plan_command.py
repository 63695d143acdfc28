"""`automl plan` shows everything and runs nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from automl.cli.app import run_command_line
from tests.automl.launch.fake_engine import install_engine
from tests.automl.skill.packages import skill_with_download

if TYPE_CHECKING:
    from pathlib import Path


def test_the_review_names_everything_a_person_wants_to_know(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = run_command_line(["plan", "toy/quick", "--results", str(tmp_path)])

    shown = capsys.readouterr().out
    assert status == 0
    for part in ("route", "objective", "sampler", "resources", "time", "first trials", "train.optim.lr", "fingerprint"):
        assert part in shown
    assert list(tmp_path.iterdir()) == []


def test_json_is_one_document_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_command_line(["plan", "toy/quick", "--results", str(tmp_path), "--json", "--policy", "off"])

    document = json.loads(capsys.readouterr().out)
    assert document["route"] == "train_once"
    assert document["first_trials"] == [{}]


def test_what_is_understood_of_a_request_and_what_is_not_have_keys_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "3 trials, and we would rather not tune. Thank you."
    arguments = ["toy/quick", "--results", str(tmp_path), "--request", words]

    assert run_command_line(["plan", *arguments, "--json"]) == 0
    read = json.loads(capsys.readouterr().out)["request_text"]
    assert read["understood"]["trials"] == {"text": "3 trials", "meaning": "3 trials"}
    assert read["not_understood"] == ["we", "would", "rather", "not"]
    (question,) = read["questions"]
    assert "we would rather not tune" in question["found"]
    assert question["fix"].count("automl run") == 2

    assert run_command_line(["plan", *arguments]) == 0
    shown = capsys.readouterr().out
    assert shown.count("we would rather not tune") == 1
    assert "not runnable: 1 problem" in shown


def test_a_number_that_json_does_not_have_is_null_and_a_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["plan", "toy/quick", "--results", str(tmp_path), "--json", "--set", "+train.foo=.nan"]

    assert run_command_line(arguments) == 0
    shown = capsys.readouterr().out
    document = json.loads(shown, parse_constant=pytest.fail)
    assert '"foo": null' in shown
    assert [(p["where"], p["found"]) for p in document["not_runnable"]] == [("spec train.foo", "nan")]


def test_what_has_no_effect_on_one_training_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["plan", "toy/quick", "--results", str(tmp_path), "--json", "--policy", "off"]

    run_command_line([*arguments, "--trials", "7", "--search", "train.optim.lr"])
    assert "--search, --trials: without effect, training runs once" in json.loads(capsys.readouterr().out)["reasons"]
    run_command_line(arguments)
    assert not any("without effect" in reason for reason in json.loads(capsys.readouterr().out)["reasons"])


def test_one_value_is_shown_as_fixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_command_line(["plan", "toy/quick", "--results", str(tmp_path), "--search", "train.optim.lr=1e-3..1e-3"])

    shown = capsys.readouterr().out
    assert "0.001 (fixed)" in shown
    assert "fixed at 0.001 by --search" in " ".join(shown.split())


def test_show_commands_prints_a_script_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_command_line(["plan", "toy/quick", "--results", str(tmp_path), "--show-commands"])
    script = capsys.readouterr().out
    run_command_line(["plan", "toy/quick", "--results", str(tmp_path), "--show-commands", "--json"])
    commands = json.loads(capsys.readouterr().out)["commands"]

    assert script == commands["script"]
    assert script.splitlines()[-1] == commands["shell"]
    assert commands["command"][0] == "env"
    assert list(tmp_path.iterdir()) == []


def test_launcher_image_and_network_are_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    install_engine(tmp_path / "bin", monkeypatch, rest='echo \'[{"Id": "sha256:1", "Size": 1}]\'')
    words = ["--launcher", "docker", "--image", "mine:1", "--network", "none"]

    status = run_command_line(["plan", "toy/quick", "--results", str(tmp_path), "--json", "--show-commands", *words])

    document = json.loads(capsys.readouterr().out)
    assert status == 0
    assert (document["launch"]["launcher"], document["launch"]["image"]) == ("docker", "mine:1")
    assert document["launch"]["reason"] == "asked for: docker"
    command = document["commands"]["command"]
    assert command[:2] == ["docker", "run"]
    assert command[command.index("--network") + 1] == "none"
    assert "mine:1" in command


def test_a_container_without_an_image_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = run_command_line(["plan", "toy/quick", "--results", str(tmp_path), "--launcher", "docker"])

    assert status == 2
    assert "--image" in capsys.readouterr().err


def test_weights_that_must_be_downloaded_first_are_named_with_their_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metric = ("--metric", "val/loss", "--direction", "minimize")
    asked = ["plan", "--skill", str(skill_with_download(tmp_path)), *metric, "--results", str(tmp_path / "results")]

    status = run_command_line(asked)
    shown = " ".join(capsys.readouterr().out.split())
    run_command_line([*asked, "--json"])
    (missing,) = json.loads(capsys.readouterr().out)["missing_weights"]

    assert status == 0
    assert "missing weights model.weights: no file at" in shown
    assert missing["parameter"] == "model.weights"
    assert str(tmp_path / "weights.pth") in missing["fix"]
    assert "https://example.org/weights.pth" in missing["fix"]
