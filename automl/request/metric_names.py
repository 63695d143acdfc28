"""Names of metrics as people write them: `d1`, `abs rel`, `delta 1`, `validation rmse`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIRECTIONS = {
    "maximize": ("hi", "la", "ma", "in", "ra", ">", "ab", "ov", "at l"),
    "minimize": ("lo", "sm", "mi", "re", "de", "<", "bel", "un", "at m"),
}
"""Direction -> how the words beside a metric begin that mean it."""
_SPOKEN = {
    "delta 1": "d1",
    "delta 2": "d2",
    "delta 3": "d3",
    "root mean square error": "rmse",
    "root mean squared error": "rmse",
    "absolute relative error": "abs_rel",
    "mean iou": "miou",
    "mean average precision": "map",
}
"""Common name of a metric -> its name in a skill, where the skill has it."""


def spoken_names(metrics: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names by which a text may call metrics."""
    names = {_tail(name) for name in metrics} | set(metrics)
    plain = {_plain(name) for name in names}
    return tuple(sorted(names | {spoken for spoken, name in _SPOKEN.items() if _plain(name) in plain}))


def metric_named(match: re.Match[str], metrics: Mapping[str, str]) -> str | None:
    """Return the metric of a match, the validation's where it leaves it open; None where it contradicts the metric."""
    groups, spoken = match.groupdict(), _plain(match["metric"])
    wanted = next((_plain(name) for said, name in _SPOKEN.items() if _plain(said) == spoken), spoken)
    fitting = [name for name in metrics if wanted in {_plain(name), _plain(_tail(name))}]
    exact = [name for name in fitting if _plain(name) == wanted and name != _tail(name)]
    of_validation = [name for name in fitting if name.lower().startswith("val")]
    name = next(iter([*exact, *of_validation, *fitting]))
    if groups.get("val") and name.startswith(("test", "train")):
        return None
    how = (groups.get("how") or "").lower()
    meant = {direction for direction, begins in _DIRECTIONS.items() if how.startswith(begins)}
    return name if not meant or metrics[name] in meant else None


def _tail(name: str) -> str:
    """Return a metric's name without the split it is measured on."""
    return re.sub(r"^(?:val|test|train)[/_]", "", name)


def _plain(name: str) -> str:
    return re.sub(r"[\s/_-]+", "", name.lower())
