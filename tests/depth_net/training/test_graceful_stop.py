from __future__ import annotations

import os
import signal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
import torch
from lightning.pytorch.utilities.exceptions import SIGTERMException

from depth_net.training.graceful_stop import AGREE_EVERY, GracefulStop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lightning.pytorch import LightningModule, Trainer

MODULE = cast("LightningModule", cast("Any", None))


@pytest.fixture(autouse=True)
def restored_handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def trainer_of(world_size: int, *, others_asked: bool = False) -> Trainer:
    def reduce(flag: torch.Tensor, reduce_op: str) -> torch.Tensor:
        assert reduce_op == "sum"
        return flag + float(others_asked)

    strategy = SimpleNamespace(root_device=torch.device("cpu"), reduce=reduce)
    return cast("Trainer", SimpleNamespace(world_size=world_size, strategy=strategy))


def test_one_process_stops_after_the_batch_in_hand() -> None:
    stop, trainer = GracefulStop(), trainer_of(1)
    stop.on_train_start(trainer, MODULE)
    stop.on_train_batch_end(trainer, MODULE, None, None, 0)

    os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SIGTERMException):
        stop.on_train_batch_end(trainer, MODULE, None, None, 1)
    with pytest.raises(SIGTERMException):
        stop.on_validation_batch_end(trainer, MODULE, None, None, 0)


def test_several_processes_stop_at_the_same_batch_even_if_only_one_was_asked() -> None:
    stop, trainer = GracefulStop(), trainer_of(2, others_asked=True)
    stop.on_train_start(trainer, MODULE)

    for batch in range(AGREE_EVERY - 1):
        stop.on_train_batch_end(trainer, MODULE, None, None, batch)
    stop.on_validation_batch_end(trainer, MODULE, None, None, 0)

    with pytest.raises(SIGTERMException):
        stop.on_train_batch_end(trainer, MODULE, None, None, AGREE_EVERY - 1)
    with pytest.raises(SIGTERMException):
        stop.on_validation_end(trainer, MODULE)


def test_without_a_signal_nothing_stops() -> None:
    stop, trainer = GracefulStop(), trainer_of(2)
    stop.on_train_start(trainer, MODULE)

    for batch in range(2 * AGREE_EVERY):
        stop.on_train_batch_end(trainer, MODULE, None, None, batch)
    stop.on_validation_end(trainer, MODULE)
