"""Tools for agents: their schemas are the options of the commands, and their arguments become command lines."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from automl.cli.app import cli
from automl.cli.mcp_tools import command_line, input_schema, tools
from automl.request.study_request import SETTINGS
from automl.schema_problems import problems_by

NAMES = ["list", "space", "plan", "doctor", "run", "status", "logs", "stop", "compare", "evaluate", "export"]
ARGUMENTS: dict[str, dict[str, Any]] = {
    "list": {"folder": ".", "studies": True},
    "space": {"study": "toy/quick", "search": ["train.optim.lr"], "set": {"train.seed": 3}},
    "plan": {"skill": "toy", "trials": 3, "time": "2h", "policy": "on", "option": {"grace_epochs": 3}, "seed": 0},
    "doctor": {"study": "toy/quick", "gpus_per_trial": 0, "no_warm_start": True},
    "run": {"study": "toy/quick", "fingerprint": "x", "smoke": True, "data": {"train": "a.txt"}},
    "status": {"study_dir": "x"},
    "logs": {"study_dir": "x", "trial": 0, "lines": 3},
    "stop": {"study_dir": "x", "trial": 1},
    "compare": {"study_dirs": ["a", "b"], "top": 1},
    "evaluate": {"study_dir": "x", "epoch": 1, "set": {"evaluate.batch_size": 4}},
    "export": {"study_dir": "x"},
}


def test_every_promised_tool_has_a_valid_schema_with_a_meaning_for_each_argument() -> None:
    assert [tool.name for tool in tools()] == NAMES
    for tool in tools():
        Draft202012Validator.check_schema(tool.input_schema)
        assert tool.description
        assert all(rules["description"] for rules in tool.input_schema["properties"].values())
    assert {tool.name for tool in tools() if not tool.is_read_only} == {"run", "stop", "evaluate", "export"}


def test_what_plan_takes_are_the_settings_of_a_request() -> None:
    names = {"set": "overrides", "time": "time_s", "request": "request_text", "patience": "patience_trials"}
    names |= {"objective": "objectives", "constraint": "constraints", "option": "options", "study": "source"}
    names |= {"tracker": "trackers", "reader": "readers"}
    places = {"results", "tracking_uri", "ray_address", "no_warm_start"}

    assert {names.get(name, name) for name in input_schema("plan")["properties"]} - places <= SETTINGS
    run = input_schema("run")["properties"].keys()
    assert run - input_schema("plan")["properties"].keys() == {"fingerprint", "smoke", "no_check"}


@pytest.mark.parametrize("name", NAMES)
def test_arguments_that_fit_the_schema_are_a_command_line_that_can_be_read(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert problems_by(input_schema(name), ARGUMENTS[name], where=name, source="it") == []
    line = command_line(name, ARGUMENTS[name])
    command = cli.get_command(None, name)  # type: ignore[arg-type] # the group looks only at the name
    assert command is not None
    monkeypatch.setattr(command, "callback", lambda **_: None)

    done = CliRunner().invoke(command, line[1:])

    assert done.exit_code == 0, done.output


def test_no_value_becomes_an_option() -> None:
    assert command_line("plan", {"study": "--help", "search": ["--yes"], "set": {"a": "010", "b": True, "c": [1]}}) == [
        *("plan", "--set=a=010", "--set=b=true", "--set=c=[1]", "--search=--yes", "--json", "--", "--help"),
    ]


def test_nothing_that_starts_a_program_of_the_callers_is_offered() -> None:
    offered = {name for tool in tools() for name in tool.input_schema["properties"]}

    assert not offered & {"notify", "evaluate_with", "yes", "json", "watch", "follow"}


@pytest.mark.parametrize(
    ("name", "arguments", "where"),
    [
        ("run", {"study": "toy/quick"}, "run: (root)"),
        ("plan", {"trials": 0}, "plan: trials"),
        ("plan", {"trials": "3"}, "plan: trials"),
        ("plan", {"notify": "touch x"}, "plan: notify"),
        ("plan", {"policy": "maybe"}, "plan: policy"),
        ("logs", {"study_dir": "x", "trial": -1}, "logs: trial"),
        ("compare", {"study_dirs": []}, "compare: study_dirs"),
        ("status", {}, "status: (root)"),
    ],
)
def test_arguments_that_do_not_fit_are_problems(name: str, arguments: dict[str, Any], where: str) -> None:
    assert [problem.where for problem in problems_by(input_schema(name), arguments, where=name, source="it")] == [where]
