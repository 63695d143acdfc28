"""Overrides: what a user writes over a skill's template, dotted or nested, as text or as data.

``train.optim.lr=1e-4`` and ``{train: {optim: {lr: 1e-4}}}`` are the same override. A path that nearly names a known one
is an error with the suggestion. One unlike any other is new, and stops a run where the skill's schema lists the keys;
``+path=value`` passes it on unchecked, as Hydra writes it: trainers may accept keys that neither lists.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from automl.config_files import parse_scalar
from automl.errors import ConfigurationError
from automl.skill.fields import Findings, is_parameter_path

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from automl.skill.model import JsonValue

_SIMILAR_NAME = 0.75
_SIMILAR_PATH = 0.85
_UNCHECKED = "+"


def parse_override(text: str) -> tuple[str, JsonValue]:
    """Split ``path=value`` and read the value as YAML, with its spelling: ``'16'`` is text, ``[1, 2]`` a list.

    The path may begin with ``+``; see `unchecked_paths`.

    Raises:
        ConfigurationError: there is no ``=``, or what stands before it is no parameter path.
    """
    path, separator, value = text.partition("=")
    path = path.strip()
    if not separator or not is_parameter_path(path.removeprefix(_UNCHECKED)):
        found = "no =" if not separator else f"{path!r} before the ="
        fix = "write e.g. train.optim.lr=1e-4"
        raise ConfigurationError.single("the overrides", where=text, found=found, expected="path=value", fix=fix)
    return path, parse_scalar(value, is_spelled=True)


def flatten(overrides: Mapping[str, JsonValue], prefix: str = "") -> dict[str, JsonValue]:
    """Bring nested, dotted and mixed overrides to one level: parameter path -> value. Lists are values.

    Raises:
        ConfigurationError: a key is no parameter path.
    """
    flat: dict[str, JsonValue] = {}
    for key, value in overrides.items():
        name = key.removeprefix(_UNCHECKED)
        path = f"{prefix}.{name}" if prefix else name
        if not is_parameter_path(path):
            expected = "a parameter path such as train.optim.lr"
            raise ConfigurationError.single(
                "the overrides", where=path, found=repr(key), expected=expected, fix="correct the key"
            )
        if isinstance(value, dict) and value:
            flat.update(flatten(value, path))
        else:
            flat[path] = value
    return flat


def unchecked_paths(overrides: Mapping[str, JsonValue], prefix: str = "") -> set[str]:
    """Return the parameter paths that the user marks with ``+``: passed on whatever template and schema say."""
    found = set()
    for key, value in overrides.items():
        name = key.removeprefix(_UNCHECKED)
        path = f"{prefix}.{name}" if prefix else name
        if isinstance(value, dict) and value:
            found |= {*flatten(value, path)} if key != name else unchecked_paths(value, path)
        elif key != name:
            found.add(path)
    return found


def check_paths(paths: Collection[str], known: Collection[str], *, where: str) -> Findings:
    """Compare paths with the leaves that the template and the schema know.

    One that nearly names a known one is a problem, one that nothing knows a warning; both name ``where``.
    """
    findings = Findings(where)
    blocks = {block for path in known for block in _ancestors(path)}
    found, expected = "a parameter that neither the template nor the schema has", "an existing parameter"
    for path in paths:
        # An element or a member of a known leaf is known: betas[0], backend_kwargs.alpha.
        bare = path.partition("[")[0]
        leaves = (path, bare, *_ancestors(path), *_ancestors(bare))
        if path in blocks or any(leaf in known for leaf in leaves):
            continue
        suggestion = closest(path, known)
        if suggestion:
            findings.reject(path, found, expected, f"did you mean {suggestion}?")
        else:
            findings.leave_out(path, found, expected, "it is passed on as it is; check the spelling")
    return findings


def closest(path: str, known: Collection[str]) -> str | None:
    """Return the known path that a wrong one most likely means, or None if it resembles none."""
    parent, _, name = path.rpartition(".")
    siblings = {_leaf(other): other for other in known if other.rpartition(".")[0] == parent}
    matches = difflib.get_close_matches(name, siblings, n=1, cutoff=_SIMILAR_NAME)
    if matches:
        return siblings[matches[0]]
    # The right name in the wrong block: train.lr for train.optim.lr.
    block = path.partition(".")[0]
    same_name = [other for other in known if _leaf(other) == name and other.startswith(f"{block}.")]
    if len(same_name) == 1:
        return same_name[0]
    if siblings:
        return None
    matches = difflib.get_close_matches(path, known, n=1, cutoff=_SIMILAR_PATH)
    return matches[0] if matches else None


def _leaf(path: str) -> str:
    return path.rpartition(".")[2]


def _ancestors(path: str) -> list[str]:
    steps = path.split(".")
    return [".".join(steps[:count]) for count in range(1, len(steps))]
