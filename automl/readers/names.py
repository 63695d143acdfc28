"""Metric names: under which names a trainer may report a requested metric.

The same number is called ``val/d1`` in a status file, ``val_d1`` in a log, ``train_loss_epoch`` by a training loop and
``Validation mAP50`` on a console. Two names are the same metric only by the rules below; a part of a name never
matches: ``loss`` is neither ``val_loss`` nor ``loss_scale``.
"""

from __future__ import annotations

import difflib
import functools
import re
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

T = TypeVar("T")

_CACHED = 100_000

_SPLITS = {"val": "validation", "validation": "val", "train": "training", "training": "train"}
_ANY = "|".join(_SPLITS)
_SPLIT_FIRST = re.compile(rf"(?P<split>{_ANY})[/_ ](?P<rest>.+)", re.IGNORECASE)
_SPLIT_LAST = re.compile(rf"(?P<rest>.+?)(?:[/_ ]| ?\()(?P<split>{_ANY})\)?", re.IGNORECASE)
# Where both are reported, the mean over the epoch is the metric; the last step is used only without it.
_SUFFIXES = ("_epoch", "_step")

SYNONYMS: dict[str, tuple[str, ...]] = {
    "val_mAP": ("img_bbox_NuScenes/mAP", "mAP"),  # sparse4d logs the name of its data set, or none
    "val/avg_loss": ("Validation loss",),  # cosmos-reason prints its validation, and writes no status file
}
"""Names that no rule derives: requested metric -> what trainers call it. To support another one, add a row."""


@functools.lru_cache(_CACHED)
def aliases(name: str) -> tuple[str, ...]:
    """Return the names under which a metric may be reported, the most trusted first.

    In this order: the name; ``/`` for ``_`` after the split and back; with ``_epoch``; the long and the short name of
    the split (``val_x``, ``Validation x``); the split behind (``x/val``, ``x (val)``); with ``_step``; `SYNONYMS`.
    Comparison ignores case and separators.
    """
    suffix = next((suffix for suffix in _SUFFIXES if name.endswith(suffix) and name != suffix), "")
    spellings = _spellings(name.removesuffix(suffix))
    ordered = [name]
    ordered += [spelling + suffix for spelling in spellings]
    ordered += [spelling + "_epoch" for spelling in spellings]
    if suffix != "_step":
        # A name without suffix matches both; a name with _epoch does not match a single step.
        ordered += spellings
    if suffix != "_epoch":
        ordered += [spelling + "_step" for spelling in spellings]
    return tuple(dict.fromkeys([*ordered, *SYNONYMS.get(name, ())]))


def find_metric(values: Mapping[str, T], name: str) -> T | None:
    """Return the value of a metric under its name or its most trusted alias; None if it is absent."""
    found = find_name(values, name)
    return None if found is None else values[found]


def find_name(names: Iterable[str], name: str) -> str | None:
    """Return the reported name of a requested metric; None if it is absent."""
    reported = list(names)
    if name in reported:
        return name
    by_key = {key_of(candidate): candidate for candidate in reversed(reported)}  # the first of equals
    return next((by_key[key] for alias in aliases(name) if (key := key_of(alias)) in by_key), None)


@functools.lru_cache(_CACHED)
def key_of(name: str) -> str:
    """Return the normal form of a name: lower case, single ``_`` between the words."""
    return re.sub(r"[\s/_]+", "_", name.strip().lower()).strip("_")


def suggest(name: str, reported: Iterable[str]) -> str | None:
    """Return the reported name that is most similar to a name that was not found, if any is close."""
    by_key = {key_of(candidate): candidate for candidate in reported}
    close = difflib.get_close_matches(key_of(name), list(by_key), n=1, cutoff=0.6)
    return by_key[close[0]] if close else None


def _spellings(stem: str) -> list[str]:
    match = _SPLIT_FIRST.fullmatch(stem) or _SPLIT_LAST.fullmatch(stem)
    if match is None:
        return [stem]
    split, rest = match["split"], match["rest"]
    other = _SPLITS[split.lower()]
    behind = [f"{rest}{form.format(name)}" for form in ("/{}", " ({})") for name in (split, other)]
    return list(dict.fromkeys([stem, f"{split}/{rest}", f"{split}_{rest}", f"{other.capitalize()} {rest}", *behind]))
