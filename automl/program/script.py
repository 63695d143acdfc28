"""The script of a command, the local modules it imports, and what they declare: arguments, or a Hydra configuration.

Only files below the folder of the study are read. Nothing is imported and nothing is run.
"""

from __future__ import annotations

import ast
import re
import shlex
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from automl.config_files import parse_scalar, read_regular
from automl.errors import ConfigurationError
from automl.program.arguments import read_arguments
from automl.program.hydra_config import group_argument, read_configuration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from automl.config_files import JsonValue
    from automl.skill.program import Argument

HYDRA = "hydra"
_TRAINS = re.compile(r"train|fit|tune")
_MOST_FILES = 30
_OPTION = re.compile(r"(--?[A-Za-z][\w.-]*)(?:=(.*))?", re.DOTALL)
_PLACE = re.compile(r"\{([A-Za-z_]\w*)\}")
_OVERRIDE = re.compile(r"[+~]{0,2}([A-Za-z_][\w.]*)=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What is known of a program from its files.

    Attributes:
        file: The script; None where the command names none that is here.
        library: Who reads its arguments: ``argparse``, ``hydra``, ...; empty where unknown.
        arguments: By their paths, with the defaults that count: those of the command line before those of the source.
        subcommand: The word behind which the arguments are taken: that of the command, else the one that trains.
        groups: Of Hydra: group -> its options, the one that is used first, each with what it sets.
        files: Every file that was read, the script first.
    """

    file: Path | None = None
    library: str = ""
    arguments: dict[str, Argument]
    subcommand: str = ""
    groups: Mapping[str, Mapping[str, tuple[Argument, ...]]] = field(default_factory=dict)
    files: tuple[Path, ...] = ()


def read_script(command: str, folder: Path) -> Script:
    """Read the script that a command runs in a folder."""
    words = _words(command)
    file = find_script(words, folder)
    if file is None:
        return Script(arguments={})
    files = tuple(_with_imports(file, folder))
    trees = [tree for path in files if (tree := parsed(path)) is not None]
    configurations = (read_configuration(tree, trees, file, folder, words) for tree in trees)
    configured = next((found for found in configurations if found is not None), None)
    if configured is not None:
        library, listed, files = HYDRA, configured.values, (*files, *configured.files)
    else:
        read = [read_arguments(tree, trees) for tree in trees]
        known = [found for found in read if found[0]]
        library, listed = next((found for found in read if found[1]), known[0] if known else ("", ()))
    chosen = _chosen_subcommand(listed, words)
    arguments = {one.path: one for one in listed if one.subcommand in {"", chosen}}
    if configured is not None:
        arguments |= {one.path: one for one in map(group_argument, configured.groups.items()) if one.choices[1:]}
    for name, path in _places(words, arguments).items():
        arguments[name] = replace(arguments.pop(path), path=name)
    for path, value in _given(words, arguments).items():
        arguments[path] = replace(arguments[path], default=value)
    return Script(
        file=file,
        library=library,
        arguments=arguments,
        subcommand=chosen,
        groups=configured.groups if configured is not None else {},
        files=files,
    )


def _chosen_subcommand(listed: Sequence[Argument], words: Sequence[str]) -> str:
    """Return the subcommand that a command names, else the one that seems to train; empty where there are none."""
    known = dict.fromkeys(argument.subcommand for argument in listed if argument.subcommand)
    named = [word for word in words if word in known] or [word for word in known if _TRAINS.search(word)]
    return next(iter([*named, *known]), "")


def find_script(words: Sequence[str], folder: Path) -> Path | None:
    """Return the file that a command runs: its first ``.py`` file, or the module behind ``-m``; None if not here."""
    for index, word in enumerate(words):
        if word == "-m" and index + 1 < len(words):
            base = folder.joinpath(*words[index + 1].split("."))
            found = next((f for f in (base.with_suffix(".py"), base / "__main__.py") if f.is_file()), None)
            if found is not None:
                return found
        if word.endswith(".py") and (folder / word).is_file():
            return folder / word
    return None


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # reported where the command is used
        return command.split()


def parsed(file: Path) -> ast.Module | None:
    """Return the tree of a source file; None where it cannot be read."""
    try:
        return ast.parse(read_regular(file).decode("utf-8-sig"))
    except (ConfigurationError, SyntaxError, UnicodeDecodeError, ValueError, RecursionError):
        return None


def _with_imports(file: Path, folder: Path) -> Iterator[Path]:
    """Yield a script and the modules beside it, or in the folder, that it imports, directly or not."""
    pending, seen = [file], {file}
    while pending and len(seen) <= _MOST_FILES:
        here = pending.pop(0)
        yield here
        tree = parsed(here)
        for name in _imported(tree) if tree is not None else ():
            for root in dict.fromkeys((here.parent, file.parent, folder)):
                base = root.joinpath(*name.split("."))
                found = next((f for f in (base.with_suffix(".py"), base / "__init__.py") if f.is_file()), None)
                if found is not None and found not in seen:
                    seen.add(found)
                    pending.append(found)
                    break


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module:
                yield node.module
            yield from (f"{node.module}.{alias.name}" if node.module else alias.name for alias in node.names)


def _places(words: Sequence[str], arguments: dict[str, Argument]) -> dict[str, str]:
    """Return the names of places whose argument has another name: ``--optimizer {opt}`` is ``optimizer``."""
    by_flag = {argument.flag: path for path, argument in arguments.items() if argument.flag}
    found: dict[str, str] = {}
    for before, word in pairwise(["", *words]):
        option, _, value = word.rpartition("=")
        place = _PLACE.fullmatch(value)
        path = by_flag.get(option or before, option.lstrip("+"))
        if place is not None and place[1] not in arguments and path in arguments and path not in found.values():
            found[place[1]] = path
    return found


def _given(words: Sequence[str], arguments: dict[str, Argument]) -> dict[str, JsonValue]:
    """Return the values that a command itself has: ``--epochs 3``, ``--epochs=3``, ``trainer.epochs=3``."""
    by_flag = {argument.flag: path for path, argument in arguments.items() if argument.flag}
    found: dict[str, JsonValue] = {}
    for index, word in enumerate(words):
        option, override = _OPTION.fullmatch(word), _OVERRIDE.fullmatch(word)
        path, text = None, None
        if option is not None:
            path = by_flag.get(option[1])
            text = option[2] if option[2] is not None else next(iter(words[index + 1 : index + 2]), "")
        elif override is not None and override[1] in arguments:
            path, text = override[1], override[2]
        if path is not None and arguments[path].is_flag:
            found[path] = True
        elif path is not None and text is not None and "{" not in text:
            value = parse_scalar(text)
            found[path] = float(value) if arguments[path].kind == "float" and isinstance(value, int) else value
    return found
