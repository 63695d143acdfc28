"""A study as a call in Python has it: tuples as ranges and lists, and problems at the arguments of the call."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from numbers import Integral, Real
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SETTING = re.compile(r"--set '?\+?([\w.]+)=([^'\s,]+)'?")
"""How problems say that a value should be set."""
_PLAIN = "text, a number, true or false, or None: a trial reads its values from a file"
_MADE_INSIDE = "give a name or a number, and make the object of it in the function or program"
_GROUPS = ("budget", "resources", "options")
"""Keys of a study file whose own keys are names of options."""


def document_of(search: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of a call as the keys of a study file.

    Args:
        search: Parameter -> its values; a tuple of two numbers is a range: low and high, both included.
        settings: Other arguments; tuples are lists in them, paths are text.

    Raises:
        ConfigurationError: another tuple stands for values, or an object that no file holds; with every problem.
    """
    problems = [
        problem for name, values in search.items() for problem in _value_problems(f'search["{name}"]', name, values)
    ]
    fixed = settings.get("set")
    if isinstance(fixed, Mapping):
        problems += [one for name, value in fixed.items() for one in _object_problems(f'set["{name}"]', name, value)]
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the call")
    document: dict[str, Any] = _plain(settings)
    return document | {"search": {name: _values(values) for name, values in search.items()}}


def _value_problems(where: str, name: str, values: object) -> Iterator[Problem]:
    if isinstance(values, Mapping):
        for key in ("range", "options"):
            yield from _value_problems(f'{where}["{key}"]', name, values.get(key))
    elif isinstance(values, tuple) and not _is_range(values):
        expected, fix = "(low, high), two numbers, which are a range", f"options are a list: {list(values)!r}"
        yield Problem(where=where, found=f"{values!r:.80}", expected=expected, fix=fix)
    elif isinstance(values, list):
        for index, option in enumerate(values):
            if isinstance(option, list | tuple | Mapping):
                yield Problem(where=f"{where}[{index}]", found=f"{option!r:.80}", expected=_PLAIN, fix=_MADE_INSIDE)
            else:
                yield from _object_problems(f"{where}[{index}]", name, option)


def _object_problems(where: str, name: object, value: object) -> Iterator[Problem]:
    """Yield an object that would be another one in a trial: members of enumerations too, whatever they hold."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            if isinstance(key, str):
                yield from _object_problems(f"{where}[{key!r}]", key, child)
            else:
                fix = "give its keys as text"
                yield Problem(where=where, found=f"the key {key!r:.80}", expected="keys that are text", fix=fix)
    elif isinstance(value, list | tuple):
        for index, child in enumerate(value):
            yield from _object_problems(f"{where}[{index}]", name, child)
    elif isinstance(value, Enum):
        fix = f"give its name, {value.name!r}, and write {type(value).__name__}[{name}] in the function"
        yield Problem(where=where, found=f"{value!r:.80}, a member of an enumeration", expected=_PLAIN, fix=fix)
    elif value is not None and not isinstance(value, str | Real | PurePath):
        yield Problem(where=where, found=f"{value!r:.80}", expected=_PLAIN, fix=_MADE_INSIDE)


def _is_range(values: tuple[object, ...]) -> bool:
    numbers = [one for one in values if type(one) is not bool and isinstance(one, Real) and math.isfinite(one)]
    return len(numbers) == len(values) == 2  # noqa: PLR2004 - low and high


def _values(values: Any) -> Any:  # noqa: ANN401 - as a user may
    """Return values of a parameter as a study file has them; a range as text with every digit."""
    if isinstance(values, tuple):
        return "..".join(repr(int(end) if isinstance(end, Integral) else float(end)) for end in values)
    if isinstance(values, Mapping):
        plain: dict[str, Any] = _plain(values)
        return plain | ({"range": _values(values["range"])} if "range" in values else {})
    return _plain(values)


def _plain(value: Any) -> Any:  # noqa: ANN401 - as a user may
    if isinstance(value, Mapping):
        return {key: _plain(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if type(value) is not bool and isinstance(value, Real):  # those of NumPy too
        return int(value) if isinstance(value, Integral) else float(value)
    return str(value) if isinstance(value, PurePath) else value


@contextlib.contextmanager
def at_arguments(file: Path, document: Mapping[str, Any]) -> Iterator[None]:
    """Name the arguments of the call where problems name the study file that there is not, or options.

    Args:
        file: As which the document was read.
        document: The arguments of the call.
    """
    try:
        yield
    except ConfigurationError as error:
        placed = [
            replace(
                problem,
                where=_placed(problem.where, file, document),
                fix=_SETTING.sub(r"set={'\1': \2}", problem.fix),
            )
            for problem in error.problems
        ]
        raise ConfigurationError(error.headline, tuple(placed)) from error.__cause__


def _placed(where: str, file: Path, document: Mapping[str, Any]) -> str:
    keys = where.removeprefix(f"{file}: ")
    if where.startswith("spec "):  # what is set, among all values
        keys = where.replace("spec ", "set.", 1)
    elif where.startswith("--"):
        option, _, value = where[2:].partition(" ")
        name = value.partition("=")[0]
        option = {"option": "options"}.get(option, option.replace("-", "_"))
        group = next((group for group in _GROUPS if option in (document.get(group) or ())), "")
        keys = ".".join(filter(None, (group, option, name)))
    first = next((key for key in document if keys == key or keys.startswith(f"{key}.")), None)
    if first is None or (where.startswith("spec ") and _inside(keys.removeprefix("set."), document["set"])[:1] != "["):
        return where
    return first + _inside(keys.removeprefix(first).removeprefix("."), document[first])


def _inside(keys: str, value: object) -> str:
    """Return keys below a value as Python has them: ``["range"]``; those of a list are so already."""
    names = sorted(map(str, value), key=len, reverse=True) if isinstance(value, Mapping) else []
    for name in names:
        if keys == name or keys.startswith((f"{name}.", f"{name}[")):
            return f'["{name}"]' + _inside(keys.removeprefix(name).removeprefix("."), value[name])  # type: ignore[index] # a mapping
    return keys
