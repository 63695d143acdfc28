"""The words of an `automl run` that a job shall repeat elsewhere: absolute paths, one word per value, no shell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATHS = {"--spec", "--results"}
_PATHS_IF_THERE = {"--skill", "--warm-start"}


def run_arguments(
    study: str | None, given: Mapping[str, Any], *, replaced: Mapping[str, str | None] | None = None
) -> tuple[str, ...]:
    """Return the words after `automl run`.

    Args:
        study: The study argument, if any: a file, or the name of a ready study.
        given: Option -> value as the command line gave it; a tuple for repeated options, True for flags.
        replaced: Options that the job sets itself; None leaves one out.
    """
    words: list[str] = []
    if study is not None:
        words.append(_if_there(study))
    for option, value in {**given, **(replaced or {})}.items():
        if value is None or value is False or value == ():
            continue
        if value is True:
            words.append(option)
            continue
        for item in value if isinstance(value, tuple) else (value,):
            words += [option, _worded(option, item)]
    return tuple(words)


def _worded(option: str, value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    if option in _PATHS:
        return str(Path(text).expanduser().absolute())
    if option in _PATHS_IF_THERE:
        return _if_there(text)
    if option == "--data":
        split, _, path = text.partition("=")
        return f"{split}={Path(path).expanduser().absolute()}"
    return text


def _if_there(text: str) -> str:
    path = Path(text).expanduser()
    return str(path.absolute()) if path.exists() else text
