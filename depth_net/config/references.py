"""References between keys of a spec: ``${a.b}`` means the value of the key ``a.b``.

Functions such as ``${eval:...}`` are not offered, because a spec is data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from depth_net.config.problems import SpecProblem

if TYPE_CHECKING:
    from depth_net.config.tree import Tree

_REFERENCE = re.compile(r"\$\{([^{}]*)\}")
_DEPTH = 10
"""Longest chain of references that is followed; a longer one is treated as circular."""


def resolve_references(tree: Tree, defaults: Tree, problems: list[SpecProblem]) -> Tree:
    """Return ``tree`` with each ``${a.b}`` replaced by the value of that key, from ``tree``, else from ``defaults``."""
    resolver = _Resolver(sources=(tree, defaults), problems=problems)
    return {key: resolver.resolve(value, key) for key, value in tree.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resolver:
    sources: tuple[Tree, ...]
    problems: list[SpecProblem]

    def resolve(self, value: Any, where: str) -> Any:  # noqa: ANN401 - a node of a YAML tree
        if isinstance(value, dict):
            return {key: self.resolve(item, f"{where}.{key}") for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item, f"{where}[{index}]") for index, item in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        try:
            return self._follow(value, _DEPTH)
        except LookupError:
            problem = SpecProblem(
                where,
                repr(value),
                "${a.b} with the dotted path of another key; functions are not offered",
                "write the value itself",
            )
            self.problems.append(problem)
            return None

    def _follow(self, value: Any, depth: int) -> Any:  # noqa: ANN401 - a node of a YAML tree
        if not isinstance(value, str) or "${" not in value:
            return value
        if depth == 0:
            raise LookupError(value)
        whole = _REFERENCE.fullmatch(value)
        if whole:
            return self._follow(self._value_of(whole[1]), depth - 1)
        replaced = _REFERENCE.sub(lambda match: str(self._value_of(match[1])), value)
        return self._follow(replaced, depth - 1)

    def _value_of(self, path: str) -> Any:  # noqa: ANN401 - a node of a YAML tree
        steps = [step for step in re.split(r"[.\[\]]+", path) if step]
        for source in self.sources:
            node: Any = source
            for step in steps:
                if isinstance(node, list):
                    node = dict(enumerate(node)).get(int(step)) if step.isdigit() else None
                else:
                    node = node.get(step) if isinstance(node, dict) else None
            if node is not None:
                return node
        raise LookupError(path)
