"""A Python function as a training program: what can be called with which arguments, and the command that calls it.

`automl.run_function` is the other end of the command, `automl.function_file` how the function gets there.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import math
import shlex
import sys
import typing
from enum import Enum
from inspect import Parameter
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from automl.errors import Problem
from automl.program.skill import FUNCTION
from automl.skill.program import CONFIG

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

CHECKPOINT = "checkpoint"
"""The argument by which a function gets the checkpoint to go on from."""
_NAMED = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
_DEFERRED = (
    (inspect.iscoroutinefunction, "an async function, which only returns a coroutine when it is called"),
    (inspect.isasyncgenfunction, "an async generator, which does nothing when it is called"),
    (inspect.isgeneratorfunction, "a generator, which does nothing when it is called"),
    (inspect.isclass, "a class, which returns an object when it is called"),
)
"""What returns no metric when it is called."""


def function_name(function: Callable[..., object]) -> str:
    """Return the name of a function, or of the class of another callable."""
    return str(getattr(function, "__name__", type(function).__name__)).strip("<>")


def function_command() -> str:
    """Return the command that calls a function; the folder it runs in hides no module of its own."""
    words = shlex.join([sys.executable, "-P", "-m", "automl.run_function"])
    return f"{words} {{{FUNCTION}}} {{{CONFIG}}}"


def can_continue(function: Callable[..., object]) -> bool:
    """Return whether a function takes a checkpoint to go on from."""
    parameter = inspect.signature(function).parameters.get(CHECKPOINT)
    return parameter is not None and parameter.kind in _NAMED


def arguments_of(function: Callable[..., object], given: Iterable[str]) -> dict[str, list[Any]]:
    """Return a function's arguments, and those that are given of any that it takes, each with what a `Literal` allows.

    The list is empty for an argument that allows more, or does not say.
    """
    parameters = inspect.signature(function).parameters.items()
    names = [name for name, one in parameters if one.kind in _NAMED]
    hints = _hints(function)
    return {name: _allowed(hints.get(name)) for name in dict.fromkeys([*names, *given])}


def _hints(function: Callable[..., object]) -> dict[str, Any]:
    called = inspect.unwrap(function.func if isinstance(function, functools.partial) else function)
    try:
        return typing.get_type_hints(called)
    except Exception:  # noqa: BLE001 - annotations are code of the user's, and need not even exist
        return {}


def _allowed(hint: object) -> list[Any]:
    values = list(typing.get_args(hint)) if typing.get_origin(hint) is typing.Literal else []
    return values if all(value is None or type(value) in {bool, int, str} for value in values) else []


def defaults_of(function: Callable[..., object], searched: Collection[str]) -> dict[str, bool | int | float | str]:
    """Return the defaults of a function's arguments that are values of trials.

    Another number, such as one of NumPy, is a value where its argument is searched; else the function has it itself, as
    it has one that is not finite.
    """
    found = {}
    for name, default in _defaults(function).items():
        value = _plain(default) if name in searched else default
        is_plain = type(value) in {bool, int, float, str} and not (type(value) is float and not math.isfinite(value))
        if is_plain and name != CHECKPOINT:
            found[name] = value
    return found


def unused_defaults(function: Callable[..., object], searched: Collection[str]) -> list[str]:
    """Return a sentence for each searched argument whose default, where it is not None, trial 0 cannot have."""
    defaults, used = _defaults(function), defaults_of(function, searched)
    left = {name: defaults[name] for name in searched if name not in used and defaults.get(name) is not None}
    return [f"the default of {name}, {default!r:.80}, {_why_unused(name, default)}" for name, default in left.items()]


def _why_unused(name: str, default: object) -> str:
    if isinstance(default, Enum):
        made = f"the function gets the text or number that is searched, so write {type(default).__name__}[{name}] in it"
        return f"is a member of an enumeration: {made}"
    return "is neither a finite number nor a text: trial 0 has another value"


def _defaults(function: Callable[..., object]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.items()
    named = {name: one.default for name, one in parameters if one.kind in _NAMED}
    return {name: default for name, default in named.items() if default is not Parameter.empty}


def _plain(default: Any) -> Any:  # noqa: ANN401 - whatever a default is
    """Return a number of another type as Python's own; a member of an enumeration is none, whatever it holds."""
    if isinstance(default, bool | Enum):
        return default
    return int(default) if isinstance(default, Integral) else float(default) if isinstance(default, Real) else default


def function_problems(function: Callable[..., object], given: Iterable[str]) -> list[Problem]:
    """Return what would end every trial: what is no function, names that it lacks, and arguments without a value.

    Args:
        function: What each trial calls.
        given: The names of the arguments that are searched or set.
    """
    try:
        names, parameters = tuple(given), inspect.signature(function).parameters
    except (TypeError, ValueError):  # no callable, or one of a library in C
        found, fix = f"{function!r:.80}, whose arguments are unknown", "give it a function: def train(lr=0.1): ..."
        return [Problem(where="the function", found=found, expected="a Python function", fix=fix)]
    called = inspect.getattr_static(type(function), "__call__", None)  # of an object that can be called
    kind = next((text for test, text in _DEFERRED if test(function) or test(called)), None)
    where = f"{function_name(function)}{inspect.signature(function)}"
    if kind is not None:
        fix = "write a plain function that calls it and returns its metric: def train(lr=0.1): ..."
        return [Problem(where=where, found=kind, expected="a function that trains when it is called", fix=fix)]
    return [*_name_problems(where, names, parameters), *_value_problems(where, names, parameters)]


def _name_problems(where: str, names: Iterable[str], parameters: Mapping[str, Parameter]) -> Iterator[Problem]:
    takes = [name for name, parameter in parameters.items() if parameter.kind in _NAMED]
    has_others = any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values())
    for name in names:
        if name == CHECKPOINT:
            found = f"{name}, by which a trial that goes on is given its last checkpoint, as an argument with values"
            fix = "give the argument another name"
            yield Problem(where=where, found=found, expected="arguments of another name", fix=fix)
        elif _is_unnamed(parameters.get(name)):
            yield _unnamed(where, name)
        elif name not in takes and not has_others:
            near = difflib.get_close_matches(name, takes, n=1)
            fix = f"did you mean {near[0]}?" if near else f"add {name} to the function, or take it out of the search"
            expected = f"one of its arguments: {', '.join(takes) or 'it has none'}"
            yield Problem(where=where, found=f"no argument {name}", expected=expected, fix=fix)


def _value_problems(where: str, names: Iterable[str], parameters: Mapping[str, Parameter]) -> Iterator[Problem]:
    for name, parameter in parameters.items():
        is_open = parameter.kind not in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL)
        if not is_open or parameter.default is not Parameter.empty or name in names:
            continue
        if _is_unnamed(parameter):
            yield _unnamed(where, name)
        elif name != CHECKPOINT:
            fix = f"give {name} a default or a range, or set={{'{name}': ...}}"
            found = f"the argument {name}, which gets no value"
            yield Problem(where=where, found=found, expected="a value for each argument", fix=fix)


def _is_unnamed(parameter: Parameter | None) -> bool:
    return parameter is not None and parameter.kind is Parameter.POSITIONAL_ONLY


def _unnamed(where: str, name: str) -> Problem:
    found, fix = f"the positional-only argument {name}", "take the / out of the function"
    return Problem(where=where, found=found, expected="arguments that can be given by their names", fix=fix)
