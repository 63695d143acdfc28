"""`automl evaluate`, `infer`, `export`, `quantize`: the skill's own actions on a checkpoint of a study."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from automl.cli.options import data_option, set_option, split_pairs
from automl.duration import format_duration
from automl.errors import AutomlError, ConfigurationError, Problem

if TYPE_CHECKING:
    from automl.handoff.actions import ActionResult

_ACTIONS = {
    "evaluate": (
        "evaluate",
        "Evaluate a checkpoint of a study, on the validation data unless --data names other.",
    ),
    "infer": ("inference", "Run a checkpoint of a study on images, the validation images unless --data names other."),
    "export": ("export", "Export a checkpoint of a study; an ONNX file is compared with the checkpoint."),
    "quantize": ("quantize", "Quantise a checkpoint of a study."),
}
"""Command -> the skill's action, and its help text."""

_SHOWN_FILES = 8


def _make(name: str) -> click.Command:
    action, text = _ACTIONS[name]

    @click.command(name, help=f"{text} The best checkpoint is taken unless --trial and --epoch name another.")
    @click.argument("study_dir", type=click.Path(path_type=Path))
    @click.option("--trial", type=click.IntRange(min=0), metavar="N", help="This trial [the best one].")
    @click.option("--epoch", type=click.IntRange(min=0), metavar="E", help="Zero-based epoch of the trial [its best].")
    @data_option
    @set_option
    @click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else there.")
    def command(study_dir: Path, *, as_json: bool, **options: Any) -> int:  # noqa: ANN401 - click hands over what was declared
        root = study_dir.expanduser().absolute()
        result = _run(root, action, options)
        _show(root, result, as_json=as_json)
        try:
            _raise_for(root, result)
        except AutomlError as error:
            error.is_printed = True
            raise
        return 0

    return command


commands = {name: _make(name) for name in _ACTIONS}


def _run(root: Path, action: str, options: dict[str, Any]) -> ActionResult:
    from automl.handoff.actions import action_launcher, options_here, run_recorded  # noqa: PLC0415 - imported when the command is called

    problems: list[Problem] = []
    data, settings = split_pairs(options["data"], options["settings"], problems)
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the command line")
    chosen = dataclasses.replace(
        options_here(), trial=options["trial"], epoch=options["epoch"], data=data, overrides=settings
    )
    launcher = action_launcher(root)
    try:
        return run_recorded(root, action, launcher, chosen)
    finally:
        launcher.close()


def _show(root: Path, result: ActionResult, *, as_json: bool) -> None:
    from automl.storage.documents import to_json  # noqa: PLC0415 - imported when the command is called

    if as_json:
        click.echo(json.dumps(to_json(result), indent=2))
        return
    if result.trial is None:
        return
    from automl.cli import render  # noqa: PLC0415 - rich, only when something is shown

    epoch = "" if result.epoch is None else f", epoch {result.epoch}"
    rows: list[tuple[str, object]] = [
        (result.action, f"{result.status.value} in {format_duration(result.elapsed_s)}"),
        ("checkpoint", f"{root / str(result.checkpoint)}  (trial {result.trial}{epoch})"),
        *((name, f"{value:.6g}") for name, value in result.values.items()),
        *(("file", root / file) for file in result.files[:_SHOWN_FILES]),
        *([("and more", f"{len(result.files)} files in all")] if len(result.files) > _SHOWN_FILES else []),
        ("spec, log", root / result.directory),
    ]
    render.console().print(render.key_values(rows))


def _raise_for(root: Path, result: ActionResult) -> None:
    """Raise the error of an action that failed or was not started."""
    from automl.study.evaluation import ActionStatus  # noqa: PLC0415 - imported when the command is called

    if result.status is ActionStatus.UNAVAILABLE:
        problem = Problem(
            where=f"{result.action} of {root}",
            found=result.reason,
            expected="an action of the skill, a checkpoint and existing data",
            fix="choose another --trial or --epoch, or name the data with --data",
        )
        raise ConfigurationError.from_problems([problem], subject="the command line")
    if result.status is ActionStatus.FAILED:
        log = root / result.directory / f"{result.action}.log"
        raise AutomlError(f"{result.action} failed: {result.reason}\nread {log}")
