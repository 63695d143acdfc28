"""Give the scalars of a study file the types of its schema: ``name: 2024_11`` is a text, ``seed: 010`` is 10."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl.config_files import Spelled, read_document
from automl.resources import packaged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.skill.model import JsonValue

SPELLED = {"set", "search"}
"""The keys whose values belong to the skill's parameters, which are typed when the skill is known."""


def typed_settings(document: dict[str, JsonValue]) -> dict[str, Any]:
    """Return a study file's document with the types of `schemas/study.schema.json`; `SPELLED` values stay spelled."""
    schema: Any = read_document(packaged("schemas") / "study.schema.json")
    own = {key: value for key, value in document.items() if key not in SPELLED}
    typed = _typed(own, schema, schema["$defs"])
    return {key: value if key in SPELLED else typed[key] for key, value in document.items()}


def _typed(value: JsonValue, rule: Mapping[str, Any], shared: Mapping[str, Any]) -> Any:  # noqa: ANN401 # plain data
    if "$ref" in rule:
        rule = shared[rule["$ref"].rpartition("/")[2]]
    match value:
        case dict():
            known, others = rule.get("properties", {}), rule.get("additionalProperties")
            other = others if isinstance(others, dict) else {}
            return {key: _typed(child, known.get(key, other), shared) for key, child in value.items()}
        case list():
            return [_typed(item, rule.get("items", {}), shared) for item in value]
        case Spelled():
            return str(value) if _wants_text(value, rule) else value.value
        case _:
            return value


def _wants_text(spelled: Spelled, rule: Mapping[str, Any]) -> bool:
    kinds = rule.get("type", [part.get("type") for part in rule.get("oneOf", ())])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    is_number = not isinstance(spelled.value, bool) and "number" in kinds
    return ("string" in kinds and not is_number) or str(spelled) in rule.get("enum", ())
