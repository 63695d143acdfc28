"""Read the nodes of a train schema one by one; no node raises an error.

Types, bounds and options come in many spellings: ``int`` and ``integer``, bounds that are infinite, lists or text,
options with repeats. Each is brought to one form here, or named in a warning.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from automl.errors import Problem
from automl.skill.fields import as_flag, is_parameter_path, kind_of
from automl.spec.math_cond import MathCondition, parse_math_cond
from automl.spec.model import deep_merge

if TYPE_CHECKING:
    from automl.skill.model import JsonValue

_MANDATORY = "???"


class LeafKind(StrEnum):
    """What a leaf holds, after all spellings."""

    FLOAT = "float"
    INT = "int"
    BOOL = "bool"
    CATEGORICAL = "categorical"
    TEXT = "text"
    LIST = "list"
    OTHER = "other"


_KINDS = {
    **dict.fromkeys(("float", "number", "double"), LeafKind.FLOAT),
    **dict.fromkeys(("int", "integer", "ordered_int"), LeafKind.INT),
    **dict.fromkeys(("bool", "boolean"), LeafKind.BOOL),
    **dict.fromkeys(("string", "str", "categorical", "ordered"), LeafKind.TEXT),
    **dict.fromkeys(("list", "array", "subset_list", "optional_list"), LeafKind.LIST),
}
_BLOCKS = {"collection", "object", "dict"}
_NOT_NODES = {"automl_default_parameters", "automl_disabled_parameters", "popular", "required"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaLeaf:
    """One parameter of a train schema.

    Attributes:
        path: Its parameter path.
        kind: What it holds.
        declared_type: The ``type`` as written; empty where there is none.
        default: The schema's default; None where there is none.
        minimum: Lowest value; None where missing or minus infinity.
        maximum: Highest value; None where missing or infinite.
        is_minimum_open: The minimum itself is excluded.
        is_maximum_open: The maximum itself is excluded.
        choices: Options, in order, without repeats.
        weights: Prior weight of each option; empty for equal weights.
        math_cond: Conditions on the value; None where there are none.
        parents: Paths that ``depends_on`` names.
        is_enabled: The leaf's own ``automl_enabled``.
        problem: Why its range cannot be trusted; empty where it can.
        description: The author's words.
    """

    path: str
    kind: LeafKind
    declared_type: str = ""
    default: JsonValue = None
    minimum: float | None = None
    maximum: float | None = None
    is_minimum_open: bool = False
    is_maximum_open: bool = False
    choices: tuple[bool | int | float | str | None, ...] = ()
    weights: tuple[float, ...] = ()
    math_cond: MathCondition | None = None
    parents: tuple[str, ...] = ()
    is_enabled: bool = False
    problem: str = ""
    description: str = ""


class NodeReader:
    """Walks a schema and collects leaves, disabled paths and warnings.

    Args:
        source: Named in warnings.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self.leaves: dict[str, SchemaLeaf] = {}
        self.disabled: set[str] = set()
        self.warnings: list[Problem] = []

    def warn(self, where: str, found: str, expected: str, fix: str) -> None:
        """Record something that cannot be used."""
        place = f"{self._source}: {where}"
        self.warnings.append(Problem(where=place, found=found, expected=expected, fix=fix))

    def texts(self, value: JsonValue, where: str) -> list[str]:
        """Return a list of texts; everything else in it is named in a warning."""
        items = value if isinstance(value, list) else [] if value is None else [value]
        for item in items:
            if not isinstance(item, str):
                self.warn(where, kind_of(item), "a list of parameter paths", "write each path as text")
        return [item for item in items if isinstance(item, str)]

    def read(self, node: dict[str, JsonValue], path: str = "") -> None:
        """Read a block and everything below it."""
        self.disabled.update(self.texts(node.get("automl_disabled_parameters"), f"{path}.automl_disabled_parameters"))
        properties = node.get("properties")
        if properties is not None and not isinstance(properties, dict):
            self.warn(path or "(root)", f"properties: {kind_of(properties)}", "a mapping of nodes", "correct the block")
            return
        for name, child in (properties or {}).items():
            child_path = f"{path}.{name}" if path else name
            if isinstance(child, dict) and is_parameter_path(child_path):
                self._read_child(child, child_path)
            elif name == "automl_disabled_parameters":
                # The public schemas keep a second list of disabled paths among the properties.
                self.disabled.update(self.texts(child, child_path))
            elif name not in _NOT_NODES:
                self.warn(child_path, kind_of(child), "a node with a type", "correct or remove the property")

    def defaults(self, document: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """Return the nested defaults of the whole schema: its root ``default``, then each leaf's own where missing."""
        root = document.get("default")
        from_leaves: dict[str, JsonValue] = {}
        for path, leaf in self.leaves.items():
            if leaf.default is not None and leaf.default != _MANDATORY and "[" not in path:
                _insert(from_leaves, path.split("."), leaf.default)
        return deep_merge(from_leaves, root) if isinstance(root, dict) else from_leaves

    def _read_child(self, node: dict[str, JsonValue], path: str) -> None:
        properties = node.get("properties")
        declared = _declared_type(node)
        if properties is not None or (declared in _BLOCKS and not node.get("enum")):
            self.read(node, path)
            if not properties and declared in _BLOCKS:
                self.leaves[path] = SchemaLeaf(
                    path=path, kind=LeafKind.OTHER, declared_type=declared, default=node.get("default")
                )
        else:
            self.leaves[path] = self._leaf(node, path, declared)

    def _leaf(self, node: dict[str, JsonValue], path: str, declared: str) -> SchemaLeaf:
        kind = self._kind(node, path, declared)
        choices, weights = self._choices(node, path)
        if kind is LeafKind.TEXT and choices:
            kind = LeafKind.CATEGORICAL
        parents = self._parents(node, path)
        condition = parse_math_cond(node.get("math_cond"), has_parent=bool(parents))
        low, is_low_open = self._bound(node, path, "minimum", "exclusiveMinimum")
        high, is_high_open = self._bound(node, path, "maximum", "exclusiveMaximum")
        problem = ""
        if condition is None:
            problem = f"its math_cond {node.get('math_cond')!r} cannot be read"
        elif low is not None and high is not None and low > high:
            problem = f"its minimum {low:g} is above its maximum {high:g}"
        is_enabled = as_flag(node.get("automl_enabled"))
        if problem or is_enabled is None:
            found = problem or f"automl_enabled: {kind_of(node.get('automl_enabled'))}"
            self.warn(path, found, "a node that can be understood", "it is not searched; correct the node")
        description = node.get("description")
        return SchemaLeaf(
            path=path,
            kind=kind,
            declared_type=declared,
            default=node.get("default"),
            minimum=low,
            maximum=high,
            is_minimum_open=is_low_open,
            is_maximum_open=is_high_open,
            choices=choices,
            weights=weights,
            math_cond=condition,
            parents=parents,
            is_enabled=is_enabled is True,
            problem=problem,
            description=description if isinstance(description, str) else "",
        )

    def _kind(self, node: dict[str, JsonValue], path: str, declared: str) -> LeafKind:
        if declared in _KINDS:
            return _KINDS[declared]
        if declared.startswith("list_"):
            return LeafKind.LIST
        if declared:
            self.warn(
                path, f"the type {declared!r}", ", ".join(sorted(_KINDS)), "its value is kept, it is not searched"
            )
            return LeafKind.OTHER
        return kind_of_value(node.get("default"))

    def _choices(
        self, node: dict[str, JsonValue], path: str
    ) -> tuple[tuple[bool | int | float | str | None, ...], tuple[float, ...]]:
        options = node.get("enum", node.get("valid_options"))
        if options is None:
            return (), ()
        if not isinstance(options, list):
            self.warn(path, f"enum: {kind_of(options)}", "a list of options", "write the options as a list")
            return (), ()
        choices: list[bool | int | float | str | None] = []
        for option in options:
            if isinstance(option, dict | list) or (isinstance(option, float) and not math.isfinite(option)):
                self.warn(path, f"the option {kind_of(option)}", "a plain, finite value", "remove the option")
            elif not any(option == known and type(option) is type(known) for known in choices):
                choices.append(option)
        weights = node.get("option_weights")
        if weights is None:
            return tuple(choices), ()
        numbers = [_number(weight) for weight in weights] if isinstance(weights, list) else []
        usable = [number for number in numbers if number is not None and 0 <= number < math.inf]
        if len(usable) != len(choices) or len(numbers) != len(choices) or sum(usable) <= 0:
            expected = "one weight >= 0 for each option, not all 0"
            self.warn(path, f"option_weights: {weights!r}", expected, "all options count the same; correct the weights")
            return tuple(choices), ()
        return tuple(choices), tuple(usable)

    def _bound(self, node: dict[str, JsonValue], path: str, key: str, open_key: str) -> tuple[float | None, bool]:
        bound = self._number_at(node, path, key)
        # Draft 4 of JSON Schema writes exclusiveMinimum: true, later drafts write the number itself.
        opened = node.get(open_key)
        if opened is True:
            return bound, bound is not None
        other = self._number_at(node, path, open_key) if opened is not False else None
        if other is None:
            return bound, False
        if bound is None:
            return other, True
        is_tighter = other >= bound if key == "minimum" else other <= bound
        return (other, True) if is_tighter else (bound, False)

    def _number_at(self, node: dict[str, JsonValue], path: str, key: str) -> float | None:
        value = node.get(key)
        if isinstance(value, list) and isinstance(node.get("default"), list):
            return None
        number = _number(value)
        if value is not None and (number is None or math.isnan(number)):
            self.warn(path, f"{key}: {kind_of(value)}", "a number", "the bound counts as missing; correct it")
        return number if number is not None and math.isfinite(number) else None

    def _parents(self, node: dict[str, JsonValue], path: str) -> tuple[str, ...]:
        value = node.get("depends_on")
        listed = value.split(",") if isinstance(value, str) else self.texts(value, f"{path}.depends_on")
        parents = [parent.strip() for parent in listed if parent.strip()]
        for parent in parents:
            if not is_parameter_path(parent):
                self.warn(path, f"depends_on: {parent!r}", "a parameter path", "correct the path")
        return tuple(parent for parent in parents if is_parameter_path(parent))


def _declared_type(node: dict[str, JsonValue]) -> str:
    declared = node.get("type")
    if isinstance(declared, list):
        declared = next((item for item in declared if item != "null"), None)
    options = node.get("anyOf") or node.get("oneOf")
    if declared is None and isinstance(options, list):
        found = [option.get("type") for option in options if isinstance(option, dict)]
        declared = next((item for item in found if isinstance(item, str) and item != "null"), None)
    return declared.strip().lower() if isinstance(declared, str) else ""


def kind_of_value(value: JsonValue) -> LeafKind:
    """Return what a leaf holds by a value of it, where its schema does not say."""
    match value:
        case bool():
            return LeafKind.BOOL
        case int():
            return LeafKind.INT
        case float():
            return LeafKind.FLOAT
        case str():
            return LeafKind.TEXT
        case list():
            return LeafKind.LIST
        case _:
            return LeafKind.OTHER


def _number(value: JsonValue) -> float | None:
    """Read a number, also from text such as ``1e-5``; booleans are none, and ints beyond floats are infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:
        return math.inf if not isinstance(value, str) and value > 0 else -math.inf


def _insert(root: dict[str, JsonValue], steps: list[str], value: JsonValue) -> None:
    node = root
    for step in steps[:-1]:
        child = node.setdefault(step, {})
        if not isinstance(child, dict):
            return
        node = child
    node[steps[-1]] = value
