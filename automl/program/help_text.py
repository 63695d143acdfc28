"""The arguments of a program from what it prints, for those whose source does not say them.

It answers ``--help``, or with jsonargparse ``--print_config``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from automl.config_files import parse_scalar
from automl.skill.program import Argument

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from automl.config_files import JsonValue

_OPTION = re.compile(r"^\s{1,8}(?:-\w,?\s+(?:[A-Z_]+,?\s+)?)?(--[A-Za-z][\w.-]*)(?:[ =](\{[^}]*\}|<?[\w.|]+>?))?(.*)$")
_DEFAULT = re.compile(r"[\[(]default:?\s*([^)\]]+)[)\]]", re.IGNORECASE)

_PRINTS_CONFIG = re.compile(r"^\s+--print_config\b", re.MULTILINE)


def may_print_config(text: str) -> bool:
    """Return whether a help text names ``--print_config``."""
    return bool(_PRINTS_CONFIG.search(text))


def arguments_of_values(values: JsonValue, declared: Mapping[str, Argument]) -> tuple[Argument, ...]:
    """Return an argument for each value of a printed configuration; type, options and text are those of the source."""
    return tuple(_valued(path, value, declared.get(path)) for path, value in _leaves(values))


def _valued(path: str, value: JsonValue, declared: Argument | None) -> Argument:
    plain = value if isinstance(value, bool | int | float | str) else None
    if declared is not None:
        return replace(declared, default=plain)
    return Argument(path=path, flag=f"--{path}", kind="" if plain is None else type(plain).__name__, default=plain)


def _leaves(values: JsonValue, prefix: str = "") -> Iterator[tuple[str, JsonValue]]:
    for key, value in values.items() if isinstance(values, dict) else ():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def arguments_of_help(text: str) -> tuple[Argument, ...]:
    """Return the options of a help text with the defaults that it states."""
    found: dict[str, Argument] = {}
    lines = text.splitlines()
    for index, line in enumerate(lines):
        match = _OPTION.match(line)
        if match is None or match[1] in {"--help", "--version"}:
            continue
        following = [more.strip() for more in takewhile(lambda line: not _OPTION.match(line), lines[index + 1 :])]
        description = " ".join([match[3].strip(), *following]).strip()
        stated = _DEFAULT.search(description)
        default = parse_scalar(stated[1].strip()) if stated else None
        options = match[2][1:-1].split(",") if match[2] and match[2].startswith("{") else []
        plain = default if isinstance(default, bool | int | float | str) else None
        path = match[1].removeprefix("--").replace("-", "_")
        found[path] = Argument(
            path=path,
            flag=match[1],
            kind="" if plain is None else type(plain).__name__,
            default=plain,
            choices=tuple(parse_scalar(option) for option in options),
            text=_DEFAULT.sub("", description).strip(),
            is_flag=not match[2] and plain is None,
        )
    return tuple(found.values())
