from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

from depth_net.data.sample_order import EpochSampler, Share
from depth_net.training.resumable_loader import ResumableLoader

if TYPE_CHECKING:
    from depth_net.data.loaders import Batch


def build() -> ResumableLoader:
    loader = DataLoader(TensorDataset(torch.arange(6)), batch_size=2)
    return ResumableLoader(cast("DataLoader[Batch]", loader))


def first_values(loader: ResumableLoader) -> list[int]:
    return [int(cast("list[torch.Tensor]", batch)[0][0]) for batch in loader]


def test_a_restored_loader_gives_only_what_is_left_and_then_everything() -> None:
    source, restored = build(), build()
    iterator = iter(source)
    next(iterator)

    restored.load_state_dict(source.state_dict())

    assert first_values(restored) == [2, 4]
    assert first_values(restored) == [0, 2, 4]


def test_a_finished_epoch_starts_anew() -> None:
    source, restored = build(), build()
    assert first_values(source) == [0, 2, 4]

    restored.load_state_dict(source.state_dict())

    assert first_values(restored) == [0, 2, 4]


def test_length_and_sampler_are_those_of_the_loader() -> None:
    loader = build()

    assert len(loader) == 3
    assert list(loader.sampler) == [0, 1, 2, 3, 4, 5]


def running_on(*, epochs: int) -> ResumableLoader:
    """Five samples in batches of two: the last one of every epoch is left out."""
    sampler = EpochSampler(5, seed=3, share=Share())
    loader: DataLoader[Any] = DataLoader(Keys(), batch_size=2, drop_last=True, sampler=sampler, collate_fn=list)
    sampler.run_on(until=epochs, multiple=2)
    return ResumableLoader(cast("DataLoader[Batch]", loader))


class Keys(Dataset[Any]):
    """Gives the key that it is asked for."""

    def __getitem__(self, key: object) -> object:
        return key


def epoch_of(loader: ResumableLoader, epoch: int, *, batches: int | None = None) -> list[Any]:
    assert isinstance(loader.sampler, EpochSampler)
    loader.sampler.set_epoch(epoch)
    return list(islice(loader, batches))


def test_epochs_in_a_row_are_those_that_a_loader_gives_which_starts_anew() -> None:
    loader = running_on(epochs=3)

    in_a_row = [epoch_of(loader, epoch) for epoch in range(3)]

    assert in_a_row == [epoch_of(running_on(epochs=3), epoch) for epoch in range(3)]
    assert [{key[0] for batch in epoch for key in batch} for epoch in in_a_row] == [{0}, {1}, {2}]
    assert [len(epoch) for epoch in in_a_row] == [2, 2, 2]


def test_an_epoch_that_was_left_early_or_skipped_is_not_continued() -> None:
    loader = running_on(epochs=9)

    epoch_of(loader, 0, batches=1)

    assert epoch_of(loader, 1) == epoch_of(running_on(epochs=9), 1)
    assert epoch_of(loader, 5) == epoch_of(running_on(epochs=9), 5)


def test_what_is_left_of_a_restored_epoch_is_followed_by_the_next() -> None:
    loader = running_on(epochs=3)
    loader.load_state_dict({"given": 1})

    assert epoch_of(loader, 1) == epoch_of(running_on(epochs=3), 1)[1:]
    assert epoch_of(loader, 2) == epoch_of(running_on(epochs=3), 2)
