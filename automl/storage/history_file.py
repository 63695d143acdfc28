"""Histories of studies in a file that can be shared, as `automl export-history` writes it and ``--studies`` reads it.

It holds space, observations, objective and durations. It holds no paths, no data, no text of the spec but the options
that the skill's schema lists, and the command of ``evaluate_with`` as a hash. A history in which a path, a name of this
machine or its user, or a secret is left all the same is refused.
"""

from __future__ import annotations

import getpass
import re
import socket
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError, Problem
from automl.regular_file import open_regular
from automl.schema_problems import schema_problems
from automl.shown_command import shown_command
from automl.skill.fields import is_number
from automl.spec.train_schema import read_train_schema
from automl.storage.documents import from_json, has_check, read_document, to_json, write_document
from automl.storage.study_directory import read_study
from automl.storage.study_history import read_history
from automl.study.earlier import StudyHistory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from automl.storage.plan_document import StoredPlan

FORMAT = 1
_SECRET = re.compile(
    r"(?i)\b(?:sk|pk|hf|ghp|gho|glpat|nvapi|xox[abp])[-_][A-Za-z0-9_-]{12,}|\bAKIA[0-9A-Z]{12,}|-----BEGIN|://[^/\s]*@"
    r"|(?:password|passwd|secret|token|api_?key)\W{0,3}[=:]"
)
_PATH = re.compile(r"(?:^|[\s='\"(])(?:~?/|[A-Za-z]:\\|\.{1,2}/|file:)")
_FEWEST_LETTERS = 3


def shared_history(root: Path, name: str | None = None) -> StudyHistory:
    """Return the history of a study directory as it may be handed to others, under a name of its own.

    Raises:
        ConfigurationError: the folder is no study directory, the study has not ended or has no values, or something is
            left in it that must not be handed on; with every problem.
        OSError: its log cannot be opened.
    """
    plan, history = read_study(root)[0], read_history(root)
    options = _options(plan)
    history = replace(
        history,
        name=name or history.name,
        data="",
        started_s=float(round(history.started_s)),
        fixed={path: value for path, value in history.fixed.items() if _is_shared(value, options.get(path, ()))},
        parameters=tuple(
            replace(parameter, reason="", cost="", derived=(), condition=None) for parameter in history.parameters
        ),
    )
    problems = list(_not_to_be_shared(root, history))
    if not history.is_ended:
        fix = f"end it ({shown_command('resume', root)}, or {shown_command('stop', root)}) first"
        problems.append(
            Problem(where=str(root), found="trials that have not ended", expected="an ended study", fix=fix)
        )
    if not any(trial.value is not None for trial in history.trials):
        expected, fix = "at least one trial with a value", "leave the study out"
        problems.append(Problem(where=str(root), found="no trial with a value", expected=expected, fix=fix))
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the history")
    return history


def _options(plan: StoredPlan) -> Mapping[str, tuple[object, ...]]:
    """Return the options that the skill's schema lists for each parameter; nothing where it cannot be read."""
    with suppress(ConfigurationError):
        skill = plan.load_skill()
        leaves = read_train_schema(skill.schemas["train"]).leaves if "train" in skill.schemas else {}
        return {path: leaf.choices for path, leaf in leaves.items()}
    return {}


def _is_shared(value: object, options: Sequence[object]) -> bool:
    if isinstance(value, str):
        return value in options
    return all(map(is_number, value)) if isinstance(value, list) else isinstance(value, bool) or is_number(value)


def _not_to_be_shared(root: Path, history: StudyHistory) -> Iterator[Problem]:
    """Yield each text of a history that says something about this machine or its user."""
    for where, text in _texts(to_json(history)):
        found = next((what for what, is_found in _forbidden(text) if is_found), None)
        if found is not None:
            expected, fix = "no such text in a history", "do not share this study"
            fix = "give another one with --name" if where == "name" else fix
            yield Problem(where=f"{root}: {where}", found=f"{found}: {text[:40]!r}", expected=expected, fix=fix)


def _texts(value: Any, where: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 # JSON
    """Yield every text of a JSON value, keys included, with where it is."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, child in value.items():
            yield where or "keys", key
            yield from _texts(child, f"{where}.{key}".removeprefix("."))
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, where)


def _forbidden(text: str) -> Iterator[tuple[str, bool]]:
    yield "a path", _PATH.search(text) is not None
    yield "what looks like a secret", _SECRET.search(text) is not None
    for what, name in _own_names():
        yield what, re.search(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", text, re.IGNORECASE) is not None


def _own_names() -> Iterator[tuple[str, str]]:
    with suppress(KeyError, OSError):
        user = getpass.getuser()
        if user != "root" and len(user) >= _FEWEST_LETTERS:  # root is nobody in particular, and a word of its own
            yield "the name of the user", user
    host = socket.gethostname().partition(".")[0]
    if host != "localhost" and len(host) >= _FEWEST_LETTERS:
        yield "the name of this machine", host


def write_histories(file: Path, histories: Sequence[StudyHistory]) -> None:
    """Write a file of histories, at once or not at all.

    Raises:
        OSError: it cannot be written.
    """
    studies = [to_json(history) for history in histories]
    write_document(file, {"automl_history": FORMAT, "studies": studies}, dict[str, Any])


def read_histories(file: Path) -> tuple[StudyHistory, ...]:
    """Read a file of histories.

    Raises:
        FileNotFoundError: there is none.
        ConfigurationError: it is none that `automl export-history` wrote, or was changed since; with every problem.
    """
    document = read_document(file, dict[str, Any])
    if document.get("automl_history") != FORMAT or not has_check(file):
        found = "a JSON file that is no history" if "automl_history" not in document else "another format, or no check"
        expected, fix = f"a history of format {FORMAT}", "export it again: automl export-history STUDY -o FILE"
        raise _unusable(file, [Problem(where=str(file), found=found, expected=expected, fix=fix)])
    problems = schema_problems(document, "history", where=str(file))
    if problems:
        raise _unusable(file, problems)
    return tuple(from_json(study, StudyHistory) for study in document["studies"])


def is_history(file: Path) -> bool:
    """Tell whether a file says of itself that it is a history."""
    with suppress(OSError, ValueError), open_regular(file) as stream:
        return b'"automl_history"' in stream.read(200)
    return False


def _unusable(file: Path, problems: Sequence[Problem]) -> ConfigurationError:
    return ConfigurationError.from_problems(problems, subject=f"the history {file.name}")
