"""A Python function as a training program: the file by which a trial's process has it, and the command that calls it.

`automl.run_function` is the other end of the command.
"""

from __future__ import annotations

import difflib
import hashlib
import inspect
import shlex
import sys
from inspect import Parameter
from typing import TYPE_CHECKING, Any

from automl.errors import ConfigurationError, Problem
from automl.request.location import make_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_FOLDER = ".functions"
_CHECKPOINT = "checkpoint"
_NAMED = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


def function_name(function: Callable[..., object]) -> str:
    """Return the name of a function, or of the class of another callable."""
    return str(getattr(function, "__name__", type(function).__name__)).strip("<>")


def can_continue(function: Callable[..., object]) -> bool:
    """Return whether a function takes a checkpoint to go on from."""
    return _CHECKPOINT in inspect.signature(function).parameters


def defaults_of(function: Callable[..., object]) -> dict[str, bool | int | float | str]:
    """Return the plain defaults of a function's arguments."""
    return {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if isinstance(parameter.default, bool | int | float | str)
    }


def function_problems(function: Callable[..., object], given: Iterable[str]) -> list[Problem]:
    """Return what would end every trial in a `TypeError`: names that the function lacks, and arguments without a value.

    Args:
        function: What each trial calls.
        given: The names of the arguments that are searched or set.
    """
    try:
        names, parameters = tuple(given), inspect.signature(function).parameters
    except (TypeError, ValueError):  # no callable, or one of a library in C
        found, fix = f"{function!r:.80}, whose arguments are unknown", "give it a function: def train(lr=0.1): ..."
        return [Problem(where="the function", found=found, expected="a Python function", fix=fix)]
    takes = [name for name, parameter in parameters.items() if parameter.kind in _NAMED]
    where, problems = f"{function_name(function)}{inspect.signature(function)}", []
    if not any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values()):
        for name in (name for name in names if name not in takes):
            near = difflib.get_close_matches(name, takes, n=1)
            fix = f"did you mean {near[0]}?" if near else f"add {name} to the function, or take it out of the search"
            expected = f"one of its arguments: {', '.join(takes) or 'it has none'}"
            problems.append(Problem(where=where, found=f"no argument {name}", expected=expected, fix=fix))
    for name, parameter in parameters.items():
        is_open = parameter.kind not in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL)
        if is_open and parameter.default is Parameter.empty and name not in (*names, _CHECKPOINT):
            fix = f"give {name} a default or a range, or set={{'{name}': ...}}"
            found = f"the argument {name}, which gets no value"
            problems.append(Problem(where=where, found=found, expected="a value for each argument", fix=fix))
    return problems


def function_command(function: Callable[..., object], metric: str, results: Path) -> str:
    """Write a function to a file below a results folder and return the command that calls it.

    Args:
        function: Of a notebook or a script; one of an imported module is found there again by its name.
        metric: The name of a number that it returns.
        results: Where studies lie.

    Raises:
        ConfigurationError: the function uses what no other process can have.
    """
    content = _pickled((function, metric), function_name(function))
    file = results / _FOLDER / f"{function_name(function)}-{hashlib.sha256(content).hexdigest()[:12]}.pkl"
    make_private(file.parent)
    file.write_bytes(content)
    return shlex.join([sys.executable, "-m", "automl.run_function", str(file)])


def _pickled(content: Any, name: str) -> bytes:  # noqa: ANN401 - whatever a function is made of
    import cloudpickle  # noqa: PLC0415 - only where a function is the trainer

    try:
        pickled: bytes = cloudpickle.dumps(content)
    except Exception as error:  # a class of the user's may raise anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigurationError.single(
            "the call",
            where=f"the function {name}",
            found=f"something that no other process can have: {reason}",
            expected="a function of plain values, data and modules; each trial calls it in a process of its own",
            fix="open files, locks, connections and the like inside the function",
        ) from error
    return pickled
