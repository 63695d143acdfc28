"""Which sample comes when, and which samples share a batch.

Only images of equal size share a batch: an encoder attends to padding, so that a prediction would depend on the other
images of its batch.

The order of a training epoch depends on the seed and the epoch only; call ``loader.sampler.set_epoch`` before each
epoch (Lightning does). Keep ``use_distributed_sampler=False`` in Lightning: the sampler here already gives each rank
its share.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

import torch
from torch.utils.data import Sampler

from depth_net.data.dataset import REPEATED, SampleKey

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

_WINDOW = 4
"""Batches among which images of equal size are looked for; a prediction waits for as many at most to keep the order."""


@dataclass(frozen=True, slots=True)
class Share:
    """Which part of the samples this process loads."""

    rank: int = 0
    world_size: int = 1


_KeyT_co = TypeVar("_KeyT_co", covariant=True)


class ClosableSampler(Sampler[_KeyT_co]):
    """Can be iterated without giving anything, which starts loading processes."""

    _is_closed = False

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Yield no sample inside the block."""
        self._is_closed = True
        try:
            yield
        finally:
            self._is_closed = False


class EpochSampler(ClosableSampler[SampleKey]):
    """Gives each rank its share of the training samples, as (epoch, row number), reshuffled in every epoch."""

    def __init__(self, length: int, *, seed: int, share: Share) -> None:
        self._length = length
        self._seed = seed
        self._share = share
        self.epoch = 0
        self._until, self._multiple = 0, 1

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next iteration, from 0."""
        self.epoch = epoch

    def run_on(self, *, until: int, multiple: int) -> None:
        """Let an iteration continue with the following epochs, so that loading does not restart between two of them.

        Args:
            until: The first epoch that is not given.
            multiple: Of every epoch as many samples are given as whole batches of this size take.
        """
        self._until, self._multiple = until, multiple

    @property
    def runs_on(self) -> bool:
        """Whether an iteration continues with the next epoch."""
        return self._until > 0

    def __len__(self) -> int:
        return self._length // self._share.world_size

    def __iter__(self) -> Iterator[SampleKey]:
        if self._is_closed:
            return iter(())
        return chain.from_iterable(map(self._order, range(self.epoch, max(self._until, self.epoch + 1))))

    def _order(self, epoch: int) -> list[SampleKey]:
        generator = torch.Generator().manual_seed((self._seed * 1_000_003 + epoch) & 0x7FFF_FFFF_FFFF_FFFF)
        indices = torch.randperm(self._length, generator=generator).tolist()
        own = indices[self._share.rank :: self._share.world_size][: len(self) // self._multiple * self._multiple]
        return [(epoch, index) for index in own]


class ShapeBatches(ClosableSampler[list[SampleKey]]):
    """Gives each rank its share of the rows once, in batches of one image size, about in the order of the rows.

    All ranks give the same number of batches, because in sharded training each batch is a step of all. A rank with
    fewer repeats its last one under `REPEATED`.

    Args:
        length: Number of rows.
        batch_size: Most rows of a batch.
        share: Of this rank.
        shape_of: Size of the resized image of a row; not called where every row is a batch.
    """

    def __init__(self, length: int, *, batch_size: int, share: Share, shape_of: Callable[[int], Hashable]) -> None:
        shapes = [0] * length if batch_size == 1 else [shape_of(index) for index in range(length)]
        plans = [
            list(_group(range(rank, length, share.world_size), shapes, batch_size)) for rank in range(share.world_size)
        ]
        own = plans[share.rank]
        missing = max(map(len, plans)) - len(own)
        plan = [*((0, batch) for batch in own), *((REPEATED, batch) for batch in own[-1:] * missing)]
        self._batches: list[list[SampleKey]] = [[(epoch, index) for index in batch] for epoch, batch in plan]

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[SampleKey]]:
        return iter(() if self._is_closed else self._batches)


def _group(rows: Sequence[int], shapes: Sequence[Hashable], batch_size: int) -> Iterator[list[int]]:
    for window in _parts(rows, _WINDOW * batch_size):
        by_shape: dict[Hashable, list[int]] = {}
        for row in window:
            by_shape.setdefault(shapes[row], []).append(row)
        batches = [list(batch) for same in by_shape.values() for batch in _parts(same, batch_size)]
        yield from sorted(batches)


def _parts(rows: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))
