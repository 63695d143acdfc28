"""The type of a value that a user writes: that of the parameter it belongs to.

``2024_11``, ``no`` and ``1e3`` stay text where text is expected, and are 202411, false and 1000 elsewhere. What the
schema does not know has the type of the value that is there; where there is none, YAML decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.config_files import Spelled
from automl.spec.train_schema import LeafKind, SchemaLeaf, kind_of_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.skill.model import JsonValue
    from automl.spec.model import Spec
    from automl.spec.train_schema import TrainSchema


def typed_values(values: Mapping[str, JsonValue], spec: Spec, schema: TrainSchema | None) -> dict[str, JsonValue]:
    """Return parameter path -> value with the type of its parameter.

    Args:
        values: By parameter path, `Spelled` ones among them.
        spec: What is there already.
        schema: The schema of the action, if there is one.
    """
    leaves = schema.leaves if schema is not None else {}
    return {
        path: typed(value, leaves.get(path), spec.get(path) if spec.has(path) else None)
        for path, value in values.items()
    }


def typed(value: JsonValue, leaf: SchemaLeaf | None, current: JsonValue = None) -> JsonValue:
    """Return a value without spelling.

    Args:
        value: It, as it was read.
        leaf: Its parameter in the schema; None for what the schema does not know.
        current: The value in its place; of a list the first item stands for all.
    """
    match value:
        case dict():
            known = current if isinstance(current, dict) else {}
            return {key: typed(child, None, known.get(key)) for key, child in value.items()}
        case list():
            default = current if isinstance(current, list) else leaf.default if leaf is not None else None
            sample = default[0] if isinstance(default, list) and default else None
            return [typed(item, None, sample) for item in value]
        case Spelled():
            return _read(value, leaf, current if leaf is None else leaf.default)
        case _:
            return value


def _read(spelled: Spelled, leaf: SchemaLeaf | None, current: JsonValue) -> JsonValue:
    number, kind = spelled.value, leaf.kind if leaf is not None else kind_of_value(current)
    if kind is LeafKind.INT and isinstance(number, float) and number.is_integer():
        return int(number)
    if kind is LeafKind.CATEGORICAL and leaf is not None:
        return next((option for option in leaf.choices if option == str(spelled)), number)
    # Some schemas call a number a text and give it a number as default.
    is_text = kind is LeafKind.TEXT and isinstance(current, str | None) and not _is_computed(current)
    return str(spelled) if is_text else number


def _is_computed(current: JsonValue) -> bool:
    return isinstance(current, str) and (current == "???" or "${" in current)
