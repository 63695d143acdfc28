"""The tab key completes names and files, in a real bash on a terminal."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.shell_completion import ShellComplete

from automl.cli.app import cli
from tests.automl.cli.study_folder import write_study

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT_S = 60.0


@pytest.fixture
def complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return what completes a command line in a folder with a study file and a results folder."""
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path / "results/first")
    (tmp_path / "study.yaml").touch()

    def completed(*arguments: str) -> list[str]:
        *before, incomplete = arguments
        return [item.value for item in ShellComplete(cli, {}, "automl", "").get_completions(before, incomplete)]

    return completed


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "toy/"], ["toy/once", "toy/quick"]),
        (["run", "st"], ["st"]),
        (["plan", "--skill", "t"], ["toy"]),
        (["run", "--sampler", "t"], ["tpe"]),
        (["run", "--scheduler", "as"], ["asha"]),
        (["status", "f"], ["first"]),
        (["compare", "results/first", "to"], ["toy"]),
        (["sta"], ["status"]),
    ],
)
def test_names_are_completed(complete: Callable[..., list[str]], arguments: list[str], expected: list[str]) -> None:
    assert complete(*arguments) == expected


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
@pytest.mark.slow
def test_bash_completes_a_sampler_and_a_file_behind_the_tab_key(tmp_path: Path) -> None:
    (tmp_path / "my_study.yaml").touch()
    main, side = pty.openpty()
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PS1": "ready "}
    shell = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],  # noqa: S607 - the shell under test
        cwd=tmp_path, env=environment, stdin=side, stdout=side, stderr=side, start_new_session=True,
    )  # fmt: skip
    os.close(side)
    shown = ""

    def type_until(text: str, wanted: str) -> None:
        nonlocal shown
        os.write(main, text.encode())
        ends_s = time.monotonic() + LIMIT_S
        while wanted not in shown and time.monotonic() < ends_s:
            if select.select([main], [], [], 0.2)[0]:
                shown += os.read(main, 4096).decode(errors="replace")
        assert wanted in shown, shown

    try:
        type_until('eval "$(_AUTOML_COMPLETE=bash_source automl)"; echo on$((1))\n', "on1")
        type_until("automl run --sampler cma\t", "--sampler cmaes")
        type_until("my_st\t", "my_study.yaml")
    finally:
        shell.kill()  # an interactive bash ignores SIGTERM
        shell.wait(10)
        os.close(main)
