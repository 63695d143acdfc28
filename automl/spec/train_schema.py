"""Read a train schema: the dialect of model skills, which looks like JSON Schema and is not.

Whatever the file holds, reading it gives leaves and warnings, never an exception of its own; only a file that is not
JSON or whose root is not an object is refused. A node that cannot be understood stays out of the search and is named in
a warning. What is searched is decided in `automl.space.build`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.config_files import read_document
from automl.errors import ConfigurationError, Problem
from automl.skill.fields import kind_of
from automl.spec.schema_nodes import LeafKind, NodeReader, SchemaLeaf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automl.skill.model import JsonValue

__all__ = ["LeafKind", "SchemaLeaf", "SchemaStatus", "TrainSchema", "parse_train_schema", "read_train_schema"]


class SchemaStatus(StrEnum):
    """Whether a skill's schema can be used."""

    VALID = "valid"
    MISSING = "missing"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSchema:
    """A train schema, read.

    Attributes:
        source: The file, for messages.
        leaves: Parameter path -> leaf, in the order of the file.
        default: The spec that the schema's own defaults make; leaves without a default are absent.
        curated: The root's ``automl_default_parameters``: the space by the authors; empty where there is no such list.
        disabled: Every path of ``automl_disabled_parameters``, anywhere. An exact path, never a prefix.
        effective: Paths that the trainer says it reads (``x_effective_parameters``); None where it does not say.
        warnings: What could not be used.
    """

    source: str
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
        problem = Problem(
            where=str(file),
            found=f"{kind_of(document)}, at the root",
            expected="an object with properties",
            fix="ship a train schema, or train once with --policy off",
        )
        raise ConfigurationError.from_problems([problem], subject="the train schema")
    return parse_train_schema(document, source=str(file))


def parse_train_schema(document: dict[str, JsonValue], *, source: str) -> TrainSchema:
    """Turn a parsed schema into leaves; what cannot be understood becomes a warning.

    Args:
        document: The schema's root.
        source: Named in warnings.
    """
    reader = NodeReader(source)
    reader.read(document)
    curated = reader.texts(document.get("automl_default_parameters"), "automl_default_parameters")
    effective = document.get("x_effective_parameters")
    for path in curated:
        if path not in reader.leaves:
            reader.warn(
                "automl_default_parameters", repr(path), "a parameter of this schema", "remove it or add its property"
            )
    for path, leaf in reader.leaves.items():
        for parent in leaf.parents:
            if parent not in reader.leaves and f"{path.rpartition('.')[0]}.{parent}" not in reader.leaves:
                fix = "correct the path; where the spec has no such value either, the condition is not kept"
                reader.warn(path, f"depends_on: {parent}", "a parameter of this schema", fix)
    return TrainSchema(
        source=source,
        leaves=MappingProxyType(reader.leaves),
        default=MappingProxyType(reader.defaults(document)),
        curated=tuple(dict.fromkeys(path for path in curated if path in reader.leaves)),
        disabled=frozenset(reader.disabled),
        effective=None if effective is None else frozenset(reader.texts(effective, "x_effective_parameters")),
        warnings=tuple(reader.warnings),
    )
