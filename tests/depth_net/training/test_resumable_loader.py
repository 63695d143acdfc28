from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch.utils.data import DataLoader, TensorDataset

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
