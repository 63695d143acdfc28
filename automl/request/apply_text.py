"""Apply what a request in plain text asks for: it overrides the study file, and explicit options override it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError
from automl.request.policy import find_off_phrase
from automl.request.text import parse_request, share_gpus
from automl.skill.load import load_skill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.request.study_request import StudyRequest

_OPTIONS = {
    "trials": "--trials",
    "time_s": "--time",
    "gpu_hours": "--gpu-hours",
    "jobs": "--jobs",
    "gpus_per_trial": "--gpus-per-trial",
    "metric": "--metric",
}


def apply_request_text(request: StudyRequest) -> tuple[StudyRequest, tuple[str, ...]]:
    """Apply the settings that are parsed from ``--request``.

    Returns:
        The request with them, and a note for each setting, contradiction and text that was not understood.

    Raises:
        ConfigurationError: the skill, whose metrics the text may name, cannot be read.
    """
    if not request.request_text:
        return request, ()
    skill = load_skill(request.skill)
    known = frozenset(f"{skill.name} {skill.network_arch}".lower().replace("-", "_").replace("_", " ").split())
    metrics = skill.architecture.metrics.directions
    parsed = parse_request(request.request_text, metrics=metrics, known_words=known)
    settings: dict[str, Any] = {}
    notes: list[str] = []
    for name, value in parsed.values.items():
        phrase, explicit = parsed.phrases[name], _explicit(request, name)
        if explicit is not None and explicit != value:
            notes.append(f'the request says "{phrase.text}"; {_OPTIONS.get(name, name)} {explicit} wins')
            continue
        notes.append(f'the request says "{phrase.text}": {phrase.meaning}')
        settings[name] = value
    notes += [f'not understood in the request: "{text}"' for text in parsed.not_understood]
    return _with_parsed(request, settings), tuple(notes)


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


def _with_parsed(request: StudyRequest, parsed: Mapping[str, Any]) -> StudyRequest:
    settings = {name: int(value) if name in {"trials", "jobs"} else value for name, value in parsed.items()}
    gpus, limit_s = settings.pop("gpus", None), settings.pop("trial_time_limit_s", None)
    says_off = find_off_phrase(request.request_text) is not None
    if "metric" in settings and "direction" not in request.explicit:
        settings["direction"] = None  # the study file's direction belongs to its own metric
    if limit_s is not None:
        settings["options"] = {**request.options, "trial_time_limit_s": limit_s}
    if says_off and request.source and "policy" not in request.explicit:
        settings["policy"] = None  # the text overrides the study file
    if gpus is not None:
        jobs = settings.get("jobs") or _explicit(request, "jobs")
        each = settings.get("gpus_per_trial") or _explicit(request, "gpus_per_trial")
        jobs = 1 if says_off or request.policy == "off" else jobs
        settings["jobs"], settings["gpus_per_trial"] = share_gpus(gpus, jobs=jobs, gpus_per_trial=each)
    return request.with_settings(**settings)
