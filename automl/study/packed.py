"""Metrics and curves of trials that have ended, for as long as a study lives: 8 bytes a number, not a hundred."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import overload

_FEWEST = 4
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


class PackedCurve(Sequence[tuple[int, float]]):
    """(epoch, value), in the order of another sequence."""

    __slots__ = ("_epochs", "_values")

    def __init__(self, points: Sequence[tuple[int, float]]) -> None:
        self._epochs = array("q", [epoch for epoch, _ in points])
        self._values = array("d", [value for _, value in points])

    @overload
    def __getitem__(self, place: int) -> tuple[int, float]: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[tuple[int, float]]: ...

    def __getitem__(self, place: int | slice) -> tuple[int, float] | Sequence[tuple[int, float]]:
        if isinstance(place, slice):
            return tuple(zip(self._epochs[place], self._values[place], strict=True))
        return self._epochs[place], self._values[place]

    def __len__(self) -> int:
        return len(self._epochs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


def packed(values: Mapping[str, float]) -> Mapping[str, float]:
    """Return values that take little room: few as they are, many with the names of the last ones if they are equal."""
    global _last_places  # noqa: PLW0603 # only the last names: studies of other names do not grow it
    if len(values) < _FEWEST:
        return values
    with _lock:
        if values.keys() != _last_places.keys():
            _last_places = {name: place for place, name in enumerate(values)}
        return PackedValues(_last_places, array("d", itemgetter(*_last_places)(values)))
