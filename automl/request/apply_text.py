"""Apply what a request in plain text asks for: it overrides the study file, and explicit options override it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError, Problem
from automl.request.model_reading import join_reading
from automl.request.text import ParsedRequest, parse_request, share_gpus

if TYPE_CHECKING:
    from automl.request.study_request import StudyRequest
    from automl.skill.model import Skill

_OPTIONS = {"time_s": "--time", "gpus": "--jobs and --gpus-per-trial", "trial_time_limit_s": "trial_time_limit_s"}
_COUNTS = {"trials", "jobs", "seed"}


def parse_for(request: StudyRequest, skill: Skill) -> ParsedRequest:
    """Read the request's text with the words of a skill, and join what a language model has read in it."""
    known = f"{skill.name} {skill.network_arch}".lower().replace("-", "_").replace("_", " ").split()
    parsed = parse_request(request.request_text or "", metrics=known_metrics(skill), known_words=frozenset(known))
    return join_reading(parsed, request.request_reading) if request.request_reading else parsed


def known_metrics(skill: Skill) -> dict[str, str]:
    """Return name -> direction of the metrics that a text may name: the skill's own, and those of its architecture."""
    metrics, action = dict(skill.architecture.metrics.directions), skill.actions.get("train")
    if action is not None and action.metric is not None and action.metric_direction is not None:
        metrics[action.metric] = action.metric_direction
    return metrics


def apply_request_text(request: StudyRequest, skill: Skill) -> tuple[StudyRequest, ParsedRequest, tuple[str, ...]]:
    """Apply the settings that are read from ``--request``, which may name metrics of the skill.

    Returns:
        The request with them, what was read, and a note for each setting, contradiction and text that is left out;
        what the user must decide is in `request_problems`.
    """
    if not request.request_text:
        return request, ParsedRequest(policy=None, values={}, phrases={}), ()
    parsed = parse_for(request, skill)
    settings: dict[str, Any] = {}
    notes: list[str] = []
    for name, value in parsed.values.items():
        phrase, explicit = parsed.phrases[name], _explicit(request, name)
        if explicit is not None and explicit != value:
            option = _OPTIONS.get(name, f"--{name.replace('_', '-')}")
            notes.append(f'the request says "{phrase.text}"; {option} {explicit} wins')
            continue
        notes.append(f'the request says "{phrase.text}": {phrase.meaning}')
        settings[name] = int(value) if name in _COUNTS and not isinstance(value, str) else value
    if parsed.policy == "on":
        wins = "; --policy off wins" if _explicit(request, "policy") == "off" else ": search"
        notes.append(f'the request says "{parsed.phrases["policy"].text}"{wins}')
    unread = (*(parsed.policy_questions if _explicit(request, "policy") else ()), *parsed.remarks)
    notes += [f'not understood in the request: "{text}"' for text in unread]
    return _with_settings(request, parsed, settings), parsed, tuple(notes)


def request_problems(request: StudyRequest, skill: Skill) -> tuple[Problem, ...]:
    """Return the parts of the request's text that only the user can decide; an explicit policy decides about search."""
    return _problems(request, parse_for(request, skill))


def _problems(request: StudyRequest, parsed: ParsedRequest) -> tuple[Problem, ...]:
    target = str(request.source) if request.source else f"--skill {request.skill}"
    is_decided = _explicit(request, "policy") is not None
    on, off = (f"automl run {target} --policy {policy}" for policy in ("on", "off"))
    questions = [
        Problem(
            where="--request",
            found=f'"{text}", which may ask for a search or against one',
            expected='an exact form, such as "turn off AutoML" or "use AutoML"',
            fix=f"to search: {on}; to train once: {off}",
        )
        for text in (() if is_decided else parsed.policy_questions)
    ]
    return *questions, *(
        Problem(
            where="--request",
            found=f'"{text}", which may be a setting and is not understood',
            expected='an exact form, such as "20 trials", "2 hours", "4 GPUs" or "maximise NAME"',
            fix="say it so, or leave it out and use the option: automl run --help lists them",
        )
        for text in parsed.value_questions
    )


def request_document(request: StudyRequest, skill: Skill) -> dict[str, Any]:
    """Return the JSON form of what was understood of the request's text, and what the user must decide."""
    parsed = parse_for(request, skill)
    return {
        "text": request.request_text,
        "understood": {name: dataclasses.asdict(phrase) for name, phrase in parsed.phrases.items()},
        "not_understood": list(parsed.remarks),
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


def _explicit(request: StudyRequest, name: str) -> Any:  # noqa: ANN401 - the settings differ in type
    """Return the value of a setting that an option has set; without a study file every value counts as an option's."""
    if name == "metric" and request.objectives:
        return request.objectives[0].partition(":")[0]  # text names one metric, not several objectives
    is_explicit = name in request.explicit or request.source is None
    return getattr(request, name, None) if is_explicit else None


def _with_settings(request: StudyRequest, parsed: ParsedRequest, settings: dict[str, Any]) -> StudyRequest:
    gpus, limit_s = settings.pop("gpus", None), settings.pop("trial_time_limit_s", None)
    if "metric" in settings and "direction" not in request.explicit:
        settings["direction"] = None  # the study file's direction belongs to its own metric
    if limit_s is not None:
        settings["options"] = {**request.options, "trial_time_limit_s": limit_s}
    if parsed.policy is not None and request.source and "policy" not in request.explicit:
        settings["policy"] = None  # the text overrides the study file
    if gpus is not None:
        is_once = parsed.policy == "off" or request.policy == "off"
        jobs = 1 if is_once else settings.get("jobs") or _explicit(request, "jobs")
        each = settings.get("gpus_per_trial") or _explicit(request, "gpus_per_trial")
        settings["jobs"], settings["gpus_per_trial"] = share_gpus(gpus, jobs=jobs, gpus_per_trial=each)
    return request.with_settings(**settings)
