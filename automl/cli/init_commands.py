"""`automl init`, `automl schema`: files that a user begins with."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from automl.cli.options import wrong_argument

if TYPE_CHECKING:
    from automl.program.script import Script

commands = click.Group()

_HELP_LIMIT_S = 60.0
_SCHEMA = Path(".automl/study.schema.json")


@commands.command("init")
@click.argument("script", required=False)
@click.option("--skill", metavar="DIR", type=click.Path(path_type=Path), help="Write a model skill to this new folder.")
@click.option("-o", "--output", metavar="FILE", default="study.yaml", show_default=True, help="The study file.")
@click.option("--run-help", is_flag=True, help="Run the script with --help if its source does not say its arguments.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
def init(*, script: str | None, skill: Path | None, output: str, run_help: bool, force: bool) -> None:
    """Write a study file for SCRIPT, a file or a command in quotes; its source is read, nothing of it is run."""
    if (script is None) == (skill is None):
        expected, fix = "a script or --skill DIR", "automl init train.py, or automl init --skill my_model"
        raise wrong_argument("SCRIPT", "neither" if script is None else "--skill beside it", expected, fix)
    if skill is not None:
        from automl.starter import skill_files

        _write(skill_files(skill.expanduser().absolute()), is_forced=force)
        click.echo(f"next: automl check --skill {skill}; automl run --skill {skill} --trials 8")
        return
    from automl.starter import script_of, study_text

    file = Path(output).expanduser().absolute()
    known, command = script_of(str(script), file.parent)
    if not known.arguments:
        known = _by_help(known, command, file.parent, may_run=run_help)
    _write({file: study_text(known, command)}, is_forced=force)
    _write_schema(file.parent)
    click.echo(f"next: automl plan {output}; automl run {output}")


@commands.command("schema")
@click.option("--stdout", is_flag=True, help="Print it instead.")
def schema(*, stdout: bool) -> None:
    """Write the JSON Schema of study files to .automl/study.schema.json."""
    if stdout:
        click.echo(_schema_text(), nl=False)
    else:
        click.echo(str(_write_schema(Path.cwd())))


def _schema_text() -> str:
    from automl.resources import packaged

    return (packaged("schemas") / "study.schema.json").read_text(encoding="utf-8")


def _write_schema(folder: Path) -> Path:
    file = folder / _SCHEMA
    file.parent.mkdir(exist_ok=True)
    file.write_text(_schema_text(), encoding="utf-8")
    return file


def _write(files: dict[Path, str], *, is_forced: bool) -> None:
    from automl.request.location import make_private

    there = [file for file in files if file.exists()]
    if there and not is_forced:
        raise wrong_argument("init", f"{there[0]}, which exists", "new files", "name another one, or use --force")
    for file, text in files.items():
        make_private(file.parent)
        file.write_text(text, encoding="utf-8")
        click.echo(f"wrote {file}")


def _by_help(known: Script, command: str, folder: Path, *, may_run: bool) -> Script:
    """Return a script with the arguments that its help names; only where it may be run."""
    name = command if known.file is None else known.file.name
    if not may_run:
        found = f"{name}, whose source declares no arguments that are recognised"
        expected = "argparse, Hydra, click, typer, jsonargparse or dataclasses"
        fix = f"automl init {shlex.quote(command)} --run-help runs it with --help; or write study.yaml by hand"
        raise wrong_argument("SCRIPT", found, expected, fix)
    from automl.launch.command import search_path
    from automl.program.help_text import arguments_of_help

    environment = {"PATH": search_path(dict(os.environ), is_own=False)}
    try:
        done = subprocess.run(  # noqa: S603 - the user's own program, which the user has asked to run
            [*shlex.split(command), "--help"],
            cwd=folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=_HELP_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise wrong_argument("SCRIPT", str(error), "a program that prints its help", "check the command") from error
    arguments = {argument.path: argument for argument in arguments_of_help(done.stdout)}
    if not arguments:
        raise wrong_argument("SCRIPT", f"{name} --help names no options", "options with values", "write study.yaml")
    return replace(known, arguments=arguments)
