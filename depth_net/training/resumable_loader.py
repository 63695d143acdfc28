"""A training loader that can start in the middle of an epoch, so that a resumed run sees exactly the batches left."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from torch.utils.data import DataLoader

    from depth_net.data.loaders import Batch


class ResumableLoader:
    """Wraps a loader; Lightning finds ``state_dict`` and ``load_state_dict`` here and puts them into checkpoints.

    Iteration begins only when the first batch is asked for, after Lightning has told the sampler its epoch: otherwise
    loading processes of a resumed run would already have fetched batches of epoch 0.
    """

    def __init__(self, loader: DataLoader[Batch]) -> None:
        self._loader = loader
        self._given = 0
        self._skip = 0

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Batch]:
        skip, self._skip = self._skip, 0
        self._given = skip
        for batch in islice(iter(self._loader), skip, None):
            self._given += 1
            yield batch

    @property
    def sampler(self) -> Iterable[Any]:
        """The sampler whose ``set_epoch`` Lightning calls."""
        return self._loader.sampler

    def state_dict(self) -> dict[str, int]:
        """Return how many batches of the epoch were given."""
        return {"given": self._given}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Skip the batches that were given before; a finished epoch starts anew."""
        self._skip = state["given"] % max(1, len(self))
