"""The configuration of a Hydra program, composed of its YAML files and of the dataclasses in its `ConfigStore`.

Defaults lists with groups are followed, and the options that the command itself chooses; interpolations, packages and
overrides of Hydra itself are left out.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.config_files import read_document
from automl.errors import ConfigurationError
from automl.program.config_store import ConfigStore
from automl.regular_file import followed
from automl.skill.program import Argument

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from automl.config_files import JsonValue

OWN_BLOCK = "hydra"
_SELF = "_self_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What a Hydra program starts from.

    Attributes:
        values: A value for each leaf, by its path.
        groups: Group -> its options, the one that is used first, each with what it sets.
        files: Every file that was read.
    """

    values: tuple[Argument, ...] = ()
    groups: Mapping[str, Mapping[str, tuple[Argument, ...]]] = field(default_factory=dict)
    files: tuple[Path, ...] = ()


def read_configuration(
    tree: ast.Module, beside: Sequence[ast.Module], file: Path, folder: Path, words: Sequence[str]
) -> Configuration | None:
    """Return the configuration that `hydra.main` names; None for other scripts.

    Args:
        tree: Of the module that may call `hydra.main`.
        beside: The modules of the program, for the dataclasses that they store.
        file: The script.
        folder: Nothing outside it is read.
        words: The command: ``optim=sgd`` chooses an option of a group.
    """
    for node in ast.walk(tree):
        for call in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            if isinstance(call, ast.Call) and ast.unparse(call.func) in {"hydra.main", "main"}:
                given = {k.arg: k.value.value for k in call.keywords if k.arg and isinstance(k.value, ast.Constant)}
                name, place = given.get("config_name"), given.get("config_path")
                if "config_name" not in given and ast.unparse(call.func) != "hydra.main":
                    continue
                if not isinstance(name, str):
                    return Configuration()
                root = followed(file.parent / str(place or "."))
                composer = _Composer(root, followed(folder), ConfigStore(beside), _chosen(words))
                values = composer.composed("", name.removesuffix(".yaml"))
                listed = tuple(_of_value(path, value) for path, value in _leaves(values))
                groups = composer.with_options()
                return Configuration(values=listed, groups=groups, files=tuple(dict.fromkeys(composer.files)))
    return None


def group_argument(group: tuple[str, Mapping[str, object]]) -> Argument:
    """Return the choice of a group: Hydra's own block has no values of the program, so its path is free."""
    name, options = group
    path, first = f"{OWN_BLOCK}.{name.replace('/', '.')}", next(iter(options), None)
    return Argument(path=path, flag=name, kind="str", default=first, choices=tuple(options))


def _chosen(words: Iterable[str]) -> dict[str, str]:
    pairs = (word.lstrip("+").partition("=") for word in words if not word.startswith("-"))
    return {name: value for name, separator, value in pairs if separator and "{" not in value}


def _of_value(path: str, value: JsonValue) -> Argument:
    kind = type(value).__name__ if isinstance(value, bool | int | float | str) else ""
    return Argument(path=path, kind=kind, default=value)


class _Composer:
    """Composes a configuration; the file itself comes last, or at ``_self_``."""

    def __init__(self, root: Path, border: Path, store: ConfigStore, chosen: Mapping[str, str]) -> None:
        self._root, self._border, self._store, self._chosen = root, border, store, chosen
        self.files: list[Path] = []
        self.groups: dict[str, tuple[str, ...]] = {}
        self._open: list[tuple[str, str]] = []

    def composed(self, group: str, name: str) -> dict[str, JsonValue]:
        """Return the values of one file or stored entry, with those of its defaults list; nothing of a circle."""
        if (group, name) in self._open:
            return {}
        self._open.append((group, name))
        values = self._with_defaults(group, name)
        self._open.pop()
        return values

    def with_options(self) -> dict[str, dict[str, tuple[Argument, ...]]]:
        """Return the groups with what each option sets, by the paths of the whole configuration."""
        noted = dict(self.groups)  # those of an option that is not used are not the program's
        found = {
            group: {
                option: tuple(
                    _of_value(path, value) for path, value in _leaves(_nested(group, self.composed(group, option)))
                )
                for option in options
            }
            for group, options in noted.items()
        }
        self.groups = noted
        return found

    def _with_defaults(self, group: str, name: str) -> dict[str, JsonValue]:
        document = self._document(group, name)
        values: dict[str, JsonValue] = {}
        listed = document.pop("defaults", [])
        entries = listed if isinstance(listed, list) else []
        for entry in entries if _SELF in entries else [*entries, _SELF]:
            if entry == _SELF:
                values = _merged(values, document)
                continue
            for key, option in entry.items() if isinstance(entry, dict) else [("", entry)]:
                below = key.removeprefix("optional ")
                if "hydra" in below or "override" in below or "@" in below:
                    continue
                path = below.strip("/") if below.startswith("/") else f"{group}/{below}".strip("/")
                chosen = self._chosen.get(path, option) if below else option
                if below:
                    self._note_group(path, chosen)
                if isinstance(chosen, str) and chosen != "???":
                    values = _merged(values, _nested(below, self.composed(path, chosen.removesuffix(".yaml"))))
        return values

    def _note_group(self, group: str, chosen: JsonValue) -> None:
        folder = self._root / group
        files = sorted(folder.glob("*.yaml")) if followed(folder).is_relative_to(self._border) else []
        options = dict.fromkeys(
            [*map(str, filter(None, [chosen])), *(f.stem for f in files), *self._store.options(group)]
        )
        self.groups[group] = tuple(option for option in options if option != "???")

    def _document(self, group: str, name: str) -> dict[str, JsonValue]:
        file = self._root / group / f"{name}.yaml"
        if not followed(file).is_relative_to(self._border) or not file.is_file():
            return dict(self._store.get(group, name) or {})
        self.files.append(file)
        try:
            document = read_document(file)
        except ConfigurationError:
            return {}
        return dict(document) if isinstance(document, dict) else {}


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
