"""`automl init`, `automl schema`: files that a user begins with."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from automl.cli.paths import wrong_argument
from automl.config_files import parse_yaml
from automl.program.arguments import JSONARGPARSE, LIGHTNING
from automl.shown_command import shown_command

if TYPE_CHECKING:
    from automl.program.script import Script

commands = click.Group()

_HELP_LIMIT_S = 180.0
_PRINT = "--print_config"
_SCHEMA = Path(".automl/study.schema.json")


@commands.command("init")
@click.argument("script", required=False)
@click.option("--skill", metavar="DIR", type=click.Path(path_type=Path), help="Write a model skill to this new folder.")
@click.option("-o", "--output", metavar="FILE", default="study.yaml", show_default=True, help="The study file.")
@click.option("--run-help", is_flag=True,
              help="Run the script with --help, or --print_config of jsonargparse and Lightning, for what its source "
              "does not say.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace files that are there.")
def init(*, script: str | None, skill: Path | None, output: str, run_help: bool, force: bool) -> None:
    """Write a study file for SCRIPT, a file or a command in quotes.

    Its source is read and nothing of it is run, unless --run-help is given.
    """
    if (script is None) == (skill is None):
        expected, fix = "a script or --skill DIR", "automl init train.py, or automl init --skill my_model"
        raise wrong_argument("SCRIPT", "neither" if script is None else "--skill beside it", expected, fix)
    if skill is not None:
        from automl.starter import skill_files

        _write(skill_files(skill.expanduser().absolute()), is_forced=force)
        check, run = shown_command("check", "--skill", skill), shown_command("run", "--skill", skill, "--trials", 8)
        click.echo(f"next: {check}; {run}")
        return
    from automl.starter import script_of, study_text

    file = Path(output).expanduser().absolute()
    known, command = script_of(str(script), file.parent)
    printed = ""
    if not known.arguments or (run_help and known.library in {LIGHTNING, JSONARGPARSE}):
        known, printed = _by_running(known, command, file.parent, may_run=run_help)
    spec = file.with_name(f"{file.stem}.defaults.yaml")
    files = {spec: printed} if printed else {}
    text = study_text(known, command, spec.name if printed else "", file=output)
    _write({file: text} | files, is_forced=force)
    _write_schema(file.parent)
    click.echo(f"next: {shown_command('plan', output)}; {shown_command('run', output)}")


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


def _by_running(known: Script, command: str, folder: Path, *, may_run: bool) -> tuple[Script, str]:
    """Return a script with the arguments that it names itself, and the configuration that it prints or an empty text.

    It is only run where it may be: with ``--print_config``, which programs of jsonargparse have, else with ``--help``.
    """
    name = command if known.file is None else known.file.name
    if not may_run:
        found = f"{name}, whose source declares no arguments that are recognised"
        expected = "argparse, Hydra, click, typer, absl, Fire, tyro, jsonargparse, Lightning's or Transformers' parser"
        fix = "--run-help runs it with --help; or write the study file by hand"
        if reason := _why_unread(known, command, folder):
            found, expected, fix = reason, "a script of Python, or a command that runs one", "check the path"
        elif settings := _settings(known):
            found = f"{name}, which takes no arguments: its settings are constants ({', '.join(settings[:3])}, ...)"
            fix = f'let it take them, e.g. p.add_argument("--{settings[0].lower()}", type=float, default={settings[0]})'
        raise wrong_argument("SCRIPT", found, expected, fix)
    from automl.program.help_text import arguments_of_help, arguments_of_values, may_print_config

    text = "" if known.library == LIGHTNING else _output(command, "--help", folder)
    if known.library in {LIGHTNING, JSONARGPARSE} or may_print_config(text):
        text = _output(command, _PRINT, folder)
        found_arguments = arguments_of_values(parse_yaml(text, where=f"{command} {_PRINT}"), known.arguments)
        if found_arguments:
            library = known.library or JSONARGPARSE
            return replace(known, library=library, arguments={a.path: a for a in found_arguments}), text
    arguments = {argument.path: argument for argument in arguments_of_help(text)} or known.arguments
    if not arguments:
        raise wrong_argument("SCRIPT", f"{name} --help names no options", "options with values", "write study.yaml")
    return replace(known, arguments=arguments), ""


def _why_unread(known: Script, command: str, folder: Path) -> str:
    """Return what is in the place of a script and cannot be read, and why; empty for nothing."""
    from automl.program.sources import why_unread

    words = command.split() if known.file is None else [str(known.file)]
    scripts = [word for word in words if word.endswith(".py")]
    # Any other word may be a program or its data; what is no file is neither, and what cannot be run is no program.
    others = [word for word in words if (folder / word).exists() and not (folder / word).is_file()]
    others += [word for word in words[:1] if (folder / word).is_file() and not os.access(folder / word, os.X_OK)]
    reasons = ((word, why_unread(folder / word)) for word in (*scripts, *others))
    return next((f"{word}, which cannot be read: {reason}" for word, reason in reasons if reason), "")


def _settings(known: Script) -> list[str]:
    """Return the names of the numbers at the top of a script, by which it seems to be set."""
    from automl.program.constants import constants_of
    from automl.program.sources import parsed

    tree = parsed(known.file) if known.file is not None else None
    constants = constants_of(tree) if tree is not None else {}
    return [name for name, value in constants.items() if name.isupper() and isinstance(value, int | float)]


def _output(command: str, word: str, folder: Path) -> str:
    """Return what a program of the user's prints for a word."""
    from automl.launch.command import search_path

    environment = {"PATH": search_path(dict(os.environ), is_own=False)}
    expected, fix = f"a program that answers {word}", "check the command"
    try:
        done = subprocess.run(  # noqa: S603 - the user's own program, which the user has asked to run
            [*shlex.split(command), word],
            cwd=folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=_HELP_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        found = f"{command} {word}, which had not ended after {_HELP_LIMIT_S:g} s"
        raise wrong_argument("SCRIPT", found, expected, fix) from error
    except (OSError, ValueError) as error:
        raise wrong_argument("SCRIPT", str(error), expected, fix) from error
    if done.returncode:
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "no message")
        found = f"{command} {word} ended with status {done.returncode}: {last.strip()}"
        raise wrong_argument("SCRIPT", found, expected, fix)
    return done.stdout
