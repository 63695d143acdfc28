"""Thousands of metrics of a trial, for as long as a study lives: 8 bytes each, where a dict takes a hundred."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterator, Mapping
from operator import itemgetter

_FEWEST = 50
"""So many metrics are worth it."""
_last_places: dict[str, int] = {}
_lock = threading.Lock()


class PackedValues(Mapping[str, float]):
    """Metric name -> value; those with the same names share them."""

    __slots__ = ("_numbers", "_places")

    def __init__(self, places: dict[str, int], numbers: array[float]) -> None:
        self._places = places
        self._numbers = numbers

    def __getitem__(self, name: str) -> float:
        return self._numbers[self._places[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._numbers)

    def __repr__(self) -> str:
        return repr(dict(self))

    def __reduce__(self) -> tuple[type[dict[str, float]], tuple[dict[str, float]]]:
        return dict, (dict(self),)


def packed(values: Mapping[str, float]) -> Mapping[str, float]:
    """Return values that take little room: few as they are, many with the names of the last ones if they are equal."""
    global _last_places  # noqa: PLW0603 # only the last names: studies of other names do not grow it
    if len(values) < _FEWEST:
        return values
    with _lock:
        if values.keys() != _last_places.keys():
            _last_places = {name: place for place, name in enumerate(values)}
        return PackedValues(_last_places, array("d", itemgetter(*_last_places)(values)))
