"""What commands share: options, paths, the results folder, trackers of this terminal, and the end of a run."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from automl.cli.completion import completing, studies
from automl.cli.paths import absolute, results_root, wrong_argument
from automl.errors import ConfigurationError, Problem
from automl.storage.paths import StudyPaths

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from automl.skill.model import JsonValue
    from automl.tracking.base import Tracker

Command = TypeVar("Command", bound="Callable[..., Any]")


class AbsolutePath(click.Path[Path]):
    """A path, made absolute."""

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the absolute path."""
        del param, ctx
        return absolute(Path(value))


class StudyPath(AbsolutePath):
    """A study directory; also its name in the results folder, or the name of a skill, whose newest study it is."""

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the absolute path; which study a name stands for is said in one line."""
        path = super().convert(value, param, ctx)
        if StudyPaths(path).plan_file.is_file():
            return path
        from automl.storage.plan_document import named_study

        found = named_study(str(value), results_root(None))
        if found is None:
            return path
        click.echo(f"study {found[0]}: {found[1]}", err=True)
        return found[0]


def json_option(text: str = "One JSON document on stdout, nothing else there.") -> Callable[[Command], Command]:
    """Return the option ``--json`` with its help text."""
    return click.option("--json", "as_json", is_flag=True, help=text)


study_argument = click.argument(
    "root", metavar="STUDY", type=StudyPath(), shell_complete=completing(studies, has_files=True)
)
data_option = click.option("--data", multiple=True, metavar="SPLIT=PATH", help="Where a split's data are. Repeatable.")
set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Fix a value of the spec, which is then not searched. Repeatable.",
)
notify_option = click.option(
    "--notify",
    envvar="AUTOML_NOTIFY",
    callback=lambda _context, _parameter, target: _usable_target(target),
    metavar="COMMAND|URL",
    help="Gets the summary of the study as JSON when it has ended, on stdin or by POST [AUTOML_NOTIFY].",
)


def _usable_target(target: str | None) -> str | None:
    """Return the target of a notification; raises a ConfigurationError of one to which nothing can be sent."""
    from automl.tracking.notify import target_problem

    if target and (found := target_problem(target)):
        expected, fix = "an address http://... or https://..., or a command", "correct it: --notify, or AUTOML_NOTIFY"
        raise wrong_argument("--notify", found, expected, fix)
    return target


def print_json(document: object) -> None:
    """Print what a command with ``--json`` prints."""
    click.echo(json.dumps(_strict(document), indent=2, allow_nan=False))


def _strict(value: object) -> object:
    """Return a document with null for numbers that JSON does not have: NaN and the infinite ones."""
    if isinstance(value, dict):
        return {key: _strict(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(child) for child in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def split_pairs(
    data: Iterable[str], settings: Iterable[str], problems: list[Problem]
) -> tuple[dict[str, str], dict[str, JsonValue]]:
    """Return ``--data`` as split -> absolute path and ``--set`` as parameter path -> value; add what is unreadable."""
    paths: dict[str, str] = {}
    for text in data:
        split, _, path = text.partition("=")
        if not split or not path:
            expected = "SPLIT=PATH, e.g. train=/data/train.txt"
            problems.append(Problem(where="--data", found=text, expected=expected, fix="add the missing part"))
        paths[split] = str(Path(path).expanduser().absolute())
    return paths, read_settings("--set", settings, problems)


def read_settings(option: str, texts: Iterable[str], problems: list[Problem]) -> dict[str, JsonValue]:
    """Return ``NAME=VALUE`` texts as name -> value, spelled, and add a problem for each that cannot be read."""
    from automl.spec.overrides import parse_override

    parsed, expected = [], "NAME=VALUE" if option == "--option" else "path=value"
    fix = "write e.g. grace_epochs=3" if option == "--option" else "write e.g. train.optim.lr=1e-4"
    for text in texts:
        try:
            parsed.append(parse_override(text))
        except ConfigurationError as error:
            problems += [
                dataclasses.replace(problem, where=f"{option} {text}", expected=expected, fix=fix)
                for problem in error.problems
            ]
    return dict(parsed)


def progress_and_notification(notify: str | None, root: Path | None = None) -> tuple[Tracker, ...]:
    """Return the trackers that show a study, one in ``root`` or a new one, here and notify when it has ended."""
    from automl.cli.progress import ProgressTracker
    from automl.tracking.notify import NotifyTracker

    return (ProgressTracker(), *([NotifyTracker(notify, root)] if notify else []))


def record_rows(root: Path, *, is_just_run: bool = False) -> list[tuple[str, str]]:
    """Return the rows of a study's record: where it is, and what it does not have.

    Long after a study another version may be the champion, which is not asked for: the server may be down.
    """
    from automl.tracking.mlflow.folder import record_document

    record = record_document(root)
    rows = [("mlflow", f"{record['tracking_uri']}, experiment {record['experiment']}")]
    if model := record["model"]:
        is_of_now = is_just_run or "automl promote" in model
        rows.append(("model", model if is_of_now else f"{model} (when it was registered)"))
    rows += [("  not there", text) for text in record["missing"]]
    return rows + [("  refused", text) for text in record["refused"]]
