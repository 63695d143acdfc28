"""Read YAML, JSON and TOML from untrusted files: safely, with limits, and with the scalars that trainers see.

YAML is read as the trainers' own reader (OmegaConf) does it: ``1e-5`` is a float, ``on`` and ``off`` are booleans,
dates are text, a key that occurs twice is an error. What a user writes is read with its spelling (`Spelled`), because
the parameter that it belongs to decides its type; there ``010`` is 10 and not 8, and ``12:30`` is no number. Only plain
data comes out: tags, objects and cycles are refused, aliases count as often as they are used. No file takes more than a
second and 100 MB. Every refusal is a `ConfigurationError`; a text is named in it by ``where``, the file or the option.
"""

from __future__ import annotations

import json
import math
import re
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import yaml

from automl.errors import ConfigurationError
from automl.regular_file import NotAFileError, open_regular

if TYPE_CHECKING:
    from pathlib import Path

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
"""What YAML, JSON and TOML files hold. Mappings have text keys; numbers may be NaN or infinite."""


class Spelled(str):
    """A scalar without quotes that YAML takes for a number or a boolean, as it is written.

    Attributes:
        value: What YAML reads.
    """

    __slots__ = ("value",)
    value: bool | int | float

    def __new__(cls, text: str, value: bool | float) -> Self:  # noqa: D102, FBT001 # what YAML reads
        spelled = super().__new__(cls, text)
        spelled.value = value
        return spelled

    def __getnewargs__(self) -> tuple[str, bool | int | float]:  # type: ignore[override] # a copy needs the value too
        """Return what makes a copy."""
        return str(self), self.value


# The largest public schema has 108 kB, 1,900 values and 9 levels; ten times as much is read in half a second.
MAX_BYTES = 2 * 1024 * 1024
MAX_VALUES = 20_000
MAX_DEPTH = 64
_MAX_DIRECTIVES = 100
# Sums of base 60, such as 1:30, take quadratic time; Python has the same limit for decimal digits.
_LONG_NUMBER = re.compile(rf"[-+.0-9][-+.:\w]{{{sys.int_info.default_max_str_digits},}}$")
# The reader of TOML is written in Python, and quadratic in the parts of a key.
_MAX_TOML_CHARACTERS = 256 * 1024
_LONG_TOML_KEY = re.compile(rf"(?<![^\s.=\[\]{{}},])(?:[^\s.=\[\]{{}},]+[ \t]*\.[ \t]*){{{MAX_DEPTH}}}")

_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PREFIX = "tag:yaml.org,2002:"
_PLAIN_TAGS = {_PREFIX + kind for kind in ("null", "bool", "int", "float", "str", "seq", "map")}
FLOAT_PATTERN = re.compile(
    r"""^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?
    |[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+
    |[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?
    |[-+]?\.(?:inf|Inf|INF)
    |\.(?:nan|NaN|NAN))$""",
    re.VERBOSE,
)


INT_PATTERN = re.compile(r"^[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$")


class _Loader(_BaseLoader):  # type: ignore[misc] # the C loader exists only where libyaml does
    """The safe loader with YAML 1.2 floats, without dates and further tags, and with each key once and as written."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:  # noqa: ANN401, ARG002, FBT001, FBT002 # PyYAML's signature
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key that is not text", key.start_mark)
            if key.value in seen and key.tag != _PREFIX + "merge":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} a second time", key.start_mark
                )
            seen.add(key.value)
        self.flatten_mapping(node)
        # Deep: what is merged into a mapping has to be checked itself before it is merged.
        return {key.value: self.construct_object(value, deep=True) for key, value in node.value}


def _refuse_tag(_loader: object, node: Any) -> None:  # noqa: ANN401 # PyYAML's nodes have no useful types
    raise yaml.constructor.ConstructorError(None, None, f"the tag {node.tag.replace(_PREFIX, '!!')}", node.start_mark)


_Loader.yaml_constructors = {
    None: _refuse_tag,
    **{tag: construct for tag, construct in _BaseLoader.yaml_constructors.items() if tag in _PLAIN_TAGS},
}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag not in {_PREFIX + "float", _PREFIX + "timestamp"}]
    for first, found in _BaseLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_PREFIX + "float", FLOAT_PATTERN, list("-+0123456789."))


class _SpellingLoader(_Loader):
    """The loader for what users write: it keeps the spelling, and has no octal numbers such as 010 and no base 60."""


def _construct_spelled(loader: Any, node: Any) -> Spelled:  # noqa: ANN401 # PyYAML's have no useful types
    if node.tag != _PREFIX + "int":
        return Spelled(node.value, _Loader.yaml_constructors[node.tag](loader, node))
    digits = node.value.replace("_", "")
    return Spelled(node.value, _bounded(int(digits, 10 if digits.lstrip("+-").isdigit() else 0)))


_SpellingLoader.yaml_constructors = {
    **_Loader.yaml_constructors,
    **{_PREFIX + kind: _construct_spelled for kind in ("bool", "int", "float")},
}
_SpellingLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != _PREFIX + "int"]
    for first, found in _Loader.yaml_implicit_resolvers.items()
}
_SpellingLoader.add_implicit_resolver(_PREFIX + "int", INT_PATTERN, list("-+0123456789"))


def read_document(file: Path, *, is_spelled: bool = False) -> JsonValue:
    """Read a regular file of at most `MAX_BYTES` by its suffix: ``.json``, ``.toml``, anything else as YAML.

    With ``is_spelled`` numbers and booleans of YAML are `Spelled`.
    """
    read_yaml = partial(parse_yaml, is_spelled=is_spelled)
    parse = {".json": parse_json, ".toml": parse_toml}.get(file.suffix.lower(), read_yaml)
    where = str(file)
    try:
        text = read_regular(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"bytes that are not UTF-8 ({error.reason})"
        raise _refusal(where, found, "UTF-8 text", "save the file as UTF-8") from error
    return parse(text, where=where)


def read_regular(file: Path) -> bytes:
    """Read a regular file of at most `MAX_BYTES`; anything else is a `ConfigurationError`."""
    where = str(file)
    try:
        with open_regular(file) as stream:
            data = stream.read(MAX_BYTES + 1)
    except NotAFileError as error:
        found, expected = str(error.strerror), f"a regular file of at most {MAX_BYTES} bytes"
        raise _refusal(where, found, expected, "put such a file there") from error
    except (OSError, ValueError) as error:
        raise _refusal(where, str(error), "a readable file", "check the path and its permissions") from error
    if len(data) > MAX_BYTES:
        found, expected = f"more than {MAX_BYTES} bytes", f"a regular file of at most {MAX_BYTES} bytes"
        raise _refusal(where, found, expected, "put such a file there")
    return data


def parse_yaml(text: str, *, where: str, is_spelled: bool = False) -> JsonValue:
    """Parse one YAML document into plain data; an empty text is None. With ``is_spelled`` see `read_document`."""
    try:
        _check_size(text, where)
        value = yaml.load(text, Loader=_SpellingLoader if is_spelled else _Loader)  # noqa: S506 # safe, with fewer tags
    except yaml.constructor.ConstructorError as error:
        expected = "plain data: keys that are text and occur once, no tags, no cycles"
        raise _refusal(where, _yaml_message(error), expected, "write the value itself, under one key") from error
    except yaml.YAMLError as error:
        raise _refusal(where, _yaml_message(error), "valid YAML", "fix the syntax at that line") from error
    # The C scanner raises its own errors for surrogates and NUL, PyYAML's converters theirs for !!int x and !!bool x.
    except (ValueError, KeyError, IndexError, ArithmeticError, RecursionError) as error:
        raise _refusal(where, f"text that is not YAML ({error})", "valid YAML", "fix the file") from error
    return _plain(value, where)


def parse_json(text: str, *, where: str) -> JsonValue:
    """Parse JSON, bare ``Infinity`` and ``NaN`` included."""

    def unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
        mapping: dict[str, JsonValue] = {}
        for key, value in pairs:
            if key in mapping:
                raise _refusal(where, f"the key {key!r} twice in one object", "each key once", "remove one of the two")
            mapping[key] = value
        return mapping

    try:
        value = json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        found = f"{error.msg} in line {error.lineno}, column {error.colno}"
        raise _refusal(where, found, "valid JSON", "fix the syntax at that line") from error
    except (ValueError, RecursionError) as error:
        raise _refusal(where, f"text that is not usable JSON ({error})", "valid JSON", "fix the file") from error
    return _plain(value, where)


def parse_toml(text: str, *, where: str) -> JsonValue:
    """Parse TOML; dates become text."""
    import tomllib  # noqa: PLC0415 # 10 ms that only skills with TOML specs need

    if len(text) > _MAX_TOML_CHARACTERS:
        found, expected = f"{len(text)} characters", f"TOML of at most {_MAX_TOML_CHARACTERS} characters"
        raise _refusal(where, found, expected, "shorten the file")
    if _LONG_TOML_KEY.search(text):
        raise _refusal(where, f"a key of more than {MAX_DEPTH} parts", "plain data", "flatten the file")
    try:
        return _plain(tomllib.loads(text), where)
    except (ValueError, RecursionError) as error:
        raise _refusal(where, str(error), "valid TOML", "fix the syntax at that line") from error


def parse_scalar(text: str, *, is_spelled: bool = False) -> JsonValue:
    """Read the value part of ``key=value`` as YAML would, but never refuse it: what is not YAML data is text.

    ``1e-4`` is a float, ``16`` an int, ``on`` a boolean, ``[1, 2]`` a list, ``'16'`` text, the empty text is text. With
    ``is_spelled`` numbers and booleans are `Spelled`.
    """
    stripped = text.strip()
    if not stripped:
        return stripped
    try:
        value = parse_yaml(stripped, where="a value", is_spelled=is_spelled)
    except ConfigurationError:
        return text
    is_data = not isinstance(value, dict | list) or stripped[0] in "[{"
    # "a: b" or "- a" in a command line is text that happens to look like a block of YAML, "# x" one of a comment.
    return value if is_data and not stripped.startswith("#") else text


def _plain(value: object, where: str) -> JsonValue:
    """Return a copy without shared parts, in which each value counts as often as aliases use it."""
    count = 0

    def copied(node: object, depth: int) -> JsonValue:
        nonlocal count
        count += 1
        if count > MAX_VALUES:
            raise _too_many(where)
        if depth > MAX_DEPTH:
            raise _refusal(where, f"more than {MAX_DEPTH} levels, or a cycle", "plain data", "flatten the file")
        match node:
            case dict():
                return {key: copied(child, depth + 1) for key, child in node.items()}
            case list():
                return [copied(child, depth + 1) for child in node]
            case None | bool() | float() | str():
                return node
            case int():
                return _bounded(node)
            case _:
                return str(node)

    return copied(value, 0)


def _bounded(number: int) -> int | float:
    """Return an infinite float for an int beyond floats, as 1e999 is: no trainer could compute with it."""
    return number if abs(number) <= sys.float_info.max else math.inf if number > 0 else -math.inf


def _check_size(text: str, where: str) -> None:
    # Before anything is composed: composing recurses once for each level, in C, and merging copies what it merges.
    if text.count("\n%") > _MAX_DIRECTIVES:
        raise _refusal(where, f"more than {_MAX_DIRECTIVES} lines that begin with %", "plain data", "remove them")
    count = 0
    sizes: dict[str | None, int] = {}
    opened: list[tuple[str | None, int]] = []
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.ScalarEvent) and (event.implicit[0] or event.tag) and _LONG_NUMBER.match(event.value):
            found = f"a number of {len(event.value)} characters"
            raise _refusal(where, found, "plain data", "shorten the number, or quote the text")
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            sizes[anchor] = count - before
            continue
        count += sizes.get(event.anchor, 1) if isinstance(event, yaml.AliasEvent) else 1
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, count - 1))
        if len(opened) > MAX_DEPTH:
            raise _refusal(where, f"more than {MAX_DEPTH} levels", "plain data", "flatten the file")
        if count > 2 * MAX_VALUES + MAX_DEPTH:  # keys and values, and the ends of the text
            raise _too_many(where)


def _too_many(where: str) -> ConfigurationError:
    found = f"more than {MAX_VALUES} values (aliases counted)"
    return _refusal(where, found, "plain data", "shorten the file, or remove aliases")


def _yaml_message(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    problem = problem.replace("found unconstructable recursive node", "a cycle")
    return f"{problem} in line {mark.line + 1}, column {mark.column + 1}" if mark is not None else str(problem)


def _refusal(where: str, found: str, expected: str, fix: str) -> ConfigurationError:
    return ConfigurationError.single("a file", where=where, found=found, expected=expected, fix=fix)
