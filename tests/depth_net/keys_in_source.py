"""Which keys of the spec the trainer's source reads: found by following variables, so code for GPUs counts."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias, get_args

import depth_net
from depth_net.config.actions import ConvertConfig
from depth_net.config.experiment import ExperimentConfig
from depth_net.config.fields import Section, is_group, kind_of

Kinds: TypeAlias = frozenset[type[Section]]

_WHOLE: Final = ("config", "_config")
"""Names that hold the whole spec wherever nothing else is said."""
_SPLIT_CHOOSER: Final = "split"
"""Method that returns the section of one split."""


def keys_read() -> frozenset[tuple[str, str]]:
    """Return (class, key) of every key that is taken from a part of the spec anywhere in `depth_net`."""
    found: set[tuple[str, str]] = set()
    for file in Path(depth_net.__file__).parent.rglob("*.py"):
        tree, reader = ast.parse(file.read_text(encoding="utf-8")), _Reader()
        reader.visit(tree)
        reader.visit(tree)  # a name may be used above the line that says what it holds
        found |= reader.read
    return frozenset(found)


def groups_of(kind: type[Section]) -> frozenset[type[Section]]:
    """Return a group of keys and all that lie below it."""
    return frozenset({kind}).union(*(groups_of(part) for name in kind.model_fields for part in _parts(kind, name)))


def _parts(kind: type[Section], name: str) -> list[type[Section]]:
    """Return the groups of keys that the value of a key is or holds."""
    hint = kind_of(kind.model_fields[name].annotation) if name in kind.model_fields else None
    return [part for part in (hint, *get_args(hint)) if is_group(part)]


_KINDS: Final = {kind.__name__: kind for root in (ExperimentConfig, ConvertConfig) for kind in groups_of(root)}


@dataclass
class _Reader(ast.NodeVisitor):
    """Follows one file."""

    read: set[tuple[str, str]] = field(default_factory=set)
    holds: dict[str, Kinds] = field(default_factory=dict)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if node.name in _KINDS:
            self.holds["self"] = frozenset({_KINDS[node.name]})
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.read |= {(kind.__name__, node.attr) for kind in self._kinds(node.value)}
        self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        self._believe(node.arg, node.annotation)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._believe(ast.unparse(node.target), node.annotation)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._hold(target, node.value)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self._hold(node.target, node.iter)
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        match node:
            case ast.For(target=ast.Tuple(elts=[_, item]), iter=ast.Call(func=ast.Name(id="enumerate"), args=[items])):
                self._hold(item, items)
            case _:
                self._hold(node.target, node.iter)
        self.generic_visit(node)

    def _kinds(self, node: ast.AST) -> Kinds:
        """Return the groups of keys that an expression may be."""
        held = self.holds.get(ast.unparse(node)) if isinstance(node, ast.Name | ast.Attribute) else None
        return held or self._kinds_by_form(node)

    def _kinds_by_form(self, node: ast.AST) -> Kinds:
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in _WHOLE:
                return frozenset({ExperimentConfig})
            case ast.Attribute(value=inner, attr=name):
                return frozenset(part for kind in self._kinds(inner) for part in _parts(kind, name))
            case ast.Call(func=ast.Name(id="getattr"), args=[inner, *_]):  # any of the groups
                of = ((kind, key) for kind in self._kinds(inner) for key in kind.model_fields)
                return frozenset(part for kind, key in of for part in _parts(kind, key))
            case ast.Call(func=ast.Attribute(attr=name)) if name == _SPLIT_CHOOSER:
                return frozenset({_KINDS["SplitConfig"]})
            case ast.Subscript(value=inner):
                return self._kinds(inner)
            case _:
                return frozenset()

    def _hold(self, target: ast.AST, value: ast.AST) -> None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for one, its in zip(target.elts, value.elts, strict=False):
                self._hold(one, its)
        if kinds := self._kinds(value):
            name = ast.unparse(target)
            self.holds[name] = self.holds.get(name, frozenset()) | kinds

    def _believe(self, name: str, annotation: ast.AST | None) -> None:
        words = [] if annotation is None else [part.id for part in ast.walk(annotation) if isinstance(part, ast.Name)]
        if kinds := frozenset(_KINDS[word] for word in words if word in _KINDS):
            self.holds[name] = self.holds.get(name, frozenset()) | kinds
