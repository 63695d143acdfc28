"""What a user asks for: a study file, command line options, or both; options win.

Nothing is looked up or decided here: the skill is a reference, ranges are text. `automl.study.plan` turns a request
into a plan once skill, spec and space are known.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.config_files import Spelled, parse_scalar, read_document
from automl.duration import parse_duration_s
from automl.errors import ConfigurationError, Problem
from automl.regular_file import followed
from automl.request.policy import parse_policy
from automl.request.search_text import search_items
from automl.request.typed_settings import typed_settings
from automl.resources import builtin_studies
from automl.schema_problems import schema_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from automl.request.policy import Policy
    from automl.skill.model import JsonValue

_SPELLED = "$spelled"
_DIRECTIONS = {
    **dict.fromkeys(("max", "maximize", "maximise"), "maximize"),
    **dict.fromkeys(("min", "minimize", "minimise"), "minimize"),
}
DEFAULT_STUDY = "depth_net_mono/demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare:
    """How to make the data when they are missing.

    Attributes:
        command: Program and arguments; ``{prepared}`` stands for the folder.
        directory: Name of the folder under ``<results>/data/``.
    """

    command: tuple[str, ...]
    directory: str


@dataclass(frozen=True, kw_only=True)
class InputSettings:
    """Spec and data of the training.

    Attributes:
        overrides: Dotted path -> value: the key `set`.
        program: The user's own program in place of a skill, as `automl.program.skill` takes it; None for a skill.
    """

    spec: str | None = None
    overrides: Mapping[str, JsonValue] = field(default_factory=dict)
    program: Mapping[str, Any] | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    prepare: Prepare | None = None


@dataclass(frozen=True, kw_only=True)
class ObjectiveSettings:
    """What is optimised, and what the best trial must keep.

    Attributes:
        objectives: ``NAME[:direction]``, the primary one first, in place of metric and direction.
    """

    metric: str | None = None
    direction: str | None = None
    objectives: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    objective_per: str | None = None
    evaluate_with: str | None = None


@dataclass(frozen=True, kw_only=True)
class BudgetSettings:
    """When the study ends."""

    trials: int | None = None
    time_s: float | None = None
    gpu_hours: float | None = None
    target: float | None = None
    patience_trials: int | None = None
    min_improvement: float | None = None


@dataclass(frozen=True, kw_only=True)
class ResourceSettings:
    """What each trial gets."""

    jobs: int | None = None
    gpus_per_trial: float | None = None
    cpus_per_trial: float | None = None
    nodes_per_trial: int | None = None


@dataclass(frozen=True, kw_only=True)
class LaunchSettings:
    """How trials are started; see `automl.launch.choice`."""

    launcher: str | None = None
    image: str | None = None
    network: str | None = None
    container: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """How the search is done.

    Attributes:
        replicates: How many of the best trials are trained again, 0 for none; `AUTO` for a race of the best.
        warm_start: Studies whose best trials are tried first; empty for none, None for those that are found.
        studies: Places besides the results folder where earlier studies are found.
    """

    search: tuple[str, ...] = ()
    sampler: str | None = None
    scheduler: str | None = None
    seed: int | None = None
    warm_start: tuple[str, ...] | None = None
    studies: tuple[str, ...] = ()
    replicates: int | str | None = None
    options: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PluginSettings:
    """Names of plug-ins that are used beside what is built in."""

    trackers: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StudyRequest(
    InputSettings, ObjectiveSettings, BudgetSettings, ResourceSettings, LaunchSettings, SearchSettings, PluginSettings
):
    """What a user asks for. None means: not given.

    A setting means what `schemas/study.schema.json` says of the key with its name. A function that needs one part of
    the settings names that part as its parameter's type.

    Attributes:
        request_text: Free text of the user: policy, budget, resources and metric are read from it.
        request_reading: What a language model has read in the text, checked; see `automl.request.model_reading`.
        require_search: Where no search can be done it is an error, instead of one training.
        source: The study file, if any.
        explicit: Names of the settings that the command line has set; they win over the request's text.
    """

    skill: str
    name: str
    policy: Policy | None = None
    request_text: str | None = None
    request_reading: Mapping[str, Any] = field(default_factory=dict)
    require_search: bool = False
    experiment: str | None = None
    model_name: str | None = None
    source: Path | None = None
    explicit: tuple[str, ...] = ()

    def with_settings(self, **settings: Any) -> StudyRequest:  # noqa: ANN401 - the settings differ in type
        """Return the request with other values of its settings: ``trials=3``."""
        return replace(self, **settings)

    def document(self) -> dict[str, Any]:
        """Return the JSON form, for `plan.json`; `request_from_document` inverts it."""
        plain = {"source": str(self.source) if self.source else None, "overrides": _to_json(self.overrides)}
        return asdict(self) | plain


SETTINGS = frozenset(setting.name for setting in fields(StudyRequest))
"""The names of all settings."""


def request_from_document(document: Mapping[str, Any]) -> StudyRequest:
    """Build the request that `StudyRequest.document` wrote."""
    settings: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in document.items()
        if name in SETTINGS  # plans of earlier versions have others
    }
    if prepare := document.get("prepare"):
        settings["prepare"] = Prepare(command=tuple(prepare["command"]), directory=prepare["directory"])
    settings["overrides"] = _from_json(settings["overrides"])
    if document["source"]:
        settings["source"] = Path(document["source"])
    return StudyRequest(**settings)


def overrides_of(document: Mapping[str, Any]) -> dict[str, JsonValue]:
    """Return the overrides of a request that `StudyRequest.document` wrote, spelled as the user did."""
    found: dict[str, JsonValue] = _from_json(document.get("overrides", {}))
    return found


def _to_json(value: Any) -> Any:  # noqa: ANN401 - plain data
    """Return data in which a spelled scalar is a mapping with one key that is no parameter path."""
    if isinstance(value, dict):
        return {key: _to_json(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    return {_SPELLED: str(value)} if isinstance(value, Spelled) else value


def _from_json(value: Any) -> Any:  # noqa: ANN401 - plain data
    if isinstance(value, dict):
        text = value.get(_SPELLED)
        return parse_scalar(text, is_spelled=True) if text else {key: _from_json(child) for key, child in value.items()}
    return [_from_json(item) for item in value] if isinstance(value, list) else value


def load_study_request(reference: str) -> StudyRequest:
    """Read a study file.

    Args:
        reference: Path of a study file, or the name of a ready one (``depth_net_mono/demo``).

    Raises:
        ConfigurationError: there is no such study, or the file has problems: all of them.
    """
    file = _find_study(reference)
    document: Any = read_document(file, is_spelled=True)
    if not isinstance(document, dict):
        expected = "a mapping with at least `skill` or `program`"
        problem = Problem(where=str(file), found="no mapping", expected=expected, fix="see studies/")
        raise ConfigurationError.from_problems([problem], subject="the study")
    return request_of_document(file, document)


def request_of_document(file: Path, document: dict[str, Any]) -> StudyRequest:
    """Return the request of a study file's document; paths in it are relative to the file, which need not exist.

    Raises:
        ConfigurationError: the document has problems: all of them.
    """
    document = typed_settings(document)
    problems = schema_problems(document, "study", where=str(file))
    problems = problems or [*_choice_problems(file, document), *_zero_bytes(str(file), document)]
    time_s = None
    if not problems and "time" in document.get("budget", {}):
        try:
            time_s = parse_duration_s(document["budget"]["time"])
        except ValueError as error:
            where, fix = f"{file}: budget.time", "write 20min or 1h30min"
            problems = [Problem(where=where, found=str(error), expected="a duration", fix=fix)]
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the study")
    return _request(file, document, time_s)


def _request(file: Path, document: dict[str, Any], time_s: float | None) -> StudyRequest:
    options, studies = dict(document.get("options", {})), document.get("warm_start", True)
    if isinstance(studies, bool):
        studies = None if studies else []
    # Keys of these mappings are names of settings; `launcher`, `image` and `network` may also stand under `options`.
    older = {name: options.pop(name) for name in ("launcher", "image", "network") if name in options}
    named = {
        **read_objective(document.get("objective", {})),
        **document.get("budget", {}),
        **older,
        **document.get("resources", {}),
    }
    settings = {name: value for name, value in {**document, **named}.items() if name in SETTINGS}
    return request_from_document(
        {"name": default_name(file)}
        | settings
        | {
            "skill": _relative_to(file, document["skill"], must_exist=True) if "skill" in document else "",
            "program": _program(file, document),
            "search": search_items(document.get("search", [])),
            "spec": _relative_to(file, document["spec"]) if "spec" in document else None,
            "policy": parse_policy(document.get("policy")),
            "data": {split: _relative_to(file, path) for split, path in document.get("data", {}).items()},
            "overrides": document.get("set", {}),
            "objectives": [_objective_text(entry) for entry in document.get("objectives", ())],
            "time_s": time_s,
            "warm_start": studies and [_relative_to(file, text, must_exist=True) for text in studies],
            "studies": [_relative_to(file, text) for text in document.get("studies", ())],
            "options": options,
            "source": str(file),
        }
    )


def _zero_bytes(where: str, document: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the texts with a zero byte where paths, programs and names are meant, that is, outside of values."""
    for key, value in document.items():
        if key in {"set", "search"}:
            continue
        nested = value if isinstance(value, dict) else dict(enumerate(value)) if isinstance(value, list) else {}
        if nested:
            yield from _zero_bytes(f"{where}: {key}", {str(name): child for name, child in nested.items()})
        elif isinstance(value, str) and "\0" in value:
            found = f"a zero byte in {value[:40]!r}"
            yield Problem(where=f"{where}: {key}", found=found, expected="a text without one", fix="remove it")


def _choice_problems(file: Path, document: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with the choice of what is trained: a skill or a program, and a report only of a program."""
    found = [key for key in ("skill", "program") if key in document]
    problems = []
    if len(found) != 1:
        what, fix = " and ".join(found) or "neither", "write `program: python train.py --lr {lr}`, or name a skill"
        problems.append(Problem(where=f"{file}: (root)", found=what, expected="either skill or program", fix=fix))
    if "report" in document and "program" not in document:
        fix = "a skill says it in its skill_info.yaml"
        problems.append(Problem(where=f"{file}: report", found="a skill", expected="a program", fix=fix))
    try:
        read_objective(document.get("objective", {}))
    except ValueError as error:
        expected, fix = "a metric and maximize or minimize", "write e.g. objective: val_acc maximize"
        problems.append(Problem(where=f"{file}: objective", found=str(error), expected=expected, fix=fix))
    return problems


def _program(file: Path, document: Mapping[str, Any]) -> dict[str, Any] | None:
    if "program" not in document:
        return None
    return {"command": document["program"], "folder": str(file.parent), **document.get("report", {})}


def read_objective(entry: str | Mapping[str, str]) -> Mapping[str, str]:
    """Return metric and direction of `objective`, which may be a text: ``val_acc maximize``, ``minimise loss``.

    Raises:
        ValueError: the text is not one metric, with or without a direction.
    """
    if not isinstance(entry, str):
        return entry
    words = re.split(r"[:\s]+", entry.strip())
    directions = [direction for word in words if (direction := _DIRECTIONS.get(word.lower()))]
    metrics = [word for word in words if word.lower() not in _DIRECTIONS]
    if len(metrics) != 1 or len(directions) > 1:
        raise ValueError(repr(entry))
    return {"metric": metrics[0], **({"direction": directions[0]} if directions else {})}


def _objective_text(entry: str | dict[str, str]) -> str:
    """Return ``NAME[:direction]`` of an entry of `objectives`, which may be a mapping."""
    return entry if isinstance(entry, str) else ":".join(filter(None, (entry["metric"], entry.get("direction"))))


def default_name(file: Path) -> str:
    """Return the name of a study without one: its folder and its file name, ``depth_net_mono-demo``."""
    return f"{file.parent.name}-{file.stem}" if file.parent.name else file.stem


def _find_study(reference: str) -> Path:
    direct = Path(reference)
    if direct.is_file():
        return followed(direct)
    ready = builtin_studies()
    if reference in ready:
        return followed(ready[reference])
    close = difflib.get_close_matches(reference, list(ready), n=1, cutoff=0.5)
    problem = Problem(
        where="STUDY",
        found=f"{reference}, which is neither a file nor a ready study",
        expected=f"a study file, or one of: {', '.join(sorted(ready))}",
        fix=f"did you mean {close[0]}?" if close else "check the path",
    )
    raise ConfigurationError.from_problems([problem], subject="the command line")


def _relative_to(file: Path, text: str, *, must_exist: bool = False) -> str:
    """Resolve a path against the study file's folder; placeholders, and names without a file there, stay."""
    if "{prepared}" in text or Path(text).is_absolute():
        return text
    candidate = followed(file.parent / text)
    return text if must_exist and not candidate.exists() else str(candidate)
