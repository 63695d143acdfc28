"""Commands in messages can be pasted into a shell, whatever the names of folders are."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import automl
from automl.cli.app import COMMANDS
from automl.config_files import parse_scalar
from automl.shown_command import shown, shown_command, shown_setting

if TYPE_CHECKING:
    from automl.skill.model import JsonValue

_UNQUOTED = re.compile(rf"\bautoml ({'|'.join(COMMANDS)})( --?[a-z-]+)* (\0|%s)")
"""A command before a value of an f-string, which stands here as a zero byte, or of a log message."""
_HINT = re.compile(r".--(set|search|data|spec|force|skill|name|image|results|warm-start|studies)[ =]\+?\0", re.DOTALL)
"""An option before such a value, in a hint; a text that begins with the option names the place of a problem."""


def shown_texts(source: str) -> list[str]:
    """Return the texts of a module, with a zero byte for each value that an f-string fills in."""
    texts = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.JoinedStr(values=values):
                texts.append("".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in values))
            case ast.Constant(value=str(text)):
                texts.append(text)
            case _:
                pass
    return texts


def test_a_shell_reads_the_arguments_as_they_were_and_plain_ones_stay() -> None:
    folder = Path("/data/Ergebnisse f\u00fcr 'mich' \"x\" #1; $HOME/demo")

    assert shlex.split(shown_command("resume", folder)) == ["automl", "resume", str(folder)]
    assert shown_command("compare", "/results/demo", "--top", "N") == "automl compare /results/demo --top N"


@pytest.mark.parametrize("value", ["a b", "[1, 2]", "$HOME", "x;y", "*", "it's", "1e-4"])
def test_an_option_of_a_hint_is_read_by_a_shell_as_it_was_meant(value: str) -> None:
    assert shlex.split(shown("--search", f"layers[0].lr={value}")) == ["--search", f"layers[0].lr={value}"]
    assert shlex.split(shown_setting("layers[0].lr", value)) == ["--set", f"+layers[0].lr={value}"]


@pytest.mark.parametrize("value", [None, True, 0.1, [1, "b"], {"a": 1}])
def test_a_setting_of_a_hint_is_read_as_the_value_that_it_was(value: JsonValue) -> None:
    _, text = shlex.split(shown_setting("model.x", value))

    assert parse_scalar(text.partition("=")[2]) == value


def test_no_message_has_a_command_or_an_option_with_a_value_that_is_not_quoted() -> None:
    root = Path(automl.__file__).parent
    found = [
        f"{file.relative_to(root)}: {text!r}"
        for file in sorted(root.rglob("*.py"))
        for text in shown_texts(file.read_text(encoding="utf-8"))
        if _UNQUOTED.search(text) or _HINT.search(text)
    ]

    assert _UNQUOTED.search(shown_texts("f'then: automl resume --trials {n} {root}'")[0])
    assert _HINT.search(shown_texts("f'pass it on: --set +{path}={value}'")[0])
    assert found == []
