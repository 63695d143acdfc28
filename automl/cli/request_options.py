"""The options of a study, and the request and the place that they name."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from automl.cli.completion import completing, ready_studies, samplers, schedulers, skills, studies
from automl.cli.options import data_option, json_option, read_settings, set_option, split_pairs
from automl.cli.paths import results_root
from automl.duration import parse_duration_s
from automl.errors import ConfigurationError, Problem
from automl.request.counts import MOST
from automl.request.location import RunLocation
from automl.request.study_request import DEFAULT_STUDY, SETTINGS, StudyRequest, load_study_request
from automl.resources import builtin_skill, builtin_studies
from automl.samplers.registry import SAMPLERS
from automl.schedulers.registry import SCHEDULERS
from automl.shown_command import shown
from automl.skill.layout import is_skill
from automl.spec.typed import typed
from automl.study.cost import ObjectivePer
from automl.study.launch_plan import LAUNCHER_NAMES
from automl.study.replication import AUTO
from automl.tracking.mlflow.uri import absolute_uri

if TYPE_CHECKING:
    from collections.abc import Callable

Command = TypeVar("Command", bound="Callable[..., Any]")


def _duration_s(text: str) -> float:
    try:
        return parse_duration_s(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _replicates(text: str) -> int | str:
    if text == AUTO:
        return text
    if not text.isdecimal() or float(text) > MOST["replicates"]:
        expected = f"a number of trials up to {MOST['replicates']:,}, 0 for none"
        raise click.BadParameter(f"{text!r} is neither {expected}, nor {AUTO}")
    return int(text)


def _finite(_context: click.Context, _option: click.Parameter, number: float | None) -> float | None:
    """Refuse infinity, and NaN, with which every comparison would be false."""
    if number is not None and not math.isfinite(number):
        raise click.BadParameter(f"{number} is not a finite number")
    return number


# Settings that an option sets as it is; the others are read or added to those of the study file.
_LISTS = ("objectives", "constraints", "trackers", "readers")
_PLAIN_SETTINGS = SETTINGS - {
    *(
        "skill",
        "data",
        "search",
        "policy",
        "require_search",
        "request_reading",
        "warm_start",
        "studies",
        *_LISTS,
    ),
}

_SKILL_OPTIONS = (
    click.argument("study", required=False, shell_complete=completing(ready_studies, skills, has_files=True)),
    click.option(
        "--skill",
        metavar="PATH|NAME",
        help="A model skill: a folder, or the name of a built-in one.",
        shell_complete=completing(skills, has_files=True),
    ),
    click.option(
        "--spec",
        metavar="FILE",
        help="A spec file in place of the skill's template.",
        shell_complete=completing(has_files=True),
    ),
    data_option,
    set_option,
    click.option(
        "--search",
        multiple=True,
        metavar="REQUEST",
        help="What is searched: a name, a pattern, name='1e-5..1e-1 log', name={a,b}, all. Repeatable.",
    ),
    click.option(
        "--results", type=click.Path(path_type=Path), metavar="DIR", help="Results folder [results/, AUTOML_RESULTS]."
    ),
    json_option(),
)
_TIME = click.option(
    "--time",
    "time_s",
    type=_duration_s,
    metavar="DURATION",
    help="End after this time, e.g. 2h: running trials are stopped, their best values count.",
)
# In a job of a cluster `--time` is that of the job.
_STUDY_TIME = click.option(
    "--study-time", "time_s", type=_duration_s, metavar="DURATION", help="The --time of `automl run`: of the study."
)
_POSITIVE = click.FloatRange(min=0, min_open=True)
_STUDY_OPTIONS = (
    click.option(
        "--policy",
        type=click.Choice(["on", "off", "auto"]),
        help="on: search. off: train once. auto: search where the skill allows it [auto].",
    ),
    click.option(
        "--request",
        "request_text",
        metavar="TEXT",
        help="What you want, in plain English: '20 trials, two hours, 4 GPUs, best d1'.",
    ),
    click.option(
        "--request-model",
        is_flag=True,
        help="Let a language model read what the plain forms of --request do not; it is shown, and asked back.",
    ),
    click.option("--require-search", is_flag=True, help="Exit with 2 where the run would train once."),
    click.option("--metric", metavar="NAME", help="The objective's metric [the skill's]."),
    click.option("--direction", type=click.Choice(["maximize", "minimize"]), help="Which is better [the skill's]."),
    click.option(
        "--objective",
        "objectives",
        multiple=True,
        metavar="NAME[:DIRECTION]",
        help="Several objectives, the primary one first, in place of --metric. Repeatable.",
    ),
    click.option(
        "--constraint",
        "constraints",
        multiple=True,
        metavar="LIMIT",
        help="What the best trial must keep: 'memory_gib <= 40'. Repeatable.",
    ),
    click.option(
        "--replicates",
        type=_replicates,
        metavar="K|auto",
        help="Train the best K trials again with other seeds; the best mean wins. auto: a race of the best.",
    ),
    click.option(
        "--objective-per",
        type=click.Choice([per.value for per in ObjectivePer]),
        help="What an improvement is weighed by [the budget's unit].",
    ),
    click.option(
        "--evaluate-with", metavar="COMMAND", help="Measures further metrics of a trained trial: JSON on its last line."
    ),
    click.option("--trials", type=click.IntRange(1, MOST["trials"]), metavar="N", help="Number of trials [20]."),
    click.option(
        "--gpu-hours",
        type=_POSITIVE,
        callback=_finite,
        metavar="H",
        help="End after so many GPU hours, of all trials together.",
    ),
    click.option(
        "--target", type=float, callback=_finite, metavar="VALUE", help="End when the objective reaches this value."
    ),
    click.option(
        "--patience",
        "patience_trials",
        type=click.IntRange(1, MOST["patience_trials"]),
        metavar="N",
        help="End when N trials in a row brought no improvement.",
    ),
    click.option(
        "--min-improvement",
        type=_POSITIVE,
        callback=_finite,
        metavar="VALUE",
        help="End when no further trial is expected to improve the objective by VALUE.",
    ),
    click.option("--jobs", type=click.IntRange(1, MOST["jobs"]), metavar="N", help="Trials at once [as many as fit]."),
    click.option(
        "--gpus-per-trial",
        type=click.FloatRange(0, MOST["gpus_per_trial"]),
        callback=_finite,
        metavar="X",
        help="GPUs of one trial; 0 for CPU [the spec's, else 1 where there is one].",
    ),
    click.option("--launcher", metavar="NAME", help=f"How trials are started: {', '.join(LAUNCHER_NAMES)} [auto]."),
    click.option("--image", metavar="IMAGE", help="Container image in place of the skill's."),
    click.option("--network", metavar="NAME", help="Network of containers: none, host, bridge, ... [the engine's]."),
    click.option(
        "--sampler",
        metavar="NAME",
        help=f"Proposes assignments: {', '.join(SAMPLERS)} [auto].",
        shell_complete=completing(samplers),
    ),
    click.option(
        "--scheduler",
        metavar="NAME",
        help=f"Stops trials early: {', '.join(SCHEDULERS)} [auto].",
        shell_complete=completing(schedulers),
    ),
    click.option(
        "--tracker",
        "trackers",
        multiple=True,
        metavar="NAME",
        help="A plug-in that records the study too; `automl list --plugins` names them. Repeatable.",
    ),
    click.option(
        "--reader",
        "readers",
        multiple=True,
        metavar="NAME",
        help="A plug-in that reads a format of logs or metric files. Repeatable.",
    ),
    click.option(
        "--warm-start",
        multiple=True,
        metavar="STUDY",
        shell_complete=completing(studies, has_files=True),
        help="Try the best trials of a study first: its directory, its name in the results folder, or that of a skill. "
        "Repeatable.",
    ),
    click.option("--no-warm-start", is_flag=True, help="Take nothing from earlier studies and recipes [auto does]."),
    click.option(
        "--studies",
        multiple=True,
        metavar="PATH",
        help="Further earlier studies: a results folder, a study's directory, or a file of export-history. Repeatable.",
    ),
    click.option(
        "--option",
        "named_options",
        multiple=True,
        metavar="NAME=VALUE",
        help="An option of sampler, scheduler or trials, e.g. grace_epochs=3. Repeatable.",
    ),
    click.option(
        "--seed", type=click.IntRange(0, MOST["seed"]), metavar="N", help="Seed of the sampler [always the same]."
    ),
    click.option(
        "--tracking-uri",
        envvar="MLFLOW_TRACKING_URI",
        metavar="URI",
        help="MLflow tracking server [MLFLOW_TRACKING_URI, else sqlite in the results folder].",
    ),
    click.option(
        "--experiment",
        envvar="MLFLOW_EXPERIMENT_NAME",
        metavar="NAME",
        help="MLflow experiment [MLFLOW_EXPERIMENT_NAME, else skill, objective and name of the data].",
    ),
    click.option("--model-name", metavar="NAME", help="Registered model [skill, objective and name of the data]."),
    click.option("--ray-address", metavar="ADDRESS", help="A Ray cluster [this machine]."),
)


def _giving(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return the decorator that gives a command these options."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


skill_options = _giving(*_SKILL_OPTIONS)
study_options = _giving(*_SKILL_OPTIONS, _TIME, *_STUDY_OPTIONS)
job_options = _giving(*_SKILL_OPTIONS, _STUDY_TIME, *_STUDY_OPTIONS)


def location(options: dict[str, Any]) -> RunLocation:
    """Return where the study that `study_options` describe goes."""
    return RunLocation(
        results=results_root(options["results"]),
        tracking_uri=absolute_uri(options["tracking_uri"]) if options["tracking_uri"] else None,
        ray_address=options["ray_address"],
        directory=options.get("study_dir"),
    )


def build_request(options: dict[str, Any]) -> StudyRequest:
    """Return what the user asks for: the study file (the demo where neither study nor skill is named), options on top.

    Raises:
        ConfigurationError: no such study, or options that cannot be read.
        LaunchError: the language model that is to read the text does not answer.
    """
    request = _request(options)
    if options.get("request_model"):
        from automl.cli.request_reading import with_reading

        return with_reading(request)
    return request


def _named_skill(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with a skill that stands in the place of a study as ``--skill``; that is said."""
    study = options["study"]
    if study is None or options["skill"] is not None or Path(study).is_file() or study in builtin_studies():
        return options
    if builtin_skill(study) is None and not is_skill(Path(study)):
        return options
    click.echo(f"{study} is a skill: the study is `{shown('--skill', study)}`", err=True)
    return {**options, "study": None, "skill": study}


def _request(options: dict[str, Any]) -> StudyRequest:
    options = _named_skill(options)
    if options["study"] is None and options["skill"] is not None:
        request = StudyRequest(skill=options["skill"], name=Path(options["skill"]).name)
    else:
        request = load_study_request(options["study"] or DEFAULT_STUDY)
        request = request.with_settings(skill=options["skill"] or request.skill)
    earlier, problems = _earlier_settings(options, request)
    data, settings = split_pairs(options["data"], options["settings"], problems)
    spelled = read_settings("--option", options.get("named_options", ()), problems)
    named = {name: typed(value, None) for name, value in spelled.items()}
    if options.get("spec"):
        options = {**options, "spec": str(Path(options["spec"]).expanduser().absolute())}
    changes = {name: value for name, value in options.items() if name in _PLAIN_SETTINGS and value is not None}
    changes |= {name: tuple(options[name]) for name in _LISTS if options.get(name)}
    changes |= earlier
    if options.get("policy") is not None:
        changes["policy"] = "off" if options["policy"] == "off" else "on"
    if "metric" in changes and changes["metric"] != request.metric:
        changes.setdefault("direction", None)  # the study file's direction belongs to its own metric
    given = [name for name, said in (("data", data), ("overrides", settings), ("search", options["search"])) if said]
    request = request.with_settings(
        **changes,
        data={**request.data, **data},
        overrides={**request.overrides, **settings},
        search=(*request.search, *options["search"]),
        options={**request.options, **named},
        require_search=bool(options.get("require_search")),
        explicit=tuple(sorted([*changes, *given, *(f"options.{name}" for name in named)])),
    )
    if problems:
        problems += _further_problems(request, results_root(options["results"]))
        raise ConfigurationError.from_problems(problems, subject="the command line")
    return request


def _earlier_settings(options: dict[str, Any], request: StudyRequest) -> tuple[dict[str, Any], list[Problem]]:
    """Return which earlier studies are used, and what contradicts itself in that."""
    given = [name for name in ("warm_start", "no_warm_start", "studies") if options.get(name)]
    first, *others = [f"--{name.replace('_', '-')}" for name in given] or [""]
    found, fix = f"{' and '.join(others)} beside it", "leave all but one of them out"
    problems = [Problem(where=first, found=found, expected="one of them", fix=fix)] if others else []
    settings: dict[str, Any] = {}
    if options.get("warm_start") or options.get("no_warm_start"):
        settings["warm_start"] = tuple(options.get("warm_start", ()))
    if options.get("studies"):
        paths = (str(Path(path).expanduser().absolute()) for path in options["studies"])
        settings["studies"] = (*request.studies, *paths)
    return settings, problems


def _further_problems(request: StudyRequest, results: Path) -> tuple[Problem, ...]:
    """Return what else is wrong with a request of which some options cannot be read."""
    from automl.run import make_plan

    try:
        make_plan(request, RunLocation(results=results))
    except ConfigurationError as error:
        return error.problems
    return ()
