"""Make the JSON Schemas of our own skill from the declarations of the spec: ``python -m depth_net.schema DIR``.

The dialect is that of the public skills: ``type`` is float, int, bool, string, categorical, list or collection,
``automl_enabled`` marks what a search may vary, ``automl_default_parameters`` at the root is the curated space. Unlike
theirs the files are strict JSON and list only keys that this trainer reads (``x_effective_parameters``).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_origin

from depth_net.config.fields import choices_of, is_own, kind_of, limits_of, search_of
from depth_net.effective import declared_leaves
from depth_net.templates import ACTIONS, published_spec, write_templates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic.fields import FieldInfo

    from depth_net.config.fields import Search

ARCHITECTURE: Final = "depth_net_mono"
VERSION: Final = 1
_TYPES: Final = {int: "int", float: "float", bool: "bool", str: "string"}
_ROOT_ONLY: Final = "train"


def build_schema(action: str) -> dict[str, Any]:
    """Return the schema of one action: train, evaluate, inference, export, quantize or convert."""
    spec = published_spec(action)
    properties: dict[str, Any] = {}
    for path, field in declared_leaves(action):
        *groups, name = path.split(".")
        here, values = properties, spec
        for group in groups:
            values = values[group]
            node = {"type": "collection", "title": group, "default": values, "properties": {}}
            here = here.setdefault(group, node)["properties"]
        here[name] = _leaf(field, values.get(name), searched=action == _ROOT_ONLY)
    schema: dict[str, Any] = {
        "type": "object",
        "x_tao_schema": {
            "model": "depth-net-mono",
            "network_arch": ARCHITECTURE,
            "action": action,
            "schema_action": action,
            "schema_version": VERSION,
            "source": "depth_net.config",
        },
        "automl_default_parameters": _curated() if action == _ROOT_ONLY else [],
        "automl_disabled_parameters": [],
        "required": [],
        "default": spec,
        "properties": properties,
    }
    if action == _ROOT_ONLY:
        schema["x_effective_parameters"] = sorted(path for path, _ in declared_leaves("train"))
    return schema


def write_schemas(directory: Path) -> None:
    """Write ``<action>.schema.json`` for every action."""
    directory.mkdir(parents=True, exist_ok=True)
    for action in ACTIONS:
        text = json.dumps(build_schema(action), indent=2, allow_nan=False) + "\n"
        (directory / f"{action}.schema.json").write_text(text, encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Write schemas, and templates where a folder for them is named."""
    parser = argparse.ArgumentParser(prog="python -m depth_net.schema", description="Write schemas and spec templates.")
    parser.add_argument("schemas", type=Path, help="folder for <action>.schema.json")
    parser.add_argument("--templates", type=Path, help="folder for spec_template_<action>.yaml")
    arguments = parser.parse_args(argv)
    write_schemas(arguments.schemas)
    if arguments.templates:
        write_templates(arguments.templates)
    return 0


def _curated() -> list[str]:
    return [path for path, field in declared_leaves("train") if (search := search_of(field)) and search.curated]


def _leaf(field: FieldInfo, value: Any, *, searched: bool) -> dict[str, Any]:  # noqa: ANN401 - a value of the spec
    text, limits, search = field.description or "", limits_of(field), search_of(field)
    leaf: dict[str, Any] = {
        "type": "categorical" if choices_of(field) else _type_name(kind_of(field.annotation)),
        "title": text.split(";", maxsplit=1)[0].split(":", maxsplit=1)[0].rstrip("."),
        "description": text,
    }
    if not is_own(field):
        leaf["default"] = value
    if choices_of(field):
        leaf["enum"] = list(choices_of(field))
    leaf |= {name: limits[key] for key, name in (("ge", "minimum"), ("le", "maximum")) if key in limits}
    if "gt" in limits:
        leaf["math_cond"] = f"> {limits['gt']}"
    if searched:
        leaf["automl_enabled"] = search is not None
        leaf |= _range(search, choices_of(field)) if search else {}
    return leaf


def _range(search: Search, choices: Sequence[object]) -> dict[str, Any]:
    conditions: list[dict[str, Any]] = []
    if search.scheduler:
        conditions.append({"path": "train.optim.lr_scheduler", "any_of": list(search.scheduler)})
    if search.requires:
        path, wanted = search.requires
        conditions.append({"path": path, "any_of": list(wanted)})
    acts = {"x_acts_when": conditions} if conditions else {}
    if search.options:
        weights = [1 if choice in search.options else 0 for choice in choices]
        return acts if all(weights) else {"option_weights": weights, **acts}
    return {"minimum": search.low, "maximum": search.high, **acts}


def _type_name(kind: Any) -> str:  # noqa: ANN401 - a type
    return {tuple: "list", dict: "collection"}.get(get_origin(kind)) or _TYPES[kind]


if __name__ == "__main__":
    raise SystemExit(main())
