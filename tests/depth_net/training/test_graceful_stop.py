from __future__ import annotations

import os
import signal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException

from depth_net.execution import Request, execute
from depth_net.task import DepthTask
from depth_net.training.graceful_stop import AGREE_EVERY, GracefulStop, is_between_steps, stop_by_agreement_alone
from tests.depth_net.specs import read_status, write_spec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lightning.pytorch import LightningModule
    from torch import Tensor

MODULE = cast("LightningModule", cast("Any", None))


@pytest.fixture(autouse=True)
def restored_handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def trainer_of(world_size: int, *, others_asked: bool = False, accumulated: int = 1, batches: int = 1000) -> Any:  # noqa: ANN401 - stands for a Trainer
    def reduce(flag: torch.Tensor, reduce_op: str) -> torch.Tensor:
        assert reduce_op == "sum"
        return flag + float(others_asked)

    strategy = SimpleNamespace(root_device=torch.device("cpu"), reduce=reduce)
    return SimpleNamespace(
        world_size=world_size,
        strategy=strategy,
        global_step=0,
        accumulate_grad_batches=accumulated,
        num_training_batches=batches,
    )


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

    for trainer.global_step in range(1, AGREE_EVERY):
        stop.on_train_batch_end(trainer, MODULE, None, None, 0)  # epochs of one batch, as short as can be
    stop.on_validation_batch_end(trainer, MODULE, None, None, 0)

    trainer.global_step = AGREE_EVERY
    with pytest.raises(SIGTERMException):
        stop.on_train_batch_end(trainer, MODULE, None, None, 0)
    with pytest.raises(SIGTERMException):
        stop.on_validation_end(trainer, MODULE)


@pytest.mark.filterwarnings("ignore:The `srun` command is available")  # where Slurm is installed
def test_lightnings_own_agreement_at_every_batch_is_switched_off() -> None:
    trainer = Trainer(logger=False, enable_progress_bar=False, enable_checkpointing=False)
    name = "_broadcast_sigterm_tensor"
    assert hasattr(type(trainer.fit_loop.epoch_loop), name)

    stop_by_agreement_alone(trainer)

    assert vars(trainer.fit_loop.epoch_loop)[name]() is None


def test_without_a_signal_nothing_stops() -> None:
    stop, trainer = GracefulStop(), trainer_of(2)
    stop.on_train_start(trainer, MODULE)

    for trainer.global_step in range(1, 2 * AGREE_EVERY):
        stop.on_train_batch_end(trainer, MODULE, None, None, 0)
    stop.on_validation_end(trainer, MODULE)


def test_gradients_of_a_part_of_a_step_are_never_cut_off() -> None:
    stop, trainer = GracefulStop(), trainer_of(1, accumulated=3, batches=5)
    stop.on_train_start(trainer, MODULE)
    os.kill(os.getpid(), signal.SIGTERM)

    stop.on_train_batch_end(trainer, MODULE, None, None, 0)
    stop.on_train_batch_end(trainer, MODULE, None, None, 1)

    with pytest.raises(SIGTERMException):
        stop.on_train_batch_end(trainer, MODULE, None, None, 2)
    assert [is_between_steps(trainer, batch) for batch in range(5)] == [False, False, True, False, True]


def test_ctrl_c_leaves_a_checkpoint_and_ends_as_an_interrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: DepthTask, batch: Any, batch_idx: int) -> Tensor:  # noqa: ANN401 - Lightning's signature
        if self.trainer.global_step == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, batch, batch_idx)

    original, handler = DepthTask.training_step, signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(DepthTask, "training_step", interrupted)

    assert execute(Request(action="train", spec=write_spec(tmp_path))) == 130

    last = read_status(tmp_path / "results" / "train")[-1]
    assert (last["code"], last["message"]) == (
        "interrupted",
        "train stopped by a signal; the newest checkpoint can be resumed",
    )
    assert (tmp_path / "results" / "train" / "dn_model_latest.pth").exists()
    assert signal.getsignal(signal.SIGINT) is handler
