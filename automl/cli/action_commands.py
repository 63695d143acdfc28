"""`automl evaluate`, `infer`, `export`, `quantize`: the skill's own actions on a checkpoint of a study."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from automl.cli.options import data_option, json_option, print_json, set_option, split_pairs, study_argument
from automl.cli.paths import wrong_argument
from automl.duration import format_duration
from automl.errors import AutomlError, ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automl.handoff.actions import ActionResult

_ACTIONS = {
    "evaluate": ("evaluate", "Evaluate a checkpoint of a study, on the validation data unless --data names other."),
    "infer": ("inference", "Run a checkpoint of a study on images, the validation images unless --data names other."),
    "export": ("export", "Export a checkpoint of a study; an ONNX file is compared with the checkpoint."),
    "quantize": ("quantize", "Quantise a checkpoint of a study."),
}
"""Command -> the skill's action, and its help text."""

_SHOWN_FILES = 8

commands = click.Group()


def _add(name: str, action: str, text: str) -> None:
    @commands.command(name, help=f"{text} The best checkpoint is taken unless --trial and --epoch name another.")
    @study_argument
    @click.option("--trial", type=click.IntRange(min=0), metavar="N", help="This trial [the best one].")
    @click.option("--epoch", type=click.IntRange(min=0), metavar="E", help="Zero-based epoch of the trial [its best].")
    @data_option
    @set_option
    @json_option()
    def _command(root: Path, *, as_json: bool, **options: Any) -> None:  # noqa: ANN401 - click hands over what was declared
        from automl.storage.documents import to_json

        result = _run(root, action, options)
        if as_json:
            print_json(to_json(result))
        elif result.trial is not None:
            from automl.cli import render

            render.console().print(render.key_values(_rows(root, result)))
        error = _error_of(root, result)
        if error is not None:
            error.is_printed = True
            raise error


for _name, (_action, _text) in _ACTIONS.items():
    _add(_name, _action, _text)

_PROTOCOL = "Evaluate as papers do, where the skill has evaluate.protocol; depth_net: nyu, kitti, da2."
commands.commands["evaluate"].params.append(click.Option(["--protocol"], metavar="NAME", help=_PROTOCOL))


def _run(root: Path, action: str, options: dict[str, Any]) -> ActionResult:
    from automl.handoff.actions import action_launcher, options_here, run_recorded
    from automl.handoff.integrity import require_sound
    from automl.storage.paths import StudyPaths

    problems: list[Problem] = []
    protocol = options.get("protocol")
    asked = [f"{action}.protocol={protocol}"] if protocol else []
    data, settings = split_pairs(options["data"], [*options["settings"], *asked], problems)
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the command line")
    chosen = dataclasses.replace(
        options_here(), trial=options["trial"], epoch=options["epoch"], data=data, overrides=settings
    )
    require_sound(StudyPaths(root))
    launcher = action_launcher(root)
    try:
        return run_recorded(root, action, launcher, chosen)
    finally:
        launcher.close()


def _rows(root: Path, result: ActionResult) -> Iterator[tuple[str, object]]:
    epoch = "" if result.epoch is None else f", epoch {result.epoch}"
    yield result.action, f"{result.status.value} in {format_duration(result.elapsed_s)}"
    yield "checkpoint", f"{root / str(result.checkpoint)}  (trial {result.trial}{epoch})"
    yield from ((name, f"{value:.6g}") for name, value in result.values.items())
    yield from (("file", root / file) for file in result.files[:_SHOWN_FILES])
    if len(result.files) > _SHOWN_FILES:
        yield "and more", f"{len(result.files)} files in all"
    yield "spec, log", root / result.directory


def _error_of(root: Path, result: ActionResult) -> AutomlError | None:
    """Return the error of an action that failed or was not started."""
    from automl.storage.paths import StudyPaths
    from automl.storage.plan_document import read_plan
    from automl.study.evaluation import ActionStatus

    if result.status is ActionStatus.UNAVAILABLE:
        expected = "an action of a model skill, a checkpoint and existing data"
        fix = "choose another --trial or --epoch, or name the data with --data"
        if result.action not in read_plan(StudyPaths(root)).load_skill().actions:
            fix = f"take the checkpoint that {StudyPaths(root).best_file} names"
        return wrong_argument(f"{result.action} of {root}", result.reason, expected, fix)
    if result.status is ActionStatus.FAILED:
        log = root / result.directory / f"{result.action}.log"
        return AutomlError(f"{result.action} failed: {result.reason}\nread {log}")
    return None
