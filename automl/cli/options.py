"""The options that `run`, `plan` and `space` share, and how a request is built from them."""

from __future__ import annotations

import dataclasses
import math
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from automl.duration import parse_duration_s
from automl.errors import ConfigurationError, Problem
from automl.request.study_request import DEFAULT_STUDY, SETTINGS, StudyRequest, load_study_request
from automl.samplers.registry import SAMPLERS
from automl.schedulers.registry import SCHEDULERS
from automl.study.launch_plan import LAUNCHER_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from automl.skill.model import JsonValue
    from automl.tracking.base import Tracker

Command = TypeVar("Command", bound="Callable[..., Any]")


class Duration(click.ParamType[float]):
    """A duration such as 90s, 20min or 1h30min, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's own signature
        """Return seconds."""
        try:
            return parse_duration_s(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _finite(value: Any, fail: Callable[[str], NoReturn]) -> float:  # noqa: ANN401 - what click has read
    number = float(value)
    if not math.isfinite(number):
        fail(f"{value} is not a finite number")
    return number


class FiniteFloat(click.types.FloatParamType):
    """A number; neither infinite nor NaN, with which every comparison would be false."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's own signature
        """Return the number."""
        return _finite(super().convert(value, param, ctx), partial(self.fail, param=param, ctx=ctx))


class FiniteFloatRange(click.FloatRange):
    """A number in a range, of which the help says the bounds."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's own signature
        """Return the number."""
        return _finite(super().convert(value, param, ctx), partial(self.fail, param=param, ctx=ctx))


# Settings that an option sets as it is; the others are read or added to those of the study file.
_PLAIN_SETTINGS = SETTINGS - {
    *("skill", "data", "search", "policy", "fallback", "warm_start", "objectives", "constraints"),
}

data_option = click.option("--data", multiple=True, metavar="SPLIT=PATH", help="Where a split's data are. Repeatable.")
set_option = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override the spec. Repeatable."
)
notify_option = click.option(
    "--notify",
    envvar="AUTOML_NOTIFY",
    metavar="COMMAND|URL",
    help="Gets the summary of the study as JSON when it has ended, on stdin or by POST [AUTOML_NOTIFY].",
)
_SKILL_OPTIONS = (
    click.argument("study", required=False),
    click.option("--skill", metavar="PATH|NAME", help="A model skill: a folder, or the name of a built-in one."),
    click.option("--spec", metavar="FILE", help="A spec file in place of the skill's template."),
    data_option,
    set_option,
    click.option(
        "--search", multiple=True, metavar="REQUEST", help="path, glob, path=low..high[:log], path={a,b}, all."
    ),
    click.option(
        "--results", type=click.Path(path_type=Path), metavar="DIR", help="Results folder [results/, AUTOML_RESULTS]."
    ),
    click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else there."),
)
_TIME = click.option(
    "--time",
    "time_s",
    type=Duration(),
    metavar="DURATION",
    help="End after this time, e.g. 2h: running trials are stopped, their best values count.",
)
# In a job of a cluster `--time` is that of the job.
_STUDY_TIME = click.option(
    "--study-time", "time_s", type=Duration(), metavar="DURATION", help="The --time of `automl run`: of the study."
)
_STUDY_OPTIONS = (
    click.option("--policy", type=click.Choice(["on", "off", "auto"]), help="on: search. off: train once."),
    click.option(
        "--request",
        "request_text",
        metavar="TEXT",
        help="What you want, in plain English: '20 trials, two hours, 4 GPUs, best d1'.",
    ),
    click.option("--fallback", type=click.Choice(["train-once"]), help="Train once where a search cannot be run."),
    click.option("--metric", metavar="NAME", help="The objective's metric."),
    click.option("--direction", type=click.Choice(["maximize", "minimize"]), help="Whether more or less is better."),
    click.option(
        "--objective",
        "objectives",
        multiple=True,
        metavar="NAME[:DIRECTION]",
        help="Several objectives, the primary one first, in place of --metric. Repeatable.",
    ),
    click.option("--constraint", "constraints", multiple=True, metavar="LIMIT", help="'memory_gib <= 40'. Repeatable."),
    click.option(
        "--replicates",
        type=click.IntRange(min=1),
        metavar="K",
        help="Train the best K trials again with other seeds; the best mean wins.",
    ),
    click.option(
        "--evaluate-with", metavar="COMMAND", help="Measures further metrics of a trained trial: JSON on its last line."
    ),
    click.option("--trials", type=click.IntRange(min=1), metavar="N", help="Number of trials."),
    click.option("--gpu-hours", type=FiniteFloatRange(min=0, min_open=True), metavar="H", help="Limit of GPU hours."),
    click.option("--target", type=FiniteFloat(), metavar="VALUE", help="End when the objective reaches this value."),
    click.option(
        "--patience",
        "patience_trials",
        type=click.IntRange(min=1),
        metavar="N",
        help="End when N trials in a row brought no improvement.",
    ),
    click.option(
        "--min-improvement",
        type=FiniteFloatRange(min=0, min_open=True),
        metavar="VALUE",
        help="End when no further trial is expected to improve the objective by VALUE.",
    ),
    click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Trials at once."),
    click.option("--gpus-per-trial", type=FiniteFloatRange(min=0), metavar="X", help="GPUs of one trial; 0 for CPU."),
    click.option("--launcher", type=click.Choice(LAUNCHER_NAMES), help="How trials are started [auto]."),
    click.option("--image", metavar="IMAGE", help="Container image in place of the skill's."),
    click.option("--network", metavar="NAME", help="Network of containers: none, host, bridge, ... [the engine's]."),
    click.option("--sampler", metavar="NAME", help=f"Proposes assignments: {', '.join(SAMPLERS)} [auto]."),
    click.option("--scheduler", metavar="NAME", help=f"Stops trials early: {', '.join(SCHEDULERS)} [auto]."),
    click.option(
        "--warm-start",
        multiple=True,
        metavar="STUDY",
        help="Try the best trials of a study first: its directory, or its name in the results folder. Repeatable.",
    ),
    click.option("--no-warm-start", is_flag=True, help="Try no points of earlier studies [auto looks for some]."),
    click.option(
        "--option",
        "named_options",
        multiple=True,
        metavar="NAME=VALUE",
        help="An option of sampler, scheduler or trials, e.g. grace_epochs=3. Repeatable.",
    ),
    click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Seed of the sampler."),
    click.option("--tracking-uri", metavar="URI", help="MLflow tracking server [sqlite in the results folder]."),
    click.option("--ray-address", metavar="ADDRESS", help="A Ray cluster [this machine]."),
)


def skill_options(command: Command) -> Command:
    """Give a command the options that choose a skill, its data and its spec."""
    for option in reversed(_SKILL_OPTIONS):
        command = option(command)
    return command


def study_options(command: Command) -> Command:
    """Give a command every option of a study."""
    for option in reversed((_TIME, *_STUDY_OPTIONS)):
        command = option(command)
    return skill_options(command)


def job_options(command: Command) -> Command:
    """Give a command every option of a study that a job is to run; its ``--time`` is called ``--study-time``."""
    for option in reversed((_STUDY_TIME, *_STUDY_OPTIONS)):
        command = option(command)
    return skill_options(command)


def progress_and_notification(notify: str | None) -> tuple[Tracker, ...]:
    """Return the trackers that show a study on this terminal and notify when it has ended."""
    from automl.cli.progress import ProgressTracker  # noqa: PLC0415 - rich, only when something is shown
    from automl.tracking.notify import NotifyTracker  # noqa: PLC0415 - imported when a study starts

    return (ProgressTracker(), *([NotifyTracker(notify)] if notify else []))


def results_root(given: Path | None) -> Path:
    """Return the results folder, absolute: the option, AUTOML_RESULTS, or `results/` here.

    Raises:
        ConfigurationError: its path is no UTF-8, which neither JSON files nor MLflow can hold.
    """
    root = (given or Path(os.environ.get("AUTOML_RESULTS") or "results")).expanduser().absolute()
    try:
        str(root).encode()
    except UnicodeEncodeError as error:
        problem = Problem(
            where="--results",
            found=repr(str(root)),
            expected="a path in UTF-8",
            fix="choose another folder, or a locale of UTF-8",
        )
        raise ConfigurationError.from_problems([problem], subject="the command line") from error
    return root


def unreadable_results(root: Path, error: OSError) -> ConfigurationError:
    """Return the error for a results folder that cannot be read."""
    found = error.strerror or str(error)
    problem = Problem(where=str(root), found=found, expected="a results folder", fix="check the path")
    return ConfigurationError.from_problems([problem], subject="the command line")


def build_request(options: dict[str, Any]) -> StudyRequest:
    """Return what the user asks for: the study file (the demo where neither study nor skill is named), options on top.

    Raises:
        ConfigurationError: no such study, or options that cannot be read.
    """
    request = _named_request(options["study"], options["skill"])
    problems = _contradictions(options)
    data, settings = split_pairs(options["data"], options["settings"], problems)
    named = dict(_settings(options.get("named_options", ()), problems, "--option"))
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the command line")
    if options.get("spec"):
        options = {**options, "spec": str(Path(options["spec"]).expanduser().absolute())}
    changes = {name: value for name, value in options.items() if name in _PLAIN_SETTINGS and value is not None}
    changes |= {name: tuple(options[name]) for name in ("objectives", "constraints") if options.get(name)}
    if options.get("warm_start") or options.get("no_warm_start"):
        changes["warm_start"] = tuple(options.get("warm_start", ()))
    if options.get("policy") is not None:
        changes["policy"] = "off" if options["policy"] == "off" else "on"
    return request.with_settings(
        **changes,
        data={**request.data, **data},
        overrides={**request.overrides, **settings},
        search=(*request.search, *options["search"]),
        options={**request.options, **named},
        fallback=options.get("fallback") is not None,
        explicit=tuple(sorted(changes)),
    )


def _contradictions(options: dict[str, Any]) -> list[Problem]:
    if not (options.get("warm_start") and options.get("no_warm_start")):
        return []
    found, fix = "--no-warm-start beside it", "leave one of them out"
    return [Problem(where="--warm-start", found=found, expected="one of the two", fix=fix)]


def _named_request(study: str | None, skill: str | None) -> StudyRequest:
    if study is None and skill is not None:
        return StudyRequest(skill=skill, name=Path(skill).name)
    request = load_study_request(study or DEFAULT_STUDY)
    return request if skill is None else request.with_settings(skill=skill)


def split_pairs(
    data: Iterable[str], settings: Iterable[str], problems: list[Problem]
) -> tuple[dict[str, str], dict[str, JsonValue]]:
    """Return what ``--data`` and ``--set`` say: split -> absolute path, and parameter path -> value.

    Args:
        data: ``SPLIT=PATH`` texts.
        settings: ``KEY=VALUE`` texts.
        problems: Gets one for each text that cannot be read.
    """
    paths = {split: str(Path(path).expanduser().absolute()) for split, path in _pairs("--data", data, problems)}
    return paths, dict(_settings(settings, problems))


def _pairs(option: str, texts: Iterable[str], problems: list[Problem]) -> list[tuple[str, str]]:
    pairs = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals or not value:
            problems.append(
                Problem(
                    where=option,
                    found=text,
                    expected="SPLIT=PATH, e.g. train=/data/train.txt",
                    fix="add the missing part",
                )
            )
        pairs.append((key, value))
    return pairs


def _settings(texts: Iterable[str], problems: list[Problem], option: str = "--set") -> list[tuple[str, JsonValue]]:
    from automl.spec.overrides import parse_override  # noqa: PLC0415 - imported only where overrides are given

    parsed = []
    for text in texts:
        try:
            parsed.append(parse_override(text))
        except ConfigurationError as error:
            problems += [dataclasses.replace(problem, where=f"{option} {text}") for problem in error.problems]
    return parsed
