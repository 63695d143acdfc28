"""Commands in messages can be pasted into a shell, whatever the names of folders are."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import automl
from automl.cli.app import COMMANDS
from automl.shown_command import shown_command

_UNQUOTED = re.compile(rf"\bautoml ({'|'.join(COMMANDS)})( --?[a-z-]+)* (\0|%s)")
"""A command before a value of an f-string, which stands here as a zero byte, or of a log message."""


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


def test_no_message_has_a_command_with_a_value_that_is_not_quoted() -> None:
    root = Path(automl.__file__).parent
    found = [
        f"{file.relative_to(root)}: {text!r}"
        for file in sorted(root.rglob("*.py"))
        for text in shown_texts(file.read_text(encoding="utf-8"))
        if _UNQUOTED.search(text)
    ]

    assert _UNQUOTED.search(shown_texts("f'then: automl resume --trials {n} {root}'")[0])
    assert found == []
