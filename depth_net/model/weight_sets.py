"""The sets of weights in the content of a file, wherever a training script has put them.

Scripts save a model under ``model``, ``state_dict``, ``model_state_dict``, ``net``, ``ema``, ``teacher``, ..., alone or
several of them, with prefixes such as ``module.`` on the names. A set is found by the class token of its encoder; what
stands before that name is the key of the set, and names without it belong to something else, such as an optimiser.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from torch import Tensor

from depth_net.errors import WeightsError
from depth_net.model.keys import without_wrappers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_LEVELS = 4
"""Mappings inside mappings that are opened."""
_ENCODER = re.compile(r"^(?P<key>.*?)(?:(?:pretrained|backbone\.embeddings|embeddings)\.)?cls_token$")
_CHUNK = re.compile(r"^blocks\.\d+\.(\d+)\.")
"""DINOv2's training keeps its blocks in chunks, and numbers them through."""


def choose_set(path: Path, content: Mapping[str, object], key: str = "") -> Mapping[str, Tensor] | None:
    """Return the weights of a model under their bare names; None where there is no model.

    Args:
        path: The file, for messages.
        content: Tensors, and mappings with tensors, by name.
        key: Which set to take where there are several: the beginning of its names.

    Raises:
        WeightsError: there are several sets, and the key names none of them or more than one.
    """
    named = {without_wrappers(name): tensor for name, tensor in named_tensors(content)}
    keys = dict.fromkeys(found["key"] for name in named if (found := _ENCODER.match(name)))
    wanted = [each for each in keys if len(keys) == 1 or (key and f"{each}.".startswith(f"{key}."))]
    if len(keys) > 1 and len(wanted) != 1:
        listed = ", ".join(each.rstrip(".") or "(none)" for each in keys)
        raise WeightsError(
            f"{path}: found several sets of weights ({listed}){f' and the key {key!r}' if key else ''}; expected one, "
            f"or a key; fix: set model.weights_key to the one to use, e.g. {[*keys][-1].rstrip('.')}"
        )
    if not wanted:
        return None
    own, others = wanted[0], [each for each in keys if each != wanted[0]]
    bare = {name.removeprefix(own): tensor for name, tensor in named.items() if name.startswith(own)}
    inner = [each.removeprefix(own) for each in others if each.startswith(own)]
    kept = {name: tensor for name, tensor in bare.items() if not any(name.startswith(each) for each in inner)}
    return {_CHUNK.sub(r"blocks.\1.", name): tensor for name, tensor in kept.items()}


def named_tensors(node: Mapping[Any, object], prefix: str = "", level: int = 1) -> Iterator[tuple[str, Tensor]]:
    """Yield dotted names and tensors of nested mappings."""
    for name, value in node.items():
        if not isinstance(name, str):
            continue
        if isinstance(value, Tensor):
            yield f"{prefix}{name}", value
        elif isinstance(value, dict) and level < _LEVELS:
            yield from named_tensors(value, f"{prefix}{name}.", level + 1)
