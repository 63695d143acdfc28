"""Rows of matrices put together and taken apart, also of matrices that are stored in eight bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def join_rows(parts: Sequence[Tensor]) -> Tensor:
    """Stack tensors of one kind along their first axis; a single one comes back as it is.

    Args:
        parts: Shape (rows, ...) each; plain tensors, or quantised ones with a scale per row.
    """
    if len(parts) == 1:
        return parts[0]
    if is_plain(parts[0]):
        return torch.cat(list(parts))
    return _rebuilt(parts[0], lambda name: torch.cat([getattr(part, name) for part in parts]))


def split_rows(tensor: Tensor, count: int) -> list[Tensor]:
    """Cut a tensor into equal parts along its first axis; the inverse of `join_rows`. Plain parts are views.

    Args:
        tensor: Shape (rows, ...).
        count: Number of parts.
    """
    if count == 1:
        return [tensor]
    if is_plain(tensor):
        return list(tensor.chunk(count))
    return [
        _rebuilt(tensor, lambda name, at=part: getattr(tensor, name).chunk(count)[at].contiguous())  # type: ignore[misc]
        for part in range(count)
    ]


def is_plain(tensor: Tensor) -> bool:
    """Whether a tensor holds its own elements instead of being a subclass that wraps others."""
    return type(tensor) in (Tensor, nn.Parameter)


def _rebuilt(like: Tensor, rows: Callable[[str], Tensor]) -> Tensor:
    """The wrapper `like` around other inner tensors; those without an axis of rows are shared."""
    subclass = cast("Any", like)
    names, attributes = subclass.__tensor_flatten__()
    has_rows = {name: getattr(like, name).ndim > 0 and len(getattr(like, name)) == len(like) for name in names}
    inner = {name: rows(name) if has_rows[name] else getattr(like, name) for name in names}
    return cast("Tensor", type(subclass).__tensor_unflatten__(inner, attributes, None, None))
