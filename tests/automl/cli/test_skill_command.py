"""The page for agents: every command, option and field that it names exists."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import click
import pytest
import yaml

from automl.cli.app import COMMANDS, cli, run_command_line
from tests.automl.cli.study_folder import write_study

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def page(capsys: pytest.CaptureFixture[str]) -> str:
    assert run_command_line(["skill"]) == 0
    return capsys.readouterr().out


def options_of(command: click.Command) -> set[str]:
    own = {name for option in command.params for name in option.opts}
    nested = command.commands.values() if isinstance(command, click.Group) else ()
    return own.union(*(options_of(child) for child in nested))


def command_named(name: str) -> click.Command:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None, name
    return command


def test_the_page_opens_with_name_and_description(page: str) -> None:
    _, header, body = page.split("---\n", 2)

    assert set(yaml.safe_load(header)) == {"name", "description"}
    assert body.lstrip().startswith("# automl")


def test_every_command_that_the_page_names_exists(page: str) -> None:
    named = set(re.findall(r"`automl ([a-z]+)", page))

    assert named <= set(COMMANDS)
    assert {"run", "plan", "doctor", "status", "resume"} <= named


def test_every_option_that_the_page_names_belongs_to_a_command(page: str) -> None:
    every = set().union(*(options_of(command_named(name)) for name in COMMANDS))

    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page)) <= every


def test_options_beside_a_command_are_its_own(page: str) -> None:
    wrong = [
        f"{name} {option}"
        for name, rest in re.findall(r"`automl ([a-z]+)([^`]*)`", page)
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", rest)
        if option not in options_of(command_named(name))
    ]

    assert not wrong


def test_every_field_of_a_result_that_the_page_names_is_printed(
    page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_study(tmp_path / "study")
    run_command_line(["status", str(root), "--json"])
    document = json.loads(capsys.readouterr().out)
    section = page.split("## How to read a result")[1].split("States:", maxsplit=1)[0]

    named = re.findall(r"^- `(\w+)`", section, flags=re.MULTILINE)
    trial = re.findall(r"`(\w+)`", section.split("- `trials`:")[1].splitlines()[0])

    assert {*named, "reasons"} <= set(document)
    assert set(trial) <= set(document["trials"][0])


def test_every_exit_status_is_explained(page: str) -> None:
    assert set(re.findall(r"^\| (\d+) \|", page, flags=re.MULTILINE)) == {"0", "2", "3", "4", "5", "6", "130"}
