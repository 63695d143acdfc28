"""A parameter path and a spec: the nested configuration of one action, with the origin of every value.

Paths are dotted, with list indices: ``dataset.train_dataset.data_sources[0].data_file``. Values are written exactly:
ints stay ints, text stays text. Building a spec from its layers is in `automl.spec.build`.
"""

from __future__ import annotations

import copy
import itertools
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from automl.skill.model import JsonValue

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True, slots=True, order=True)
class ParameterPath:
    """Where a value lies in a spec.

    Attributes:
        text: The dotted form, e.g. ``train.optim.lr`` or ``train.classify.cls_weight[1]``.

    Raises:
        ValueError: the text is empty or is not a sequence of names and indices.
    """

    text: str

    def __post_init__(self) -> None:
        rebuilt = ""
        for step in self.steps:
            rebuilt += f"[{step}]" if isinstance(step, int) else f".{step}" if rebuilt else step
        if not self.text or rebuilt != self.text:
            message = f"{self.text!r} is not a parameter path such as train.optim.lr or model.sizes[0]"
            raise ValueError(message)

    @property
    def steps(self) -> tuple[str | int, ...]:
        """Names and list indices, from the root."""
        return tuple(match[1] if match[1] is not None else int(match[2]) for match in _STEP.finditer(self.text))

    def __str__(self) -> str:
        return self.text


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
        """
        node: JsonValue = self.values
        for step in ParameterPath(path).steps:
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
        except KeyError:
            return False
        return True

    def first_of(self, paths: Iterable[str]) -> str | None:
        """Return the first of some paths at which a value lies; None if there is none."""
        return next((path for path in paths if self.has(path)), None)

    def count(self, path: str) -> int | None:
        """Return the positive whole number at a path; None if anything else lies there."""
        value = self.get(path) if self.has(path) else None
        return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None

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
            _place(values, ParameterPath(path), copy.deepcopy(value))
            if isinstance(value, dict):
                origins.update({f"{path}.{leaf}": origin for leaf, _ in iterate_leaves(value)})
            else:
                origins[path] = origin
        return Spec(values=values, origins=MappingProxyType(origins))


def lay_over(spec: Spec, values: Mapping[str, JsonValue], origin: str) -> Spec:
    """Return the spec with every value at its path.

    Args:
        spec: What lies below.
        values: Parameter path -> value.
        origin: Name of the layer, for the spec's record of origins and for problems.

    Raises:
        ConfigurationError: a path leads through a value that is neither a mapping nor a list; with every such path.
    """
    try:
        return spec.with_values(values, origin=origin)
    except ValueError:
        problems = [problem for path, value in values.items() if (problem := _path_problem(spec, path, value, origin))]
        if not problems:
            # Each path fits by itself and two of them contradict each other.
            problems = [_layer_problem(origin, ", ".join(values), "paths that contradict each other")]
        raise ConfigurationError.from_problems(problems, subject="the spec") from None


def _path_problem(spec: Spec, path: str, value: JsonValue, origin: str) -> Problem | None:
    try:
        spec.with_values({path: value}, origin=origin)
    except ValueError as error:
        return _layer_problem(origin, path, str(error))
    return None


def _layer_problem(origin: str, path: str, found: str) -> Problem:
    return Problem(where=f"{origin}: {path}", found=found, expected="a path that fits the spec", fix="correct the path")


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


def _place(root: dict[str, JsonValue], path: ParameterPath, value: JsonValue) -> None:
    steps = path.steps
    node: JsonValue = root
    for here, following in itertools.pairwise(steps):
        empty: JsonValue = [] if isinstance(following, int) else {}
        node = _child(node, here, empty, path)
    last = steps[-1]
    if isinstance(last, str) and isinstance(node, dict):
        existing = node.get(last)
        is_merge = isinstance(existing, dict) and isinstance(value, dict)
        node[last] = deep_merge(existing, value) if is_merge else value  # type: ignore[arg-type] # both are mappings here
    elif isinstance(last, int) and isinstance(node, list) and last <= len(node):
        node[last : last + 1] = [value]
    else:
        message = f"{path} cannot be set: {last!r} does not fit what lies above it"
        raise ValueError(message)


def _child(node: JsonValue, step: str | int, empty: JsonValue, path: ParameterPath) -> JsonValue:
    if isinstance(step, str) and isinstance(node, dict):
        if node.get(step) is None:
            node[step] = empty
        return node[step]
    if isinstance(step, int) and isinstance(node, list) and step <= len(node):
        if step == len(node):
            node.append(empty)
        return node[step]
    message = f"{path} cannot be set: {step!r} does not fit what lies above it"
    raise ValueError(message)
