"""The script of a command, the local modules it imports, and what they declare: arguments, or a Hydra configuration.

Only files below the folder of the study are read. Nothing is imported and nothing is run.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from automl.config_files import parse_scalar
from automl.program.arguments import read_arguments
from automl.program.hydra_config import group_argument, read_configuration
from automl.program.sources import imported_files, parsed, with_imports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from automl.config_files import JsonValue
    from automl.skill.program import Argument

HYDRA = "hydra"
_TRAINS = re.compile(r"train|fit|tune")
_MOST_FILES = 30
"""So many files are searched for what they declare."""
_OF_PROGRAMS = {".cfg", ".ini", ".jl", ".js", ".json", ".lua", ".pl", ".py", ".r", ".sh", ".toml", ".yaml", ".yml"}
"""How files end that make a program what it is, where its command names them: scripts and configurations."""
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
        files: Every file that makes the program what it is, as far as it is seen: the script first, what it imports,
            its configuration, and what else of the folder the command names.
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
    file, beside = find_script(words, folder), _named_files(words, folder)
    if file is None:
        return Script(arguments={}, files=beside)
    files = tuple(with_imports([file], (file.parent, folder, folder / "src")))
    trees = [tree for path in files[:_MOST_FILES] if (tree := parsed(path)) is not None]
    configurations = (read_configuration(tree, trees, file, folder, words) for tree in trees)
    configured = next((found for found in configurations if found is not None), None)
    if configured is not None:
        library, listed, files = HYDRA, configured.values, (*files, *configured.files)
    else:
        library, listed = read_arguments(trees)
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
        files=tuple(dict.fromkeys((*files, *beside))),
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


def _named_files(words: Sequence[str], folder: Path) -> tuple[Path, ...]:
    """Return the scripts and configurations in a folder that a command names: ``sh run.sh``, ``--config=big.yaml``."""
    found = []
    for index, word in enumerate(words):
        place = folder / word.rpartition("=")[2]
        with contextlib.suppress(OSError, ValueError):  # no name of a file
            # A link without an ending is the interpreter of an environment in the folder.
            is_run = not place.suffix and not place.is_symlink() and os.access(place, os.X_OK)
            if (is_run or place.suffix.lower() in _OF_PROGRAMS) and place.is_relative_to(folder) and place.is_file():
                found.append(place)
        if word == "-m":
            found += [file for name in words[index + 1 : index + 2] for file in imported_files(name, [folder])]
    return tuple(found)


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # reported where the command is used
        return command.split()


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
