"""The configuration of a Hydra program, composed of its YAML files as far as plain files say it.

Defaults lists with groups are followed; interpolations, packages and overrides of Hydra itself are left out.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from automl.config_files import read_document
from automl.errors import ConfigurationError
from automl.skill.program import Argument

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automl.config_files import JsonValue

_SELF = "_self_"


def read_configuration(tree: ast.Module, file: Path, folder: Path) -> tuple[list[Argument], list[Path]] | None:
    """Return the values of the configuration that `hydra.main` names, and its files; None for other scripts."""
    for node in ast.walk(tree):
        for call in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            if isinstance(call, ast.Call) and ast.unparse(call.func) in {"hydra.main", "main"}:
                given = {k.arg: k.value.value for k in call.keywords if k.arg and isinstance(k.value, ast.Constant)}
                name, place = given.get("config_name"), given.get("config_path")
                if "config_name" not in given and ast.unparse(call.func) != "hydra.main":
                    continue
                if not isinstance(name, str):
                    return [], []
                root = (file.parent / str(place or ".")).resolve()
                values, files = _composed(root, name.removesuffix(".yaml"), folder.resolve())
                return [_of_value(path, value) for path, value in _leaves(values)], files
    return None


def _of_value(path: str, value: JsonValue) -> Argument:
    kind = type(value).__name__ if isinstance(value, bool | int | float | str) else ""
    return Argument(path=path, kind=kind, default=value)


def _composed(root: Path, name: str, border: Path) -> tuple[dict[str, JsonValue], list[Path]]:
    """Compose a configuration of the groups of its defaults list; the file itself comes last, or at ``_self_``."""
    file = root / f"{name}.yaml"
    if not file.resolve().is_relative_to(border) or not file.is_file():
        return {}, []
    try:
        document = read_document(file)
    except ConfigurationError:
        return {}, [file]
    if not isinstance(document, dict):
        return {}, [file]
    values: dict[str, JsonValue] = {}
    files, listed = [file], document.pop("defaults", [])
    entries = listed if isinstance(listed, list) else []
    for entry in entries if _SELF in entries else [*entries, _SELF]:
        if entry == _SELF:
            values = _merged(values, document)
            continue
        for name_of_group, option in entry.items() if isinstance(entry, dict) else [("", entry)]:
            group = name_of_group.removeprefix("optional ")
            if isinstance(option, str) and "hydra" not in group and "override" not in group:
                below, read = _composed(root / group, option, border)
                files += read
                values = _merged(values, _nested(group, below))
    return values, files


def _nested(group: str, values: dict[str, JsonValue]) -> dict[str, JsonValue]:
    for part in reversed([part for part in group.split("/") if part]):
        values = {part: values}
    return values


def _merged(base: dict[str, JsonValue], own: dict[str, JsonValue]) -> dict[str, JsonValue]:
    merged = dict(base)
    for key, value in own.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _leaves(values: dict[str, JsonValue], prefix: str = "") -> Iterator[tuple[str, JsonValue]]:
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}.")
        elif not (isinstance(value, str) and "${" in value) and value != "???":
            yield path, value
