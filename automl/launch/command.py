"""Turn a skill's command template into an argument list that has the path of the spec in place of its token.

Only the token `{config_path}` is replaced. A plain command becomes an argument list without a shell. A template with
shell syntax runs as a `bash -c` script in which the path is quoted for the place where the token stands.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import LaunchError, LaunchFailure

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_TOKEN = "{config_path}"  # noqa: S105 # a placeholder, no secret

_LONGEST_SHEBANG = 512
_SHELL_SYNTAX = re.compile(r"[|&;<>()$`\n*?\[\]~!{}#\\]|^\s*\w+=|^\s*(?:cd|source|export|set|if|for|while|exec)\s")


def build_command(template: str, config_path: Path) -> tuple[str, ...]:
    """Return the argument list that runs a template on a spec file.

    Args:
        template: With `{config_path}` exactly once.
        config_path: The spec file.

    Raises:
        LaunchError: the token is missing or occurs more than once, or a quotation is not closed.
    """
    if template.count(CONFIG_TOKEN) != 1:
        raise LaunchError(
            f"the command {template!r} must contain {CONFIG_TOKEN} exactly once", failure=LaunchFailure.COMMAND
        )
    return fill_command(template, {CONFIG_TOKEN: str(config_path)})


def fill_command(template: str, places: Mapping[str, str]) -> tuple[str, ...]:
    """Return the argument list of a template with any of several tokens in any number.

    Args:
        template: A plain command, or one with shell syntax.
        places: Token -> what stands there; at least one token.

    Raises:
        LaunchError: a quotation is not closed.
    """
    pieces = re.split(f"({'|'.join(map(re.escape, places))})", template)
    if any(_SHELL_SYNTAX.search(literal) for literal in pieces[::2]):
        script = ""
        for piece in pieces:
            script += _quoted(places[piece], _open_quote(script)) if piece in places else piece
        return ("bash", "-c", script)
    try:
        arguments = shlex.split(template)
    except ValueError as error:
        raise LaunchError(
            f"the command {template!r} cannot be split into arguments: {error}", failure=LaunchFailure.COMMAND
        ) from error
    for token, place in places.items():
        arguments = [argument.replace(token, place) for argument in arguments]
    return tuple(arguments)


def bin_directory() -> Path:
    """Return the folder of this environment's console scripts."""
    return Path(sys.executable).parent


def search_path(environment: Mapping[str, str]) -> str:
    """Return PATH with this environment's console scripts first."""
    entries = environment.get("PATH", os.defpath).split(os.pathsep)
    own = str(bin_directory())
    return os.pathsep.join([own, *(entry for entry in entries if entry != own)])


def find_program(name: str) -> Path:
    """Return the file of the program that a command names first.

    Raises:
        LaunchError: there is no such program in this environment or on PATH.
    """
    found = shutil.which(name, path=search_path(os.environ))
    if found is None:
        raise LaunchError(
            f"the program {name!r} was found neither in {bin_directory()} nor on PATH", failure=LaunchFailure.PROGRAM
        )
    return Path(found)


def is_own_script(file: Path) -> bool:
    """Return whether a program is run by this interpreter.

    Scripts of an environment lie beside its interpreter; those of ``pip install --user`` or ``--target`` elsewhere, and
    name it in their first line.
    """
    if file.parent == bin_directory():
        return True
    with file.open("rb") as script:
        first = script.readline(_LONGEST_SHEBANG)
    return first.startswith(b"#!") and first[2:].decode(errors="replace").strip() == sys.executable


def _open_quote(text: str) -> str:
    """Return the quotation mark that is open at the end of a shell text, or an empty string."""
    quote = ""
    is_escaped = False
    for character in text:
        if is_escaped:
            is_escaped = False
        elif character == "\\" and quote != "'":
            is_escaped = True
        elif character == quote:
            quote = ""
        elif character in "'\"" and not quote:
            quote = character
    return quote


def _quoted(path: str, quote: str) -> str:
    """Quote a path for a place outside quotations, in double or in single quotation marks."""
    match quote:
        case '"':
            return re.sub(r'([\\"$`])', r"\\\1", path)
        case "'":
            return path.replace("'", "'\"'\"'")
        case _:
            return shlex.quote(path)
