"""Apply what a request in plain text asks for: it overrides the study file, and explicit options override it."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError, Problem
from automl.request.counts import beyond
from automl.request.model_reading import join_reading
from automl.request.questions import Phrase, Question, contradictions
from automl.request.text import NOTHING_SAID, ParsedRequest, parse_request
from automl.shown_command import shown_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.request.study_request import StudyRequest
    from automl.skill.model import Skill

_OPTIONS = {
    "time_s": "--time",
    "gpus": "--jobs and --gpus-per-trial",
    "trial_time_limit_s": "trial_time_limit_s",
    "patience_trials": "--patience",
}
_SHARED = ("jobs", "gpus_per_trial")
_COUNTS = {"trials", "jobs", "seed", "patience_trials", "replicates", "epochs", "batch_size"}
_PARAMETERS = ("epochs", "learning_rate", "batch_size")
_DATA = {"train_data": "train", "val_data": "val"}
_EXPECTED = 'plain forms, such as "20 trials", "2 hours", "4 GPUs", "maximise NAME", "no AutoML" or "use AutoML"'


def parse_for(request: StudyRequest, skill: Skill) -> ParsedRequest:
    """Read the request's text with the words of a skill, and join what a language model has read in it."""
    if not request.request_text:
        return NOTHING_SAID
    names = (skill.name, skill.network_arch, re.sub(r".*(?:train|finetune)-", "", skill.name))
    parsed = parse_request(request.request_text, metrics=known_metrics(skill), names=names)
    parsed = join_reading(parsed, request.request_reading) if request.request_reading else parsed
    said = {f"{name}=": parsed.phrases[name].text for name in _PARAMETERS if name in parsed.values}
    said |= _items(parsed)
    advice = "the skill has no short name for it: name the parameter with --set or --search"
    unknown = [Question(text=said[item], unread=(item,), advice=advice) for item in said if not _named(skill, item)]
    return dataclasses.replace(parsed, questions=(*parsed.questions, *unknown))


def _items(parsed: ParsedRequest) -> dict[str, str]:
    """Return what is to be searched, each with the text behind it."""
    items = str(parsed.values.get("search", "")).split("; ")
    return {item: parsed.phrases["search"].text for item in items if item}


def _named(skill: Skill, item: str) -> str:
    """Return ``name`` or ``name=values`` with the skill's short name; a pattern, or nothing, where it has none."""
    name, equals, values = item.partition("=")
    short = next((short for short in (name, f"num_{name}", f"train_{name}") if short in skill.shorthand_keys), "")
    return short + equals + values if short else "" if equals else f"*{name}*"


def known_metrics(skill: Skill) -> dict[str, str]:
    """Return name -> direction of the metrics that a text may name: the skill's own, and those of its architecture."""
    metrics, action = dict(skill.architecture.metrics.directions), skill.actions.get("train")
    if action is not None and action.metric is not None and action.metric_direction is not None:
        metrics[action.metric] = action.metric_direction
    return metrics


def apply_request_text(
    request: StudyRequest, skill: Skill, *, all_gpus: int | None = None
) -> tuple[StudyRequest, ParsedRequest, tuple[str, ...]]:
    """Apply the settings that are read from ``--request``, which may name metrics of the skill.

    Args:
        request: With the text.
        skill: Its skill.
        all_gpus: What "all GPUs" are; None where that is not known.

    Returns:
        The request with them, what was read, and a note for each setting, contradiction and text that is left out;
        what the user must decide is in `request_problems`.

    Raises:
        ConfigurationError: all GPUs are to be shared out, and nothing says how many there are; or a number is larger
            than a study takes.
    """
    if not request.request_text:
        return request, NOTHING_SAID, ()
    parsed = parse_for(request, skill)
    settings: dict[str, Any] = {}
    notes: list[str] = []
    for name, value in parsed.values.items():
        phrase, explicit = parsed.phrases[name], _explicit(request, name, skill)
        if explicit is not None and explicit != value:
            option = _OPTIONS.get(name, f"--{name.replace('_', '-')}")
            notes.append(f'the request says "{phrase.text}"; {option} {explicit} wins')
            continue
        notes.append(f'the request says "{phrase.text}": {phrase.meaning}')
        settings[name] = int(value) if name in _COUNTS and not isinstance(value, str) else value
    if parsed.policy == "on":
        wins = "; --policy off wins" if _explicit(request, "policy") == "off" else ": search"
        notes.append(f'the request says "{parsed.phrases["policy"].text}"{wins}')
    decided = [question.text for question in parsed.questions if _is_decided(request, question)]
    notes += [f'an option decides what the request leaves open: "{text}"' for text in decided]
    applied = _with_settings(request, parsed, settings, skill, all_gpus)
    said = {name: value for name, value in vars(applied).items() if value != getattr(request, name)}
    if problems := list(beyond(said, where="--request")):
        raise ConfigurationError.from_problems(problems, subject="the request")
    return applied, parsed, tuple(notes)


def request_problems(request: StudyRequest, skill: Skill) -> tuple[Problem, ...]:
    """Return the parts of the request's text that only the user can decide, and that no option has decided."""
    return _problems(request, parse_for(request, skill))


def _is_decided(request: StudyRequest, question: Question) -> bool:
    """Return whether explicit options answer a question.

    A policy answers one that is about searching alone. Words that may be anything, as those of another language, may
    also be a budget: they are answered where that is explicit too, or there is none. A setting is never answered.
    """
    policy = _explicit(request, "policy")
    if question.setting:
        return _explicit(request, question.setting) is not None
    if policy is None or question.has("setting"):
        return False
    has_budget = any(_explicit(request, name) is not None for name in ("trials", "time_s", "gpu_hours"))
    return policy == "off" or has_budget or question.has_only("search", "limit", "plain")


def _problems(request: StudyRequest, parsed: ParsedRequest) -> tuple[Problem, ...]:
    problems = []
    for question in parsed.questions:
        if _is_decided(request, question):
            continue
        words = ", ".join(f'"{word}"' for word in question.unread)
        about = "contradicts itself" if question.setting else f"is not read in full: {words}"
        fix = question.advice or _choices(request, question)
        problems.append(Problem(where="--request", found=f'"{question.text}" {about}', expected=_EXPECTED, fix=fix))
    data = ", ".join(parsed.phrases[name].text for name in _DATA if name in parsed.values)
    if data and request.data and "data" not in request.explicit and request.source:
        fix = f"leave them out of the text, and use --data train=PATH in place of those in {request.source}"
        problems.append(Problem(where="--request", found=f'"{data}", and a study with data', expected="one", fix=fix))
    return (*problems, *_room_problems(request, parsed))


def _choices(request: StudyRequest, question: Question) -> str:
    """Return what the user can do about a question: a command only where it is answered by that."""
    target = (request.source,) if request.source else ("--skill", request.skill)
    ways: dict[str, dict[str, Any]] = {
        "to search": {"policy": "on"},
        "to search with a limit": {"policy": "on", "trials": 20},
        "to train once": {"policy": "off"},
    }
    choices: list[str] = []
    for way, options in ways.items():
        decided = request.with_settings(**options, explicit=(*request.explicit, *options))
        if _is_decided(decided, question) and not (way.endswith("limit") and choices):
            written = (part for name, value in options.items() for part in (f"--{name}", value))
            choices.append(f"{way}: {shown_command('run', *target, *written)}")
    plain = "say it in plain forms, or leave it out and use the option; the command's --help lists them"
    return "; ".join([*choices, f"or {plain}" if choices else plain])


def _room_problems(request: StudyRequest, parsed: ParsedRequest) -> Iterator[Problem]:
    """Yield a problem where one option and the GPUs of the text do not go together; two options win over the text."""
    options = {name: value for name in _SHARED if (value := _explicit(request, name))}
    said = {name: Phrase(f"--{name.replace('_', '-')}={value:g}", "") for name, value in options.items()}
    if len(options) == 1 and "gpus" in parsed.values:
        for question in contradictions(None, {**parsed.values, **options}, {**parsed.phrases, **said}):
            found = f'"{question.text}" cannot be had together'
            yield Problem(where="--request", found=found, expected="GPUs for each trial", fix=question.advice)


def request_document(request: StudyRequest, skill: Skill) -> dict[str, Any]:
    """Return the JSON form of what was understood of the request's text, and what the user must decide."""
    parsed = parse_for(request, skill)
    return {
        "text": request.request_text,
        "understood": {name: dataclasses.asdict(phrase) for name, phrase in parsed.phrases.items()},
        "not_understood": [word for question in parsed.questions for word in question.unread],
        "questions": [{"found": p.found, "fix": p.fix} for p in _problems(request, parsed)],
    }


def explain_gpus(error: ConfigurationError, notes: tuple[str, ...]) -> ConfigurationError:
    """Return an error with the text of the request that asked for GPUs beside each problem that is about them."""
    asked = "; ".join(note for note in notes if note.startswith("the request says") and "GPU" in note)
    if not asked:
        return error
    problems = [
        dataclasses.replace(problem, found=f"{problem.found}; {asked}") if "gpus" in problem.where else problem
        for problem in error.problems
    ]
    return ConfigurationError(error.headline, tuple(problems))


def _explicit(request: StudyRequest, name: str, skill: Skill | None = None) -> Any:  # noqa: ANN401 - they differ
    """Return the value of a setting that an option has set; without a study file every value counts as an option's."""
    if skill and name in {*_DATA, *_PARAMETERS}:
        field, short = ("data", _DATA[name]) if name in _DATA else ("overrides", _named(skill, f"{name}=")[:-1])
        given = getattr(request, field) if field in request.explicit or request.source is None else {}
        found = given.get(short, given.get(skill.shorthand_keys.get(short, short)))
        return getattr(found, "value", found)
    if name == "metric" and request.objectives:
        return request.objectives[0].partition(":")[0]  # text names one metric, not several objectives
    is_explicit = name in request.explicit or request.source is None
    value = getattr(request, name, None) if is_explicit else None
    return "; ".join(value) or None if name == "search" and value is not None else value


def _with_settings(
    request: StudyRequest, parsed: ParsedRequest, settings: dict[str, Any], skill: Skill, all_gpus: int | None
) -> StudyRequest:
    gpus, limit_s = settings.pop("gpus", None), settings.pop("trial_time_limit_s", None)
    if "metric" in settings and "direction" not in request.explicit:
        settings["direction"] = None  # the study file's direction belongs to its own metric
    overrides = {_named(skill, f"{name}=")[:-1]: settings.pop(name) for name in _PARAMETERS if name in settings}
    paths = {split: settings.pop(name) for name, split in _DATA.items() if name in settings}
    settings["overrides"] = {**request.overrides, **{name: value for name, value in overrides.items() if name}}
    settings["data"] = {**request.data, **{split: str(Path(p).expanduser().absolute()) for split, p in paths.items()}}
    if "search" in settings:
        settings["search"] = tuple(filter(None, (_named(skill, item) for item in _items(parsed))))
    if "warm_start" in settings:
        settings["warm_start"] = ()
    if limit_s is not None:
        settings["options"] = {**request.options, "trial_time_limit_s": limit_s}
    if parsed.policy is not None and request.source and "policy" not in request.explicit:
        settings["policy"] = None  # the text overrides the study file
    each = _explicit(request, "gpus_per_trial")
    each = settings.get("gpus_per_trial") if each is None else each
    is_once = "off" in {parsed.policy, request.policy} or 1 in {settings.get("trials"), _explicit(request, "trials")}
    jobs = 1 if is_once else _explicit(request, "jobs") or settings.get("jobs")
    if gpus == math.inf and each != 0 and not jobs:
        settings["jobs"] = None  # as many as fit the machine
    elif gpus is not None and each != 0:
        gpus = _number(gpus, all_gpus, parsed)
        settings["jobs"], settings["gpus_per_trial"] = share_gpus(gpus, jobs=jobs, gpus_per_trial=each)
    return request.with_settings(**settings)


def _number(gpus: float, all_gpus: int | None, parsed: ParsedRequest) -> float:
    if gpus != math.inf or all_gpus:
        return all_gpus or gpus if gpus == math.inf else gpus
    found, fix = f'"{parsed.phrases["gpus"].text}"', "say how many: 4 GPUs, or --gpus-per-trial"
    raise ConfigurationError.single("the resources", where="--request", found=found, expected="their number", fix=fix)


def share_gpus(gpus: float, *, jobs: float | None, gpus_per_trial: float | None) -> tuple[int, float]:
    """Share GPUs among trials: return trials at once and GPUs of each, together no more than there are.

    A part of a GPU is of one GPU: three GPUs hold three trials of 0.6 and six of 0.5.
    """
    if gpus_per_trial is None:
        gpus_per_trial = 1.0 if jobs is None else float(gpus // jobs) or 1 / math.ceil(jobs / gpus)
    if jobs is None:
        fit = gpus // gpus_per_trial if gpus_per_trial >= 1 else gpus * int(1 / gpus_per_trial)
        jobs = max(1, fit)
    return int(jobs), gpus_per_trial
