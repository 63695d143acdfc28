"""Turn the tree that a YAML file holds into the dataclasses of the spec; every problem is collected, none is raised.

Types are converted as OmegaConf does for structured specs: text that reads as a number is a number, whole floats are
integers, and so on. An empty text, ``???`` and null mean "unset" where a key is optional. Unknown keys are problems.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from depth_net.config.fields import Setting, declaration
from depth_net.config.problems import SpecProblem, closest

_UNSET = ("", "???", None)
_TRUE = ("true", "yes", "on", "1", "y")
_FALSE = ("false", "no", "off", "0", "n")
_HINTS: dict[type[Any], Mapping[str, Any]] = {}
"""Resolved types by class; resolving them anew for each key would take most of the time of reading a spec."""
_TOLERATED_PREFIXES = ("model.gwc_",)
"""Keys of stereo models that newer specs carry; this trainer has no list of their names."""


class _MismatchError(Exception):
    """A value is not of the expected type; the text says which type is."""


class _ChoiceError(_MismatchError):
    """A word is none of those to choose from; the text names them."""


def build(kind: type[Any], tree: Mapping[str, object], problems: list[SpecProblem]) -> Any:  # noqa: ANN401 - an instance of kind
    """Return an instance of the dataclass ``kind`` filled from ``tree``, appending what is wrong to ``problems``.

    Keys with a problem, and keys that are missing, have their default.
    """
    return _Builder(known=paths(kind), problems=problems).section(kind, tree, "")


def paths(kind: type[Any], prefix: str = "") -> tuple[str, ...]:
    """Return the dotted paths of all leaves of the dataclass ``kind``."""
    found: list[str] = []
    for name, hint in hints(kind).items():
        path = f"{prefix}{name}"
        found += paths(hint, f"{path}.") if is_group(hint) else [path]
    return tuple(found)


def is_group(hint: object) -> bool:
    """Tell whether a type is a dataclass, i.e. a group of keys."""
    return isinstance(hint, type) and dataclasses.is_dataclass(hint)


def hints(kind: type[Any]) -> Mapping[str, Any]:
    """Return the resolved type of each field of the dataclass ``kind``, in order."""
    if kind not in _HINTS:
        resolved = typing.get_type_hints(kind)
        _HINTS[kind] = MappingProxyType({field.name: resolved[field.name] for field in dataclasses.fields(kind)})
    return _HINTS[kind]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Builder:
    known: tuple[str, ...]
    problems: list[SpecProblem]

    def section(self, kind: type[Any], tree: Mapping[str, object], path: str) -> Any:  # noqa: ANN401 - an instance of kind
        """Build one dataclass from the mapping at ``path``."""
        types_by_name = hints(kind)
        prefix = f"{path}." if path else ""
        values = {}
        for name in tree:
            if name not in types_by_name:
                self._unknown(f"{prefix}{name}")
        for field in dataclasses.fields(kind):
            if field.name not in tree:
                continue
            value = self._field(
                types_by_name[field.name], tree[field.name], f"{prefix}{field.name}", declaration(field)
            )
            if value is not dataclasses.MISSING:
                values[field.name] = value
        return kind(**values)

    def _field(self, hint: Any, raw: object, path: str, declared: Setting) -> Any:  # noqa: ANN401 - of type hint
        if is_group(hint):
            if raw is None:
                return dataclasses.MISSING
            if not isinstance(raw, Mapping):
                self._problem(path, raw, "a group of keys", "write the keys of this group below it, indented")
                return dataclasses.MISSING
            return self.section(hint, raw, path)
        try:
            value = self._value(hint, raw, path)
        except _MismatchError as mismatch:
            self._problem(path, raw, str(mismatch), _fix(hint, raw), is_value=isinstance(mismatch, _ChoiceError))
            return dataclasses.MISSING
        self._check_limits(value, path, declared)
        return value

    def _value(self, hint: Any, raw: object, path: str) -> Any:  # noqa: ANN401 - of type hint
        arguments = typing.get_args(hint)
        origin = typing.get_origin(hint)
        if origin in (types.UnionType, typing.Union):
            return None if raw in _UNSET else self._value(arguments[0], raw, path)
        if origin is tuple:
            return self._tuple(arguments[0], raw, path)
        if origin is Mapping:
            return _mapping(raw)
        return _scalar(hint, raw)

    def _tuple(self, item: Any, raw: object, path: str) -> tuple[Any, ...]:  # noqa: ANN401 - a type
        if raw in _UNSET:
            return ()
        if isinstance(raw, Mapping):
            raw = [raw]
        if not isinstance(raw, list | tuple):
            raise _MismatchError("a list")
        if is_group(item):
            wrong = [entry for entry in raw if not isinstance(entry, Mapping)]
            if wrong:
                raise _MismatchError(f"a list of groups with the keys {', '.join(hints(item))}")
            return tuple(self.section(item, entry, f"{path}[{index}]") for index, entry in enumerate(raw))
        return tuple(self._value(item, entry, f"{path}[{index}]") for index, entry in enumerate(raw))

    def _check_limits(self, value: object, path: str, declared: Setting) -> None:
        numbers = value if isinstance(value, tuple) else (value,)
        for number in numbers:
            if isinstance(number, bool) or not isinstance(number, int | float):
                continue
            if not _within(number, declared):
                expected = f"a number {_limits(declared)}"
                self._problem(path, number, expected, "use a number in this range", is_value=True)

    def _unknown(self, path: str) -> None:
        if path.startswith(_TOLERATED_PREFIXES):
            return
        suggestion = closest(path, self.known)
        fix = (
            f"did you mean {suggestion}?" if suggestion else "remove it, or see `depth_net default_specs` for all keys"
        )
        self.problems.append(SpecProblem(where=path, found="an unknown key", expected="a key of the spec", fix=fix))

    def _problem(self, path: str, raw: object, expected: str, fix: str, *, is_value: bool = False) -> None:
        problem = SpecProblem(where=path, found=f"{raw!r}", expected=expected, fix=fix, is_value=is_value)
        self.problems.append(problem)


def _scalar(hint: Any, raw: object) -> object:  # noqa: ANN401 - a type
    if hint is Any:
        return raw
    if isinstance(raw, list | tuple | Mapping):
        raise _MismatchError(_EXPECTED.get(hint, "a single value"))
    if issubclass(hint, StrEnum):
        return _member(hint, raw)
    return _CONVERT[hint](raw)


def _member(kind: type[StrEnum], raw: object) -> StrEnum:
    # YAML reads on and off as booleans.
    word = {True: "on", False: "off"}[raw] if isinstance(raw, bool) else str(raw)
    for member in kind:
        if word == member.value:
            return member
    raise _ChoiceError(f"one of {', '.join(member.value for member in kind)}")


def _mapping(raw: object) -> Mapping[str, Any]:
    if raw in _UNSET:
        return MappingProxyType({})
    if not isinstance(raw, Mapping):
        raise _MismatchError("a group of keys")
    return MappingProxyType({str(key): value for key, value in raw.items()})


def _to_int(raw: object) -> int:
    try:
        number = float(raw) if isinstance(raw, str) else raw
    except ValueError:
        raise _MismatchError("a whole number") from None
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number) or number % 1:
        raise _MismatchError("a whole number")
    return int(number)


def _to_float(raw: object) -> float:
    try:
        number = float(raw) if isinstance(raw, str | int | float) and not isinstance(raw, bool) else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _MismatchError("a finite number")
    return number


def _to_bool(raw: object) -> bool:
    text = str(raw).strip().lower()
    if raw is None or isinstance(raw, float) or text not in (*_TRUE, *_FALSE):
        raise _MismatchError("true or false")
    return text in _TRUE


def _to_text(raw: object) -> str:
    return "" if raw in _UNSET else str(raw)


_CONVERT: Mapping[type[Any], Any] = {int: _to_int, float: _to_float, bool: _to_bool, str: _to_text}
_EXPECTED: Mapping[Any, str] = {int: "a whole number", float: "a finite number", bool: "true or false", str: "a text"}


def _fix(hint: Any, raw: object) -> str:  # noqa: ANN401 - a type
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        near = closest(str(raw), [member.value for member in hint])
        return f"did you mean {near}?" if near else "use one of these words"
    return "correct the value"


def _within(number: float, declared: Setting) -> bool:
    too_small = declared.minimum is not None and number < declared.minimum
    too_large = declared.maximum is not None and number > declared.maximum
    return not (too_small or too_large or (declared.above is not None and number <= declared.above))


def _limits(declared: Setting) -> str:
    parts = [
        f"greater than {declared.above:g}" if declared.above is not None else "",
        f"of at least {declared.minimum:g}" if declared.minimum is not None else "",
        f"of at most {declared.maximum:g}" if declared.maximum is not None else "",
    ]
    return " and ".join(part for part in parts if part)
