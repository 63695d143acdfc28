"""Make the JSON Schemas of our own skill from the declarations of the spec: ``python -m depth_net.schema DIR``.

The dialect is that of the public skills: ``type`` is float, int, bool, string, categorical, list or collection,
``automl_enabled`` marks what a search may vary, ``automl_default_parameters`` at the root is the curated space. Unlike
theirs the files are strict JSON and list only keys that this trainer reads (``x_effective_parameters``).
"""

from __future__ import annotations

import argparse
import json
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from depth_net.config.actions import ConvertConfig
from depth_net.config.coercion import hints
from depth_net.config.fields import Setting, declaration
from depth_net.config.tree import to_yaml
from depth_net.effective import declared_leaves, effective_params, types_by_path
from depth_net.published import ACTIONS, published_spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ARCHITECTURE: Final = "depth_net_mono"
VERSION: Final = 1
_TYPES: Final = {int: "int", float: "float", bool: "bool", str: "string"}
_ROOT_ONLY: Final = "train"


def build_schema(action: str) -> dict[str, Any]:
    """Return the schema of one action: train, evaluate, inference, export, quantize or convert."""
    spec = published_spec(action)
    properties: dict[str, Any] = {}
    for path, declared, hint in _leaves(action):
        _place(properties, spec, path, _leaf(declared, hint, _value_at(spec, path), searched=action == _ROOT_ONLY))
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
        schema["x_effective_parameters"] = sorted(effective_params())
    return schema


def write_schemas(directory: Path) -> tuple[Path, ...]:
    """Write ``<action>.schema.json`` for every action and return the files."""
    directory.mkdir(parents=True, exist_ok=True)
    files = []
    for action in ACTIONS:
        path = directory / f"{action}.schema.json"
        path.write_text(json.dumps(build_schema(action), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        files.append(path)
    return tuple(files)


def write_templates(directory: Path) -> tuple[Path, ...]:
    """Write ``spec_template_<action>.yaml`` for every action and return the files."""
    directory.mkdir(parents=True, exist_ok=True)
    files = []
    for action in ACTIONS:
        path = directory / f"spec_template_{action}.yaml"
        path.write_text(to_yaml(published_spec(action)), encoding="utf-8")
        files.append(path)
    return tuple(files)


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
    return [path for path, declared in declared_leaves("train") if declared.search and declared.search.curated]


def _leaves(action: str) -> Iterable[tuple[str, Setting, Any]]:
    if action == "convert":
        for name, field in ConvertConfig.__dataclass_fields__.items():
            if declaration(field).inert is None:
                yield name, declaration(field), hints(ConvertConfig)[name]
        return
    kinds = types_by_path()
    for path, declared in declared_leaves(action):
        yield path, declared, kinds[path]


def _place(properties: dict[str, Any], spec: Mapping[str, Any], path: str, leaf: dict[str, Any]) -> None:
    """Put a leaf where it belongs, making the groups on the way."""
    *groups, name = path.split(".")
    here, values = properties, spec
    for group in groups:
        values = values[group]
        node = here.setdefault(group, {"type": "collection", "title": group, "default": values, "properties": {}})
        here = node["properties"]
    here[name] = leaf


def _value_at(spec: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401 - a value of the spec
    value: Any = spec
    for step in path.split("."):
        value = value[step]
    return value


def _leaf(declared: Setting, hint: Any, value: Any, *, searched: bool) -> dict[str, Any]:  # noqa: ANN401 - a type, a value
    kind = _plain(hint)
    leaf: dict[str, Any] = {
        "type": _type_name(kind),
        "title": declared.text.split(";", maxsplit=1)[0].split(":", maxsplit=1)[0].rstrip("."),
        "description": declared.text,
        "default": value,
    }
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        leaf["enum"] = [member.value for member in kind]
    leaf.update(_limits(declared))
    if searched:
        leaf["automl_enabled"] = declared.search is not None
        leaf.update(_range(declared))
    return leaf


def _limits(declared: Setting) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    if declared.minimum is not None:
        limits["minimum"] = declared.minimum
    if declared.maximum is not None:
        limits["maximum"] = declared.maximum
    if declared.above is not None:
        limits["math_cond"] = f"> {declared.above}"
    return limits


def _range(declared: Setting) -> dict[str, Any]:
    if declared.search is None:
        return {}
    found: dict[str, Any] = {"minimum": declared.search.low, "maximum": declared.search.high}
    acts: list[dict[str, Any]] = []
    if declared.search.scheduler:
        acts.append({"path": "train.optim.lr_scheduler", "any_of": list(declared.search.scheduler)})
    if declared.search.requires:
        path, wanted = declared.search.requires
        acts.append({"path": path, "any_of": [wanted]})
    if acts:
        found["x_acts_when"] = acts
    return found


def _plain(hint: Any) -> Any:  # noqa: ANN401 - a type
    """Return the type without ``| None``."""
    if isinstance(hint, types.UnionType):
        return typing.get_args(hint)[0]
    return hint


def _type_name(kind: Any) -> str:  # noqa: ANN401 - a type
    origin = typing.get_origin(kind)
    if origin is tuple:
        return "list"
    if origin is Mapping:
        return "collection"
    return "categorical" if issubclass(kind, StrEnum) else _TYPES[kind]


if __name__ == "__main__":
    raise SystemExit(main())
