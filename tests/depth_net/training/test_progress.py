from __future__ import annotations

import io
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from rich.console import Console

from depth_net.training import progress
from depth_net.training.progress import ProgressBar, ProgressLog

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer

    from depth_net.task import DepthTask

TASK = cast("DepthTask", SimpleNamespace(running_loss=lambda: 0.25, learning_rate=lambda: 1e-4))
MODULE = cast("LightningModule", cast("Any", None))


def trainer_at(batch: int) -> Trainer:
    loop = SimpleNamespace(total_batch_idx=batch)
    return cast("Trainer", SimpleNamespace(max_epochs=2, num_training_batches=10, current_epoch=0, fit_loop=loop))


@pytest.mark.parametrize(("every", "lines"), [(4, 2), (0, 0)])
def test_lines_come_at_the_interval(every: int, lines: int, caplog: pytest.LogCaptureFixture) -> None:
    log = ProgressLog(TASK, every)

    with caplog.at_level("INFO"):
        for batch in range(10):
            log.on_train_batch_end(trainer_at(batch), MODULE, None, None, batch)

    assert len(caplog.messages) == lines
    assert all("loss 0.25000  lr 1.00e-04" in message for message in caplog.messages)


def test_the_bar_shows_epoch_loss_rate_and_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_REFRESH_S", 0.0)
    screen = io.StringIO()
    bar = ProgressBar(TASK, 8, Console(file=screen, force_terminal=True, width=120))

    bar.on_train_start(trainer_at(-1), MODULE)
    for batch in range(10):
        bar.on_train_batch_end(trainer_at(batch), MODULE, None, None, batch)
    bar.on_train_end(trainer_at(9), MODULE)

    assert "epoch 1/2" in screen.getvalue()
    assert "10/20" in screen.getvalue()
    assert "loss 0.2500  lr 1.0e-04" in screen.getvalue()
    assert "images/s" in screen.getvalue()


def test_a_failed_run_leaves_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_REFRESH_S", 0.0)
    screen = io.StringIO()
    bar = ProgressBar(TASK, 8, Console(file=screen, force_terminal=True, width=120))

    bar.on_train_start(trainer_at(-1), MODULE)
    bar.on_exception(trainer_at(0), MODULE, ValueError("x"))

    assert "\x1b[?25h" in screen.getvalue()
