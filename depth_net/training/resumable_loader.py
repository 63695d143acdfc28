"""A training loader that can start in the middle of an epoch, so that a resumed run sees exactly the batches left.

Where its sampler continues with the next epoch, loading continues during the validation: otherwise a GPU waits at the
beginning of every epoch for the first batches, 0.7 s with 16 loading processes.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from depth_net.data.sample_order import EpochSampler

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from torch.utils.data import DataLoader

    from depth_net.data.loaders import Batch


class ResumableLoader:
    """Wraps a loader; Lightning finds ``state_dict`` and ``load_state_dict`` here and puts them into checkpoints.

    Iteration begins only with the request for the first batch, after Lightning has set the sampler's epoch: otherwise
    loading processes of a resumed run would already have fetched batches of epoch 0.
    """

    def __init__(self, loader: DataLoader[Batch]) -> None:
        self._loader = loader
        self._given = 0
        self._skip = 0
        self._stream: Iterator[Batch] = iter(())
        self._coming: int | None = None  # the epoch whose batches the stream gives next

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Batch]:
        skip, self._skip = self._skip, 0
        self._given = skip
        sampler = self._loader.sampler
        following = sampler.epoch + 1 if isinstance(sampler, EpochSampler) and sampler.runs_on else None
        if skip or following is None or self._coming != following - 1:
            self._stream = iter(self._loader)
        self._coming = None
        for batch in islice(self._stream, skip, len(self)):
            self._given += 1
            if self._given == len(self):
                self._coming = following
            yield batch

    @property
    def sampler(self) -> Iterable[Any]:
        """The sampler whose ``set_epoch`` Lightning calls."""
        return self._loader.sampler

    def state_dict(self) -> dict[str, int]:
        """Return how many batches of the epoch were given."""
        return {"given": self._given}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Skip the batches that were given before; after a finished epoch nothing is skipped."""
        self._skip = state["given"] % max(1, len(self))
