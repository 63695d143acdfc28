"""A spec as nested mappings: reading YAML, applying ``key=value`` overrides, writing it again.

A plain scalar stays the text that was written, and the key that it belongs to decides its type: ``2024_11`` and ``no``
are folders where a folder is expected, 202411 and false where a number and a boolean are. Null is null everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import yaml

from depth_net.config.problems import SpecProblem
from depth_net.errors import SpecError
from depth_net.regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Tree = dict[str, Any]

_OVERRIDE = re.compile(r"^(?P<sign>\+{0,2}|~)(?P<key>[A-Za-z_]\w*(?:\.\w+|\[\d+\])*)(?:=(?P<value>.*))?$", re.DOTALL)


_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # ten times faster where PyYAML was built with libyaml


class _Loader(yaml.SafeLoader):
    """Reads scalars as text and refuses duplicate keys."""


_Loader.yaml_implicit_resolvers = {
    first: kept
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    if (kept := [pair for pair in pairs if pair[0] in ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")])
}


def _mapping_without_duplicates(loader: _Loader, node: yaml.MappingNode) -> dict[object, object]:
    seen: set[object] = set()
    for key_node, _ in node.value:
        is_merge = key_node.tag == "tag:yaml.org,2002:merge"
        key = "<<" if is_merge else loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
            raise yaml.constructor.ConstructorError(None, None, "a key is no single value", key_node.start_mark)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is given twice", key_node.start_mark)
        seen.add(key)
    loader.flatten_mapping(node)
    return dict(loader.construct_pairs(node, deep=True))


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping_without_duplicates)


def read_tree(path: Path) -> Tree:
    """Return the mapping that the YAML file ``path`` holds; an empty file is an empty mapping.

    Raises:
        SpecError: the file does not exist, is not YAML (in UTF-8 or UTF-16), or does not contain a mapping.
    """
    try:
        with open_regular(path) as stream:
            tree = _unshared(yaml.load(stream.read(), Loader=_Loader))  # noqa: S506 - derives from SafeLoader
    except OSError as error:
        raise SpecError(f"the spec {path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise SpecError(f"the spec {path} is not valid YAML: {error}") from error
    except RecursionError as error:
        raise SpecError(f"the spec {path} is nested without end; expected groups of keys a few levels deep") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise SpecError(f"the spec {path} holds a {type(tree).__name__} where a mapping of keys is expected")
    return tree


def _unshared(node: Any) -> Any:  # noqa: ANN401 - a node of a YAML tree
    """Copy nodes shared by anchors, so that an override changes one place only; keys become text."""
    if isinstance(node, dict):
        return {str(key): _unshared(value) for key, value in node.items()}
    return [_unshared(value) for value in node] if isinstance(node, list) else node


def apply_overrides(tree: Tree, overrides: Iterable[str], problems: list[SpecProblem]) -> None:
    """Apply ``a.b=value``, ``+a.b=value`` and ``~a.b`` (back to the default) to ``tree``, in order.

    A list is indexed as ``data_sources[0]`` or ``data_sources.0``; the value is read as YAML, with pairs such as
    ``{a:1,b:2}`` also as Hydra writes them.
    """
    for override in overrides:
        match = _OVERRIDE.match(override)
        if match is None or (match["value"] is None) != (match["sign"] == "~"):
            problems.append(
                SpecProblem(
                    f"override {override!r}",
                    "not a key and a value",
                    "key=value with a dotted key, e.g. train.num_epochs=2",
                    "write it as key=value, without spaces around =",
                )
            )
            continue
        steps = [step for step in re.split(r"[.\[\]]+", match["key"]) if step]
        problem = _put(tree, steps, _parse(match["value"]), remove=match["sign"] == "~")
        if problem:
            problems.append(SpecProblem(f"override {override!r}", problem, "a key of the spec", "correct it"))


def _parse(text: str | None) -> object:
    if text is None:
        return None
    try:
        return _split_pairs(yaml.load(text, Loader=_Loader))  # noqa: S506 - derives from SafeLoader
    except yaml.YAMLError:
        return text


def _split_pairs(value: object) -> object:
    """Read ``{a:1,b:c}`` as Hydra does; in YAML, ``a:1`` is a key without a value."""
    if isinstance(value, list):
        return [_split_pairs(item) for item in value]
    if not isinstance(value, dict):
        return value
    pairs: dict[object, object] = {}
    for key, item in value.items():
        name, colon, text = str(key).partition(":")
        is_pair = colon and item is None
        pairs[name if is_pair else key] = _parse(text) if is_pair else _split_pairs(item)
    return pairs


def _put(tree: Tree, steps: list[str], value: object, *, remove: bool) -> str | None:
    """Set or remove the value at ``steps``; return what is in the way, if anything."""
    node: Any = tree
    for step in steps[:-1]:
        node = _descend(node, step)
        if node is None:
            return f"{step!r} is not a group of keys"
    last = steps[-1]
    if isinstance(node, list):
        if not last.isdigit() or int(last) > len(node):
            return f"{last!r} is not an index of a list of {len(node)}"
        node[int(last) : int(last) + 1] = [] if remove else [value]
    elif remove:
        node.pop(last, None)
    else:
        node[last] = value
    return None


def _descend(node: Any, step: str) -> dict[str, Any] | list[Any] | None:  # noqa: ANN401 - a node of a YAML tree
    if isinstance(node, list):
        if not step.isdigit() or int(step) > len(node):
            return None
        if int(step) == len(node):
            node.append({})
        child = node[int(step)]
    else:
        child = node.get(step)
        if child is None:
            child = node[step] = [] if step == "data_sources" else {}
    return child if isinstance(child, dict | list) else None


def to_yaml(tree: Tree) -> str:
    """Return ``tree`` as YAML text in the order of its keys."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
