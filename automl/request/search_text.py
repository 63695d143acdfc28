"""The mapping `search` of a study file as the items of ``--search``: one notation, which `automl.space` reads."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from automl.config_files import Spelled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from automl.config_files import JsonValue

_FOLDED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")
"""What YAML takes for the end of a line, or does not take: written as escapes."""


def search_items(search: Sequence[str] | Mapping[str, JsonValue]) -> list[str]:
    """Return the items that a list, or a mapping of parameters to their values, means."""
    if not isinstance(search, dict):
        return [str(item) for item in search]
    return [f"{path}={values_text(entry)}" for path, entry in search.items()]


def values_text(entry: JsonValue) -> str:
    """Return the text of an entry of the mapping `search`: a range as text, a list of options, or a mapping of both.

    A mapping has ``range`` or ``options``, and may have ``scale``, ``elastic`` and ``when``: the other parameter ->
    value or values.
    """
    if isinstance(entry, list):
        return f"[{', '.join(map(_value_text, entry))}]"
    if not isinstance(entry, dict):
        return str(entry)
    text = values_text(entry["options"]) if "options" in entry else f"{entry['range']}"
    if "scale" in entry:
        text += f":{entry['scale']}"
    if entry.get("elastic"):
        text += " elastic"
    when = entry.get("when")
    if isinstance(when, dict) and when:
        text += " when " + " and ".join(f"{path}={_condition_text(value)}" for path, value in when.items())
    return text


def _condition_text(value: JsonValue) -> str:
    return values_text(value) if isinstance(value, list) else _value_text(value)


def _value_text(value: JsonValue) -> str:
    """Return a value as YAML reads it again: a text in quotes, what was spelled without quotes as it was."""
    if isinstance(value, Spelled):
        return str(value)
    return _FOLDED.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, ensure_ascii=False))
