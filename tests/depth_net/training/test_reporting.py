from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from depth_net.errors import DivergenceError
from depth_net.training.reporting import FinalCheck

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer

    from depth_net.task import DepthTask


def end(d1: float) -> None:
    task = cast("DepthTask", SimpleNamespace(kpi={"val/d1": d1}))
    trainer = cast("Trainer", SimpleNamespace(current_epoch=3, global_step=30))
    FinalCheck(task).on_train_end(trainer, cast("LightningModule", cast("Any", None)))


def test_a_run_whose_last_score_is_no_number_has_failed() -> None:
    with pytest.raises(DivergenceError, match="epoch 3, step 30"):
        end(float("nan"))


def test_a_run_with_a_score_is_finished() -> None:
    end(0.5)
