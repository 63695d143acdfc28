"""The arguments of a program from what it prints for ``--help``: for those whose source does not say them."""

from __future__ import annotations

import re
from itertools import takewhile

from automl.config_files import parse_scalar
from automl.skill.program import Argument

_OPTION = re.compile(r"^\s{1,8}(?:-\w,?\s+(?:[A-Z_]+,?\s+)?)?(--[A-Za-z][\w.-]*)(?:[ =](\{[^}]*\}|<?[\w.|]+>?))?(.*)$")
_DEFAULT = re.compile(r"[\[(]default:?\s*([^)\]]+)[)\]]", re.IGNORECASE)


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
