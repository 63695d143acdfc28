"""Whether a program gets what is searched and set, and takes it: what else would be ignored without a word."""

from __future__ import annotations

import shlex
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Protocol

from automl.errors import Problem, options_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from automl.config_files import JsonValue
    from automl.skill.program import Argument, Program


class Searched(Protocol):
    """A parameter of a search space, as far as it is looked at here."""

    @property
    def path(self) -> str:
        """Its path."""
        ...

    @property
    def choices(self) -> tuple[bool | int | float | str | None, ...]:
        """Its options; empty for a range."""
        ...


def program_problems(
    program: Program | None, *, searched: Iterable[Searched], fixed: Mapping[str, JsonValue], known: Iterable[str]
) -> list[Problem]:
    """Return what is wrong with what a program is given.

    Args:
        program: None for a skill, of which nothing is asked here.
        searched: The parameters of the space.
        fixed: What the user sets, by path.
        known: Every path that has a value.
    """
    if program is None:
        return []
    parameters, values = tuple(searched), set(known)
    names = [parameter.path for parameter in parameters]
    problems = list(_command_problems(program))
    problems += [_unknown_place(name, names) for name in program.places if name not in values]
    if not program.takes_all:
        problems += [_not_given(path, "searched") for path in names if path not in program.places]
        problems += [_not_given(path, "set") for path in fixed if path not in program.places]
    for parameter in parameters:
        argument = program.arguments.get(parameter.path)
        if argument is not None:
            problems += _not_taken(program, argument, parameter)
    for path, value in fixed.items() if program.is_function else ():  # a program says itself what it does not take
        allowed = program.arguments[path].choices if path in program.arguments else ()
        problems += _not_among(f"set: {path}", [value], allowed)
    return problems


def _command_problems(program: Program) -> Iterator[Problem]:
    """Yield a command that cannot be split into words, and a script that is not there."""
    try:
        words = shlex.split(program.command)
    except ValueError as error:
        fix = "close the quotation, or put a backslash before a quote that is meant"
        yield Problem(where="program", found=f"{program.command}: {error}", expected="words as in a shell", fix=fix)
        return
    script = next((word for word in words if word.endswith(".py")), "")
    is_elsewhere = "{" in script or Path(script).is_absolute() or bool({"cd", "pushd"} & {*words}) or which(script)
    if script and not is_elsewhere and not (program.folder / script).is_file():
        found, expected = f"no such file in {program.folder}", "a file; paths are relative to the study file"
        yield Problem(where=f"program: {script}", found=found, expected=expected, fix="correct the path")


def _unknown_place(name: str, names: list[str]) -> Problem:
    return Problem(
        where=f"program: {{{name}}}",
        found="a place for a value that is neither searched nor set",
        expected=f"one of {', '.join(names) or 'the searched parameters'}, overrides, config_path, trial_dir, resume",
        fix=f"give {name} a range in `search`, or a value in `set`",
    )


def _not_given(path: str, what: str) -> Problem:
    return Problem(
        where=f"program: {path}",
        found=f"{path} is {what}, and the command has no place for it",
        expected="a place for each value: else every trial would train with the same one",
        fix=f"write {{{path}}} where its value belongs, e.g. --{path} {{{path}}}, or --{{overrides}} for all of them",
    )


def _not_taken(program: Program, argument: Argument, parameter: Searched) -> Iterator[Problem]:
    where = f"search: {argument.path}"
    if argument.is_any_text_true:
        found = f"{argument.flag} has type=bool, which takes every text as true, also False"
        fix = "declare it with action=argparse.BooleanOptionalAction, or search it as 0 and 1 with type=int"
        yield Problem(where=where, found=found, expected="an argument that can be false", fix=fix)
    yield from _not_among(where, parameter.choices or ["a range"], argument.choices)
    if argument.is_flag and argument.path in program.places:
        fix = f"leave {{{argument.path}}} out of the command and write --{{overrides}}"
        yield Problem(where=where, found=f"{argument.flag} takes no value", expected="a flag is there or not", fix=fix)


def _not_among(where: str, values: Iterable[JsonValue], allowed: tuple[JsonValue, ...]) -> Iterator[Problem]:
    """Yield values that are none of those that an argument takes, where it says which."""
    strange = [str(value) for value in values if allowed and str(value) not in map(str, allowed)]
    if strange:
        found, expected = options_text(strange), f"one of {options_text(allowed)}"
        yield Problem(where=where, found=found, expected=expected, fix="choose among these")
