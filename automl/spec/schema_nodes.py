"""Bring a node of a train schema to one form: references, alternatives and constants as pydantic writes them.

``Optional[float]`` is an ``anyOf`` of a type with bounds and null, a nested model or an enumeration a ``$ref`` into
``$defs``. A node with two real alternatives stays what it is and is named: nobody can say which one counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from automl.skill.model import JsonValue

Node: TypeAlias = "dict[str, JsonValue]"

SEVERAL = "x_several_types"
"""Key of a node that `plain_node` could not bring to one form: what it may be."""
NULLABLE = "x_nullable"
"""Key of a node that may be null."""
_MOST_REFERENCES = 100
_LIMITS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "enum")


class PlainNodes:
    """Makes the nodes below one root plain; ``active`` are the references that the blocks around a node came from."""

    def __init__(self, root: Node) -> None:
        self.active: frozenset[str] = frozenset()
        self._root = root
        self._followed: list[str] = []

    def plain(self, node: Node) -> tuple[Node, frozenset[str]]:
        """Return a node without ``$ref``, ``allOf``, ``anyOf``, ``oneOf`` and ``const``, and the references in it.

        Its own keys win; of bounds and options counts what both admit. A node that leads back to a block around it is
        named like one with several types.
        """
        self._followed = []
        return self._plain(node, self.active), frozenset(self._followed)

    def _plain(self, node: Node, active: frozenset[str]) -> Node:
        merged = dict(node)
        reference = merged.pop("$ref", None)
        if isinstance(reference, str):
            if reference in active or len(self._followed) >= _MOST_REFERENCES:
                return {**merged, SEVERAL: "a reference to itself"}
            self._followed.append(reference)
            active |= {reference}
            merged = _both(self._plain(_target(reference, self._root), active), merged)
        for part in _nodes(merged, "allOf"):
            merged = _both(self._plain(part, active), merged)
        for key in ("anyOf", "oneOf"):
            alternatives = _nodes(merged, key)
            if alternatives:
                merged = _both(_joined([self._plain(one, active) for one in alternatives]), merged)
        if "const" in merged and "enum" not in merged:
            merged["enum"] = [merged.pop("const")]
        declared = merged.get("type")
        if isinstance(declared, list):
            del merged["type"]
            merged = {**_joined([{"type": one} for one in declared if isinstance(one, str)]), **merged}
        return merged


def _both(inner: Node, outer: Node) -> Node:
    """Return two nodes that both hold as one: the tighter bounds, the common options, else the outer one's keys."""
    merged = {**inner, **outer}
    for keys, tighter in ((("minimum", "exclusiveMinimum"), max), (("maximum", "exclusiveMaximum"), min)):
        for key in keys:
            bounds = [node[key] for node in (inner, outer) if key in node]
            numbers = [bound for bound in bounds if isinstance(bound, int | float) and not isinstance(bound, bool)]
            if len(numbers) > 1:
                merged[key] = tighter(numbers)
    options, others = inner.get("enum"), outer.get("enum")
    if isinstance(options, list) and isinstance(others, list):
        merged["enum"] = [option for option in others if option in options]
    return merged


def _nodes(node: Node, key: str) -> list[Node]:
    """Take the nodes of a list out of a node."""
    listed = node.pop(key, None)
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _target(reference: str, root: Node) -> Node:
    found: JsonValue = root
    for step in reference.removeprefix("#/").split("/"):
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _joined(branches: list[Node]) -> Node:
    """Return alternatives as one node: one type, null beside it, or a union of options."""
    real = [branch for branch in branches if branch.get("type") != "null" and branch.get("enum") != [None]]
    nullable: Node = {NULLABLE: True} if len(real) < len(branches) else {}
    options = [branch.get("enum") for branch in real]
    if len(real) > 1 and all(isinstance(one, list) for one in options):
        listed = [option for one in options if isinstance(one, list) for option in one]
        return {**real[0], **nullable, "enum": listed}
    if len({str(branch) for branch in real}) == 1:
        return {**real[0], **nullable}
    # A list is one number for each part, and a whole number without bounds of its own is a number too.
    numbers = [branch for branch in real if _type(branch) in {"number", "float"}]
    if len(numbers) == 1 and all(one is numbers[0] or _is_like(one, numbers[0]) for one in real):
        return {**numbers[0], **nullable}
    if not real:
        return nullable
    names = [str(branch.get("type") or branch.get("title") or "something else") for branch in real]
    return {**nullable, SEVERAL: " or ".join(dict.fromkeys(names))}


def _type(branch: Node) -> str:
    """Return the type of a node as text: what a schema states in its place may be anything."""
    return str(branch.get("type"))


def _is_like(branch: Node, number: Node) -> bool:
    if _type(branch) in {"array", "list"}:
        return True
    return _type(branch) in {"integer", "int"} and all(branch.get(key) == number.get(key) for key in _LIMITS)
