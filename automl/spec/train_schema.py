"""Read a train schema: the dialect of model skills, which looks like JSON Schema and is not.

Types, bounds and options come in many spellings: ``int`` and ``integer``, bounds that are infinite, lists or text,
options with repeats. Each is brought to one form here. A node that cannot be understood stays out of the search and is
named in a warning; only a file that is not JSON or whose root is not an object is refused.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from automl.config_files import read_document
from automl.errors import ConfigurationError
from automl.skill.fields import Findings, as_flag, is_parameter_path, kind_of
from automl.spec.math_cond import MathCondition, parse_math_cond
from automl.spec.model import deep_merge, placed
from automl.spec.schema_nodes import NULLABLE, SEVERAL, Node, PlainNodes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automl.errors import Problem
    from automl.skill.model import JsonValue

_MANDATORY = "???"
_Options: TypeAlias = "tuple[bool | int | float | str | None, ...]"


class SchemaStatus(StrEnum):
    """Whether a skill's schema can be used."""

    VALID = "valid"
    MISSING = "missing"
    UNREADABLE = "unreadable"


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
_KINDS_OF_VALUES: dict[type, LeafKind] = {
    bool: LeafKind.BOOL,
    int: LeafKind.INT,
    float: LeafKind.FLOAT,
    str: LeafKind.TEXT,
    list: LeafKind.LIST,
}
_BLOCKS = {"collection", "object", "dict"}
_NOT_NODES = {"automl_default_parameters", "automl_disabled_parameters", "popular", "required"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaLeaf:
    """One parameter of a train schema.

    Attributes:
        declared_type: The ``type`` as written; empty where there is none.
        minimum: Lowest value; None where missing or infinite, as the maximum.
        is_minimum_open: The minimum itself is excluded.
        choices: Options, in order, without repeats.
        weights: Prior weight of each option; empty for equal weights.
        math_cond: Conditions on the value; None where they cannot be read.
        parents: Paths that ``depends_on`` names.
        is_nullable: It may be null.
        is_enabled: The leaf's own ``automl_enabled``.
        problem: Why its range cannot be trusted; empty where it can.
    """

    path: str
    kind: LeafKind
    declared_type: str = ""
    default: JsonValue = None
    minimum: float | None = None
    maximum: float | None = None
    is_minimum_open: bool = False
    is_maximum_open: bool = False
    choices: _Options = ()
    weights: tuple[float, ...] = ()
    math_cond: MathCondition | None = None
    parents: tuple[str, ...] = ()
    is_nullable: bool = False
    is_enabled: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSchema:
    """A train schema, read.

    Attributes:
        leaves: Parameter path -> leaf, in the order of the file.
        default: The spec that the schema's own defaults make; leaves without a default are absent.
        curated: The root's ``automl_default_parameters``: the space by the authors; empty where there is no such list.
        disabled: Every path of ``automl_disabled_parameters``, anywhere. An exact path, never a prefix.
        effective: Paths that the trainer says it reads (``x_effective_parameters``); None where it does not say.
        warnings: What could not be used.
    """

    leaves: Mapping[str, SchemaLeaf]
    default: Mapping[str, JsonValue] = field(default_factory=lambda: MappingProxyType({}))
    curated: tuple[str, ...] = ()
    disabled: frozenset[str] = frozenset()
    effective: frozenset[str] | None = None
    warnings: tuple[Problem, ...] = ()

    @property
    def flagged(self) -> tuple[str, ...]:
        """Paths of the leaves whose own ``automl_enabled`` is true."""
        return tuple(path for path, leaf in self.leaves.items() if leaf.is_enabled)


def read_train_schema(file: Path) -> TrainSchema:
    """Read a schema file.

    Raises:
        ConfigurationError: it is not JSON, too large, too deep, or its root is not an object.
    """
    document = read_document(file)
    if not isinstance(document, dict):
        found, expected = f"{kind_of(document)}, at the root", "an object with properties"
        fix = "ship a train schema, or train once with --policy off"
        raise ConfigurationError.single("the train schema", where=str(file), found=found, expected=expected, fix=fix)
    return parse_train_schema(document, source=str(file))


def parse_train_schema(document: dict[str, JsonValue], *, source: str) -> TrainSchema:
    """Turn a parsed schema into leaves; what cannot be understood becomes a warning, which names the source."""
    reader = _Reader(source, document)
    reader.read(document)
    leaves, warn = reader.leaves, reader.findings.leave_out
    curated = reader.texts(document.get("automl_default_parameters"), "automl_default_parameters")
    for path in curated:
        if path not in leaves:
            fix = "remove it or add its property"
            warn("automl_default_parameters", repr(path), "a parameter of this schema", fix)
    for path, leaf in leaves.items():
        for parent in leaf.parents:
            if parent not in leaves and f"{path.rpartition('.')[0]}.{parent}" not in leaves:
                fix = "correct the path; where the spec has no such value either, the condition is not kept"
                warn(path, f"depends_on: {parent}", "a parameter of this schema", fix)
    effective = document.get("x_effective_parameters")
    return TrainSchema(
        leaves=MappingProxyType(leaves),
        default=MappingProxyType(_defaults(document, leaves)),
        curated=tuple(dict.fromkeys(path for path in curated if path in leaves)),
        disabled=frozenset(reader.disabled),
        effective=None if effective is None else frozenset(reader.texts(effective, "x_effective_parameters")),
        warnings=tuple(reader.findings.warnings),
    )


def kind_of_value(value: JsonValue) -> LeafKind:
    """Return what a leaf holds by a value of it, where its schema does not say."""
    return _KINDS_OF_VALUES.get(type(value), LeafKind.OTHER)


def _defaults(document: Node, leaves: Mapping[str, SchemaLeaf]) -> dict[str, JsonValue]:
    """Return the nested defaults of the whole schema: its root ``default``, then each leaf's own where missing."""
    root = document.get("default")
    from_leaves: dict[str, JsonValue] = {}
    for path, leaf in leaves.items():
        if leaf.default is not None and leaf.default != _MANDATORY and "[" not in path:
            with contextlib.suppress(IndexError):
                placed(from_leaves, path.split("."), leaf.default)
    return deep_merge(from_leaves, root) if isinstance(root, dict) else from_leaves


class _Reader:
    """Walks a schema and collects leaves, disabled paths and warnings."""

    def __init__(self, source: str, root: Node) -> None:
        self._nodes = PlainNodes(root)
        self.leaves: dict[str, SchemaLeaf] = {}
        self.disabled: set[str] = set()
        self.findings = Findings(source)
        self._warn = self.findings.leave_out

    def texts(self, value: JsonValue, where: str) -> list[str]:
        """Return a list of texts; everything else in it is named in a warning."""
        items = value if isinstance(value, list) else [] if value is None else [value]
        for item in items:
            if not isinstance(item, str):
                self._warn(where, kind_of(item), "a list of parameter paths", "write each path as text")
        return [item for item in items if isinstance(item, str)]

    def read(self, node: Node, path: str = "") -> None:
        """Read a block and everything below it."""
        self.disabled.update(self.texts(node.get("automl_disabled_parameters"), f"{path}.automl_disabled_parameters"))
        properties = node.get("properties")
        if properties is not None and not isinstance(properties, dict):
            found = f"properties: {kind_of(properties)}"
            self._warn(path or "(root)", found, "a mapping of nodes", "correct the block")
            return
        for name, child in (properties or {}).items():
            child_path = f"{path}.{name}" if path else name
            if isinstance(child, dict) and is_parameter_path(child_path):
                self._read_child(child, child_path)
            elif name == "automl_disabled_parameters":
                # The public schemas keep a second list of disabled paths among the properties.
                self.disabled.update(self.texts(child, child_path))
            elif name not in _NOT_NODES:
                self._warn(child_path, kind_of(child), "a node with a type", "correct or remove the property")

    def _read_child(self, node: Node, path: str) -> None:
        node, references = self._nodes.plain(node)
        properties, declared, default = node.get("properties"), _declared_type(node), node.get("default")
        if properties is None and (declared not in _BLOCKS or node.get("enum")):
            self.leaves[path] = self._leaf(node, path, declared)
            return
        around, self._nodes.active = self._nodes.active, self._nodes.active | references
        self.read(node, path)
        self._nodes.active = around
        if not properties and declared in _BLOCKS:
            self.leaves[path] = SchemaLeaf(path=path, kind=LeafKind.OTHER, declared_type=declared, default=default)

    def _leaf(self, node: Node, path: str, declared: str) -> SchemaLeaf:
        kind = self._kind(node, path, declared)
        choices, weights = self._choices(node, path)
        parents = self._parents(node, path)
        condition = parse_math_cond(node.get("math_cond"), has_parent=bool(parents))
        multiple = _number(node.get("multipleOf"))
        if condition is not None and condition.multiple_of is None and multiple and 0 < multiple < math.inf:
            condition = replace(condition, multiple_of=multiple)
        low, is_low_open = self._bound(node, path, "minimum", "exclusiveMinimum")
        high, is_high_open = self._bound(node, path, "maximum", "exclusiveMaximum")
        problem = ""
        if node.get(SEVERAL) and not choices:
            problem = f"it may be {node[SEVERAL]}, and nothing says which"
        elif not isinstance(_options(node), list | None):
            problem = "its options cannot be read"
        elif condition is None:
            problem = f"its math_cond {repr(node.get('math_cond'))[:80]} cannot be read"
        elif low is not None and high is not None and low > high:
            problem = f"its minimum {low:g} is above its maximum {high:g}"
        is_enabled = as_flag(node.get("automl_enabled"))
        if problem or is_enabled is None:
            found = problem or f"automl_enabled: {kind_of(node.get('automl_enabled'))}"
            self._warn(path, found, "a node that can be understood", "it is not searched; correct the node")
        return SchemaLeaf(
            path=path,
            kind=LeafKind.CATEGORICAL if kind is LeafKind.TEXT and choices else kind,
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
            is_nullable=node.get(NULLABLE) is True,
            is_enabled=is_enabled is True,
            problem=problem,
        )

    def _kind(self, node: Node, path: str, declared: str) -> LeafKind:
        if not declared:
            return kind_of_value(node.get("default"))
        if declared in _KINDS or declared.startswith("list_"):
            return _KINDS.get(declared, LeafKind.LIST)
        fix = "its value is kept, it is not searched"
        self._warn(path, f"the type {declared!r}", ", ".join(sorted(_KINDS)), fix)
        return LeafKind.OTHER

    def _choices(self, node: Node, path: str) -> tuple[_Options, tuple[float, ...]]:
        options = _options(node)
        if options is None:
            return (), ()
        if not isinstance(options, list):
            self._warn(path, f"enum: {kind_of(options)}", "a list of options", "write the options as a list")
            return (), ()
        # True == 1 == 1.0, and each is an option of its own.
        kept: dict[tuple[type, object], bool | int | float | str | None] = {}
        for option in options:
            if isinstance(option, dict | list) or (isinstance(option, float) and not math.isfinite(option)):
                self._warn(path, f"the option {kind_of(option)}", "a plain, finite value", "remove the option")
            else:
                kept.setdefault((type(option), option), option)
        choices = tuple(kept.values())
        weights = node.get("option_weights")
        numbers = [_number(weight) for weight in weights] if isinstance(weights, list) else []
        usable = [number for number in numbers if number is not None and 0 <= number < math.inf]
        if weights is None or (len(usable) == len(numbers) == len(choices) and sum(usable) > 0):
            return choices, tuple(usable)
        expected = "one weight >= 0 for each option, not all 0"
        self._warn(path, f"option_weights: {weights!r}", expected, "all options count the same; correct the weights")
        return choices, ()

    def _bound(self, node: Node, path: str, key: str, open_key: str) -> tuple[float | None, bool]:
        """Return a bound, and whether it is excluded."""
        bound = self._number_at(node, path, key)
        # Draft 4 of JSON Schema writes exclusiveMinimum: true, later drafts write the number itself.
        opened = node.get(open_key)
        if isinstance(opened, bool):
            return bound, opened and bound is not None
        other = self._number_at(node, path, open_key)
        if other is None or bound is None:
            return (bound, False) if other is None else (other, True)
        is_tighter = other >= bound if key == "minimum" else other <= bound
        return (other, True) if is_tighter else (bound, False)

    def _number_at(self, node: Node, path: str, key: str) -> float | None:
        value = node.get(key)
        if isinstance(value, list) and isinstance(node.get("default"), list):
            return None
        number = _number(value)
        # An infinite bound on its own side is none; on the other one no number is left, such as above 10**400.
        wrong = math.inf if "min" in key.lower() else -math.inf
        if value is not None and (number is None or math.isnan(number) or number == wrong):
            expected = "a number that floats can hold" if number == wrong else "a number"
            self._warn(path, f"{key}: {kind_of(value)}", expected, "the bound counts as missing; correct it")
        return number if number is not None and math.isfinite(number) else None

    def _parents(self, node: Node, path: str) -> tuple[str, ...]:
        value = node.get("depends_on")
        listed = value.split(",") if isinstance(value, str) else self.texts(value, f"{path}.depends_on")
        parents = list(dict.fromkeys(parent.strip() for parent in listed if parent.strip()))
        for parent in parents:
            if not is_parameter_path(parent):
                self._warn(path, f"depends_on: {parent!r}", "a parameter path", "correct the path")
        return tuple(parent for parent in parents if is_parameter_path(parent))


def _options(node: Node) -> JsonValue:
    return node.get("enum", node.get("valid_options"))


def _declared_type(node: Node) -> str:
    declared = node.get("type")
    return declared.strip().lower() if isinstance(declared, str) else ""


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
