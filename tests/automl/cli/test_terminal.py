"""Texts of strangers on a terminal: shown, never obeyed."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from automl.visible_text import one_line, visible
from tests.automl.skill.packages import block, write_skill

if TYPE_CHECKING:
    from pathlib import Path

TITLE = "\x1b]0;owned\x07"
RED = "\x1b[31m"
C1 = "\x9b31m"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"a{TITLE}b", r"a\x1b]0;owned\x07b"),
        (C1, r"\u009b31m"),
        ("a\rb", r"a\x0db"),
        ("a\r\n\tb", "a\r\n\tb"),
        ("\u202etxt", r"\u202etxt"),
        ("A\u200bB\u2060\ufeff\xad", r"A\u200bB\u2060\ufeff\u00ad"),
        ("\udc80", r"\udc80"),
        ("gr\u00fc\u00df \u6df1\u5ea6", "gr\u00fc\u00df \u6df1\u5ea6"),
    ],
)
def test_control_characters_are_shown(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown


def test_a_name_with_a_line_break_is_one_line() -> None:
    assert one_line("a\nrunnable  b") == r"a\nrunnable  b"


def on_a_terminal(*arguments: str) -> str:
    """Return what a command writes to a terminal, stdout and stderr."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "automl.cli.app", *arguments]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm-256color"}):
        os.close(theirs)
        written = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the last writer has ended
                break
            if not part:
                break
            written += part
    os.close(ours)
    return written.decode("utf-8", "backslashreplace")


def hostile_skill(folder: Path) -> Path:
    """Return a skill whose every name and text acts on terminals, or is markup of rich."""
    evil = f"x{TITLE}{RED}{C1}"
    leaf = {"type": "string", "default": evil, "enum": [evil, "[bold]m[/]", "[/red]"], "automl_enabled": True}
    # Names come second: YAML written by PyYAML holds them escaped, as any package may.
    info = {"name": f"a{evil}\nb", "network_arch": f"b{evil}", evil: 1, "key_defaults": {f"k{evil}": 1}}
    schema = {"properties": {"train": block(plain=leaf, **{f"p{evil}": leaf})}}
    return write_skill(folder / "skill", info=info, schema=schema, template={"train": {"plain": evil}, evil: evil})


@pytest.mark.parametrize("command", ["list", "space", "check", "plan", "plan --show-commands", "doctor"])
def test_no_text_of_a_skill_acts_on_a_terminal(tmp_path: Path, command: str) -> None:
    skill = hostile_skill(tmp_path)
    name, *options = command.split()
    more = {
        "list": [str(skill)],
        "space": ["--skill", str(skill), "--search", "train.plain"],
        "check": ["--skill", str(skill)],
        "doctor": ["--skill", str(skill), "--results", str(tmp_path / "results")],
        "plan": [
            *("--skill", str(skill), "--policy", "on", "--search", "train.plain"),
            *("--results", str(tmp_path / "results")),
        ],
    }[name]

    shown = on_a_terminal(name, *options, *more)

    assert "Traceback" not in shown
    assert "\x1b]" not in shown
    assert "\x07" not in shown
    assert RED + C1 not in shown
    assert "\x9b" not in shown
    assert name == "doctor" or "owned" in shown
