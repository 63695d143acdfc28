"""Check assignments against the raw files of a skill, sharing no code with `automl.space`.

It reads the schema with `json`, walks it anew, and understands `math_cond` by splitting it at blanks. What it says is
compared with what the space thinks of its own assignments.
"""

from __future__ import annotations

import json
import math
import operator
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EVALUATION_ONLY = re.compile(r"\.(val|test|infer|validation|eval)(_dataset|_data_sources)?(\.|\[)|\.(test|eval)_\w+$")
OTHER_ACTIONS = ("evaluate.", "inference.", "export.", "gen_trt_engine.", "quantize.", "prune.", "distill.", "convert.")


def raw_leaves(schema_file: Path) -> dict[str, dict[str, Any]]:
    """Return every node with a path, straight from the JSON."""
    found: dict[str, dict[str, Any]] = {}

    def walk(node: dict[str, Any], path: str) -> None:
        properties = node.get("properties")
        if isinstance(properties, dict):
            for name, child in properties.items():
                if isinstance(child, dict):
                    walk(child, f"{path}.{name}" if path else name)
        elif path:
            found[path] = node

    walk(json.loads(schema_file.read_text(encoding="utf-8")), "")
    return found


def complaints(
    leaves: Mapping[str, dict[str, Any]], spec: Mapping[str, Any], assignment: Mapping[str, Any]
) -> list[str]:
    """Return everything that is wrong with an assignment.

    Args:
        leaves: From `raw_leaves`.
        spec: The merged spec, nested.
        assignment: Path -> value.
    """
    found: list[str] = []
    for path, value in assignment.items():
        node = leaves[path]
        found += _own(path, value, node)
        found += _bound(path, value, node, {"spec": spec, "assignment": assignment})
        if EVALUATION_ONLY.search(path) or path.startswith(OTHER_ACTIONS):
            found.append(f"{path} is evaluation only or belongs to something else")
        if re.search(r"workers$", path):
            found.append(f"{path} only changes the speed")
        if look_up(spec, path) is _MISSING:
            found.append(f"{path} is not in the spec")
    return found


def look_up(spec: object, path: str) -> object:
    """Return the value at a dotted path, or a marker."""
    node: Any = spec
    for step in re.findall(r"[^.\[\]]+|\[\d+\]", path):
        try:
            node = node[int(step[1:-1])] if step.startswith("[") else node[step]
        except (KeyError, IndexError, TypeError):
            return _MISSING
    return node


_MISSING = object()


def _own(path: str, value: object, node: dict[str, Any]) -> list[str]:
    found = []
    kind = str(node.get("type"))
    if kind in {"bool", "boolean"}:
        return [] if isinstance(value, bool) else [f"{path} {value!r} is no boolean"]
    if node.get("enum"):
        return []
    if kind in {"int", "integer"} and (isinstance(value, bool) or not isinstance(value, int)):
        found.append(f"{path} {value!r} is no int")
    if kind in {"float", "number"} and not isinstance(value, float):
        found.append(f"{path} {value!r} is no float")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return [*found, f"{path} {value!r} is no finite number"]
    low, high = node.get("minimum"), node.get("maximum")
    if isinstance(low, int | float) and value < low:
        found.append(f"{path} {value} is below {low}")
    if isinstance(high, int | float) and value > high:
        found.append(f"{path} {value} is above {high}")
    return found


def _bound(path: str, value: object, node: dict[str, Any], known: dict[str, Any]) -> list[str]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return []
    tokens = re.sub(r"([<>!=/^]+)", r" \1 ", str(node.get("math_cond") or "")).split()
    parents = [name.strip() for name in str(node.get("depends_on") or "").split(",") if name.strip()]
    numbers = []
    for parent in parents:
        number = known["assignment"].get(parent, look_up(known["spec"], parent))
        if isinstance(number, int | float) and not isinstance(number, bool):
            numbers.append(number)
    checks = list(zip(tokens[::2], tokens[1::2], strict=True))
    has_operator = any(side == "depends_on" for _, side in checks)
    found = []
    for sign, side in checks:
        if sign == "/" and parents and not has_operator:
            found += [f"{path} {value} is not {n} // {side}" for n in numbers if value != n // float(side)]
            return found
        sides = numbers if side == "depends_on" else [float(side)]
        found += [f"{path} {value} breaks {sign} {other}" for other in sides if not _holds(sign, value, other)]
    if parents and not has_operator:
        found += [f"{path} {value} is above its parent {other}" for other in numbers if value > other]
    return found


_COMPARISONS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "!=": operator.ne}


def _holds(sign: str, value: float, other: float) -> bool:
    if sign in _COMPARISONS:
        return bool(_COMPARISONS[sign](value, other))
    quotient = value / other if sign == "/" else math.log(value, other)
    return abs(quotient - round(quotient)) < 1e-9
