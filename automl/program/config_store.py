"""The dataclasses and mappings that a Hydra program gives to its `ConfigStore`, read from its source.

Nothing is imported: a value that is no plain constant of the source is None.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from automl.config_files import JsonValue

_ARGUMENTS = ("name", "node", "group")


class ConfigStore:
    """What modules store: (group, name) -> values; the group of the main configuration is empty."""

    def __init__(self, trees: Sequence[ast.Module]) -> None:
        nodes = [node for tree in trees for node in ast.walk(tree)]
        self._classes = {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}
        self._assigned: dict[str, ast.expr] = {}
        for node in (node for tree in trees for node in tree.body):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self._assigned[node.targets[0].id] = node.value
        self._stored = dict(self._entries(node for node in nodes if isinstance(node, ast.Call)))

    def _entries(self, calls: Iterable[ast.Call]) -> Iterable[tuple[tuple[str, str], ast.expr]]:
        for call in calls:
            if isinstance(call.func, ast.Attribute) and call.func.attr == "store":
                given = dict(zip(_ARGUMENTS, call.args, strict=False)) | _keywords(call)
                name, group = self._plain(given.get("name")), self._plain(given.get("group"))
                if isinstance(name, str) and "node" in given:
                    yield (group if isinstance(group, str) else "", name), given["node"]

    def options(self, group: str) -> list[str]:
        """Return the names that a group has."""
        return [name for stored, name in self._stored if stored == group]

    def get(self, group: str, name: str) -> dict[str, JsonValue] | None:
        """Return the values of an entry; None where there is none."""
        value = self._plain(self._stored.get((group, name)))
        return value if isinstance(value, dict) else None

    def _plain(self, node: ast.expr | None) -> JsonValue:
        """Return the plain data of an expression: of a dataclass its defaults, of ``field(...)`` what it makes."""
        match node:
            case ast.Name(id=name):
                return self._fields(name, {}) if name in self._classes else self._plain(self._assigned.get(name))
            case ast.Call(func=ast.Name(id=name)) if name in self._classes:
                return self._fields(name, _keywords(node))
            case ast.Call():
                given = _keywords(node)
                return self._plain(given.get("default_factory", given.get("default")))
            case ast.Lambda(body=body):
                return self._plain(body)
            case _:
                return self._literal(node)

    def _literal(self, node: ast.expr | None) -> JsonValue:
        match node:
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [self._plain(item) for item in items]
            case ast.Dict(keys=keys, values=values):
                return {str(self._plain(key)): self._plain(value) for key, value in zip(keys, values, strict=True)}
            case ast.Constant(value=bool() | int() | float() | str() as value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                return -value
            case _:
                return None

    def _fields(self, name: str, given: Mapping[str, ast.expr]) -> dict[str, JsonValue]:
        node = self._classes[name]
        values: dict[str, JsonValue] = {}
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in self._classes and base.id != name:
                values |= self._fields(base.id, given)
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                value = self._plain(given.get(item.target.id, item.value))
                is_whole = isinstance(value, int) and not isinstance(value, bool)
                is_float = is_whole and "float" in ast.unparse(item.annotation)
                values[item.target.id] = float(str(value)) if is_float else value
        return values


def _keywords(call: ast.Call) -> dict[str, ast.expr]:
    return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
