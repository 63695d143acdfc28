"""Read typed fields from an untrusted mapping, and collect every problem.

A `Fields` never raises: what is missing or of a wrong type is recorded with its dotted path, and the reader goes on.
Which problem stops a skill and which is only a warning is decided by the caller.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeGuard

from automl.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.skill.model import JsonValue

_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a mapping",
}
_PART = r"[^.\[\]\x00-\x1f\x7f-\x9f]+(\[(0|[1-9]\d*)\])*"
_PATH = re.compile(rf"{_PART}(\.{_PART})*")
_MAX_PATH_CHARACTERS = 1000
_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0", ""}


@dataclass(slots=True)
class Findings:
    """What was found so far in a file, which every problem names.

    Attributes:
        problems: What makes the file unusable.
        warnings: What cannot be used and is ignored, or is inconsistent and can be used.
    """

    file: str
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def reject(self, path: str, found: str, expected: str, fix: str) -> None:
        """Record a problem that makes the file unusable."""
        self.problems.append(Problem(where=f"{self.file}: {path}", found=found, expected=expected, fix=fix))

    def leave_out(self, path: str, found: str, expected: str, fix: str) -> None:
        """Record something that cannot be used, and that stops nothing."""
        self.warnings.append(Problem(where=f"{self.file}: {path}", found=found, expected=expected, fix=fix))


def kind_of(value: JsonValue) -> str:
    """Name the kind of a value for a message, with the value where it is short."""
    if value is None:
        return "nothing"
    shown = repr(value)
    return f"{_KINDS[type(value)]}, {shown}" if len(shown) <= 60 else _KINDS[type(value)]  # noqa: PLR2004 # one line


@dataclass(frozen=True, slots=True)
class Fields:
    """One mapping of a document, with its dotted path (empty at the root) and the place where problems go."""

    values: Mapping[str, JsonValue]
    path: str
    findings: Findings

    def at(self, key: str) -> str:
        """Return the dotted path of a key."""
        return f"{self.path}.{key}" if self.path else key

    def reject(self, key: str, found: str, expected: str, fix: str) -> None:
        """Record a problem at a key."""
        self.findings.reject(self.at(key), found, expected, fix)

    def leave_out(self, key: str, found: str, expected: str, fix: str) -> None:
        """Record that what is at a key is ignored."""
        self.findings.leave_out(self.at(key), found, expected, fix)

    def text(self, key: str, *, is_required: bool = False) -> str | None:
        """Return a text; None and the empty text count as missing."""
        value = self.values.get(key)
        if isinstance(value, str) and value.strip():
            return value
        if value is not None and value != "":
            self.reject(key, kind_of(value), "text", "write it as text")
        elif is_required:
            self.reject(key, "nothing", "text", f"add {key}")
        return None

    def flag(self, key: str) -> bool:
        """Return a boolean, also from its spellings as text; missing is False."""
        flag = as_flag(self.values.get(key))
        if flag is None:
            self.reject(key, kind_of(self.values.get(key)), "true or false", "write true or false")
        return flag is True

    def mapping(self, key: str) -> Fields:
        """Return a nested mapping; empty where it is missing or something else."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, dict):
            self.reject(key, kind_of(value), "a mapping", "write key: value lines")
        return Fields(value if isinstance(value, dict) else {}, self.at(key), self.findings)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; a single text counts as a list of one, other elements are ignored."""
        value = self.values.get(key)
        items = value if isinstance(value, list) else [] if value is None else [value]
        for index, item in enumerate(items):
            if not isinstance(item, str):
                self.leave_out(f"{key}[{index}]", kind_of(item), "text", "write it as text")
        return tuple(item for item in items if isinstance(item, str))

    def by_path(self) -> dict[str, JsonValue]:
        """Return the values whose keys are parameter paths; other keys are ignored."""
        for key in self.values:
            if not is_parameter_path(key):
                self.leave_out(key, repr(key), "a parameter path", "correct the path")
        return {key: value for key, value in self.values.items() if is_parameter_path(key)}


def as_flag(value: JsonValue) -> bool | None:
    """Read a boolean from its spellings: ``true``, ``"TRUE"``, ``on``, 1; missing is False; anything else is None."""
    match value:
        case bool():
            return value
        case None:
            return False
        case int() | str():
            text = str(value).strip().lower()
            return True if text in _TRUE else False if text in _FALSE else None
        case _:
            return None


def is_number(value: object) -> TypeGuard[int | float]:
    """Return whether a value is a number, NaN included; booleans are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_parameter_path(text: str) -> bool:
    """Return whether a text is a dotted path with list indices, such as ``train.optim.lr`` or ``model.sizes[0]``."""
    return len(text) <= _MAX_PATH_CHARACTERS and _PATH.fullmatch(text) is not None
