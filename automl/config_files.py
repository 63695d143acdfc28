"""Read YAML, JSON and TOML written by strangers: safely, with limits, and with the scalars that trainers see.

YAML is read as the trainers' own reader (OmegaConf) does it: ``1e-5`` is a float, ``on`` and ``off`` are booleans,
dates are text, a key that occurs twice is an error. Only plain data comes out: tags, objects and cycles are refused,
aliases count as often as they are used. JSON may hold bare ``Infinity`` and ``NaN``. Every refusal is a
`ConfigurationError`.
"""

from __future__ import annotations

import functools
import json
import math
import re
import stat
import sys
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from automl.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
"""What YAML, JSON and TOML files hold. Mappings have text keys; numbers may be NaN or infinite."""

# The largest public schema has 108 kB, 1,900 values and 9 levels: room for thirty times as much, and no bomb.
MAX_BYTES = 8 * 1024 * 1024
MAX_VALUES = 200_000
MAX_DEPTH = 64

_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PREFIX = "tag:yaml.org,2002:"
FLOAT_PATTERN = re.compile(
    r"""^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?
    |[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+
    |[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?
    |[-+]?\.(?:inf|Inf|INF)
    |\.(?:nan|NaN|NAN))$""",
    re.VERBOSE,
)


class _Loader(_BaseLoader):  # type: ignore[misc] # the C loader exists only where libyaml does
    """The safe loader with YAML 1.2 floats and without dates."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag not in {_PREFIX + "float", _PREFIX + "timestamp"}]
    for first, found in _BaseLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_PREFIX + "float", FLOAT_PATTERN, list("-+0123456789."))


def read_document(file: Path) -> JsonValue:
    """Read a file by its suffix: ``.json``, ``.toml``, anything else as YAML.

    Raises:
        ConfigurationError: the file cannot be read, is too large or too deep, or is not valid.
    """
    text = read_text(file)
    match file.suffix.lower():
        case ".json":
            return parse_json(text, where=str(file))
        case ".toml":
            return parse_toml(text, where=str(file))
        case _:
            return parse_yaml(text, where=str(file))


def read_text(file: Path) -> str:
    """Read a regular file of at most `MAX_BYTES` as UTF-8.

    Raises:
        ConfigurationError: it is not there, not a regular file, too large or not UTF-8.
    """
    where = str(file)
    try:
        status = file.stat()
        # Reading a pipe or a device could wait for ever.
        data = file.read_bytes() if stat.S_ISREG(status.st_mode) and status.st_size <= MAX_BYTES else None
    except (OSError, ValueError) as error:
        raise _refusal(where, str(error), "a readable file", "check the path and its permissions") from error
    if data is None:
        found = f"{status.st_size} bytes" if stat.S_ISREG(status.st_mode) else "something that is not a regular file"
        raise _refusal(where, found, f"a regular file of at most {MAX_BYTES} bytes", "put such a file there")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"bytes that are not UTF-8 ({error.reason})"
        raise _refusal(where, found, "UTF-8 text", "save the file as UTF-8") from error


def parse_yaml(text: str, *, where: str) -> JsonValue:
    """Parse one YAML document into plain data; an empty text is None.

    Args:
        text: The document.
        where: Named in errors: the file, or the option.

    Raises:
        ConfigurationError: it is not valid YAML, holds tags or cycles, repeats a key, or is too large or too deep.
    """
    _check_size(text, where)
    # The C scanner does not expect surrogates or NUL, and raises its own kind of error for them.
    try:
        _check_depth(text, where)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise _refusal(where, _yaml_message(error), "valid YAML", "mend the syntax at that line") from error
    except (UnicodeError, ValueError, RecursionError) as error:
        raise _refusal(where, f"text that is not YAML ({error})", "valid YAML", "mend the file") from error
    return None if node is None else _Builder(where).build(node)


def parse_json(text: str, *, where: str) -> JsonValue:
    """Parse JSON, bare ``Infinity`` and ``NaN`` included.

    Raises:
        ConfigurationError: it is not valid JSON, repeats a key, or is too large or too deep.
    """
    _check_size(text, where)
    pairs_hook = functools.partial(_unique_pairs, where)
    try:
        value: JsonValue = json.loads(text, object_pairs_hook=pairs_hook, parse_int=_parse_int)
    except json.JSONDecodeError as error:
        found = f"{error.msg} in line {error.lineno}, column {error.colno}"
        raise _refusal(where, found, "valid JSON", "mend the syntax at that line") from error
    except (ValueError, RecursionError) as error:
        raise _refusal(where, f"text that is not usable JSON ({error})", "valid JSON", "mend the file") from error
    _check_value(value, where)
    return value


def parse_toml(text: str, *, where: str) -> JsonValue:
    """Parse TOML; dates become text.

    Raises:
        ConfigurationError: it is not valid TOML, or is too large or too deep.
    """
    import tomllib  # noqa: PLC0415 # 10 ms that only skills with TOML specs need

    _check_size(text, where)
    try:
        parsed: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
        raise _refusal(where, str(error), "valid TOML", "mend the syntax at that line") from error
    _check_value(parsed, where)
    return _without_dates(parsed)


def parse_scalar(text: str) -> JsonValue:
    """Read the value part of ``key=value`` as YAML would, but never refuse it: what is not YAML data is text.

    ``1e-4`` is a float, ``16`` an int, ``on`` a boolean, ``[1, 2]`` a list, ``'16'`` text, the empty text is text.
    """
    stripped = text.strip()
    if not stripped:
        return stripped
    try:
        value = parse_yaml(stripped, where="a value")
    except ConfigurationError:
        return text
    is_data = not isinstance(value, dict | list) or stripped[0] in "[{"
    # "a: b" or "- a" in a command line is text that happens to look like a block of YAML, "# x" one of a comment.
    return value if is_data and not stripped.startswith("#") else text


class _Builder:
    """Turn composed nodes into plain data, counting every value that aliases repeat."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._values = 0
        self._scalars: Any = yaml.constructor.SafeConstructor()

    def build(self, node: Any, depth: int = 0) -> JsonValue:  # noqa: ANN401 # PyYAML's nodes have no useful types
        self._values += 1
        if self._values > MAX_VALUES:
            raise _refusal(
                self._where, f"more than {MAX_VALUES} values (aliases counted)", "plain data", "remove aliases"
            )
        if depth > MAX_DEPTH:
            raise _refusal(self._where, f"more than {MAX_DEPTH} levels, or a cycle", "plain data", "flatten the file")
        match node.tag.removeprefix(_PREFIX), node:
            case "map", yaml.MappingNode():
                return self._mapping(node, depth)
            case "seq", yaml.SequenceNode():
                return [self.build(item, depth + 1) for item in node.value]
            case "null" | "bool" | "int" | "float" | "str" as kind, yaml.ScalarNode():
                return self._scalar(kind, node)
            case _:
                found = f"the tag {node.tag.replace(_PREFIX, '!!')} in line {node.start_mark.line + 1}"
                raise _refusal(self._where, found, "plain data without tags", "write the value itself")

    def _mapping(self, node: Any, depth: int) -> dict[str, JsonValue]:  # noqa: ANN401 # see build
        merged: dict[str, JsonValue] = {}
        own: dict[str, JsonValue] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                found = f"a key that is not text in line {key.start_mark.line + 1}"
                raise _refusal(self._where, found, "keys that are text", "write the key as one word")
            if key.tag == _PREFIX + "merge":
                for layer in reversed(self._layers(value, depth)):
                    merged.update(layer)
            elif key.value in own:
                found = f"the key {key.value!r} a second time in line {key.start_mark.line + 1}"
                raise _refusal(self._where, found, "each key once", "remove one of the two")
            else:
                own[key.value] = self.build(value, depth + 1)
        return {**merged, **own}

    def _layers(self, node: Any, depth: int) -> list[dict[str, JsonValue]]:  # noqa: ANN401 # see build
        built = self.build(node, depth + 1)
        layers = built if isinstance(built, list) else [built]
        if not all(isinstance(layer, dict) for layer in layers):
            found = f"<< with something that is not a mapping in line {node.start_mark.line + 1}"
            raise _refusal(self._where, found, "a mapping, or a list of mappings", "merge only mappings")
        return [layer for layer in layers if isinstance(layer, dict)]

    def _scalar(self, kind: str, node: Any) -> JsonValue:  # noqa: ANN401 # see build
        try:
            match kind:
                case "null":
                    return None
                case "bool":
                    return bool(self._scalars.construct_yaml_bool(node))
                case "int":
                    return _whole(int(self._scalars.construct_yaml_int(node)))
                case "float":
                    return float(self._scalars.construct_yaml_float(node))
                case _:
                    return str(node.value)
        except (ValueError, KeyError, IndexError) as error:
            found = f"{node.value[:40]!r} in line {node.start_mark.line + 1}"
            raise _refusal(self._where, found, f"a value of type {kind}", "mend the value or its tag") from error


def _check_size(text: str, where: str) -> None:
    if len(text) > MAX_BYTES:
        raise _refusal(where, f"{len(text)} characters", f"at most {MAX_BYTES}", "make the file smaller")


def _check_depth(text: str, where: str) -> None:
    # The composer recurses once for each level, in C: the depth has to be known before it starts.
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _refusal(where, f"more than {MAX_DEPTH} levels", "plain data", "flatten the file")
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            depth -= 1


def _check_value(value: object, where: str) -> None:
    level: list[object] = [value]
    count, depth = 0, -1
    while level:
        count, depth = count + len(level), depth + 1
        if count > MAX_VALUES or depth > MAX_DEPTH:
            found = f"more than {MAX_VALUES} values or {MAX_DEPTH} levels"
            raise _refusal(where, found, "plain data", "make the file smaller")
        level = [child for node in level for child in _children(node)]


def _children(node: object) -> Iterable[object]:
    match node:
        case dict():
            return node.values()
        case list():
            return node
        case _:
            return ()


def _unique_pairs(where: str, pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        seen: set[str] = set()
        repeated = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value] # add returns None
        raise _refusal(where, f"the key {repeated!r} twice in one object", "each key once", "remove one of the two")
    return mapping


def _whole(value: int) -> int | float:
    """Return a whole number, infinite where it is beyond floats, as 1e999 is: no trainer could compute with it."""
    if abs(value) <= sys.float_info.max:
        return value
    return math.inf if value > 0 else -math.inf


def _parse_int(text: str) -> int | float:
    return _whole(int(text))


def _without_dates(value: Any) -> JsonValue:  # noqa: ANN401 # tomllib yields dates and times besides JSON values
    match value:
        case dict():
            return {key: _without_dates(child) for key, child in value.items()}
        case list():
            return [_without_dates(child) for child in value]
        case bool() | float() | str():
            return value
        case int():
            return _whole(value)
        case _:
            return str(value)


def _yaml_message(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{problem} in line {mark.line + 1}, column {mark.column + 1}" if mark is not None else str(problem)


def _refusal(where: str, found: str, expected: str, fix: str) -> ConfigurationError:
    problem = Problem(where=where, found=found, expected=expected, fix=fix)
    return ConfigurationError.from_problems([problem], subject="a file")
