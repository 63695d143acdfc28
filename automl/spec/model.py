"""A spec: the nested configuration of one action, with the origin of every value.

Values lie at parameter paths: dotted, with list indices, such as ``dataset.train_dataset.data_sources[0].data_file``.
They are written exactly: ints stay ints, text stays text. Building a spec from its layers is in `automl.spec.build`.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError
from automl.skill.fields import Findings, is_number, is_parameter_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from automl.skill.model import JsonValue

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The configuration of one action.

    Attributes:
        values: The nested values. Never change them in place; `with_values` gives a changed copy.
        origins: Parameter path -> the layer that set it last: ``template``, ``key_defaults``, ``override``, ...
    """

    values: dict[str, JsonValue]
    origins: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def get(self, path: str) -> JsonValue:
        """Return the value at a path.

        Raises:
            KeyError: nothing is there.
            ValueError: the text is no parameter path.
        """
        node: JsonValue = self.values
        for step in _steps(path):
            match node, step:
                case list(), int() if step < len(node):
                    node = node[step]
                case dict(), str() if step in node:
                    node = node[step]
                case _:
                    raise KeyError(path)
        return node

    def has(self, path: str) -> bool:
        """Return whether a value, None included, lies at the path."""
        try:
            self.get(path)
        except (KeyError, ValueError):
            return False
        return True

    def first_of(self, paths: Iterable[str]) -> str | None:
        """Return the first of some paths at which a value lies; None if there is none."""
        return next((path for path in paths if self.has(path)), None)

    def count(self, path: str) -> int | None:
        """Return the positive whole number at a path; None if anything else lies there."""
        value = self.get(path) if self.has(path) else None
        return value if is_number(value) and isinstance(value, int) and value > 0 else None

    def with_values(self, assignments: Mapping[str, JsonValue], *, origin: str) -> Spec:
        """Return a copy in which each path has its value; missing levels are created.

        A mapping value is merged into what is there, any other value replaces it. A list grows to hold an index one
        past its end.

        Raises:
            ValueError: a path leads through something that is neither a mapping nor a list, or past the end of a list.
        """
        values = copy.deepcopy(self.values)
        origins = dict(self.origins)
        for path, value in assignments.items():
            try:
                placed(values, _steps(path), copy.deepcopy(value))
            except IndexError as error:
                raise ValueError(f"{path} cannot be set: {error}") from error
            if isinstance(value, dict):
                origins.update({f"{path}.{leaf}": origin for leaf, _ in iterate_leaves(value)})
            else:
                origins[path] = origin
        return Spec(values=values, origins=MappingProxyType(origins))


def lay_over(spec: Spec, values: Mapping[str, JsonValue], origin: str) -> Spec:
    """Return the spec with every value at its path; ``origin`` names the layer.

    Raises:
        ConfigurationError: a path leads through a value that is neither a mapping nor a list; with every such path.
    """
    try:
        return spec.with_values(values, origin=origin)
    except ValueError:
        found, expected, fix = Findings(origin), "a path that fits the spec", "correct the path"
        for path, value in values.items():
            try:
                spec.with_values({path: value}, origin=origin)
            except ValueError as error:
                found.reject(path, str(error), expected, fix)
        if not found.problems:
            # Each path fits by itself and two of them contradict each other.
            found.reject(", ".join(values), "paths that contradict each other", expected, fix)
        raise ConfigurationError.from_problems(found.problems, subject="the spec") from None


def iterate_leaves(values: dict[str, JsonValue], prefix: str = "") -> Iterator[tuple[str, JsonValue]]:
    """Yield every leaf of nested mappings as (dotted path, value). Lists and empty mappings are leaves."""
    for key, value in values.items():
        path = f"{prefix}.{key}" if prefix else key
        if isinstance(value, dict) and value:
            yield from iterate_leaves(value, path)
        else:
            yield path, value


def deep_merge(base: dict[str, JsonValue], update: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return a copy of ``base`` with ``update`` laid over it; mappings merge, everything else is replaced."""
    merged = copy.deepcopy(base)
    for key, value in update.items():
        existing = merged.get(key)
        if isinstance(existing, dict) and isinstance(value, dict):
            merged[key] = deep_merge(existing, value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def placed(node: JsonValue, steps: Sequence[str | int], value: JsonValue) -> JsonValue:
    """Put a value below a node, in place, and return the node; where there is none, it is made.

    Raises:
        IndexError: a step leads through something that is neither a mapping nor a list, or past the end of a list.
    """
    if not steps:
        return deep_merge(node, value) if isinstance(node, dict) and isinstance(value, dict) else value
    step, *rest = steps
    if node is None:
        node = [] if isinstance(step, int) else {}
    if isinstance(step, str) and isinstance(node, dict):
        node[step] = placed(node.get(step), rest, value)
    elif isinstance(step, int) and isinstance(node, list) and step <= len(node):
        below = node[step] if rest and step < len(node) else None
        node[step : step + 1] = [placed(below, rest, value)]
    else:
        raise IndexError(f"{step!r} does not fit what lies above it")
    return node


def _steps(path: str) -> tuple[str | int, ...]:
    """Return the names and list indices of a path, from the root."""
    if not is_parameter_path(path):
        raise ValueError(f"{path!r} is not a parameter path such as train.optim.lr or model.sizes[0]")
    return tuple(match[1] if match[1] is not None else int(match[2]) for match in _STEP.finditer(path))
