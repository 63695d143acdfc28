"""Logs: a number counts only behind the very name that was asked for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from automl.readers.log_lines import LogReader, metrics_in

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("line", "name", "expected"),
    [
        ("val/d1: 0.5", "val/d1", 0.5),
        ("val_d1=0.5", "val/d1", 0.5),
        ("{'val_loss': 0.25, 'lr': 1}", "val_loss", 0.25),
        ('"val_loss" : -2.5e-3,', "val_loss", -0.0025),
        ("Validation mAP50: 0.4", "val_mAP50", 0.4),
        ("Epoch 3:  50%| | 5/10 [00:01, train_loss_step=0.75, v_num=0]", "train_loss", 0.75),
        ("train_loss_step=0.1, train_loss_epoch=0.2", "train_loss", 0.2),
        ("loss: 1 ... loss: 2", "loss", 2.0),
        ("loss=tensor(0.5, device='cuda:0')", "loss", 0.5),
        ("loss=.5", "loss", 0.5),
        ("train_loss=nan.0", "train_loss", "nan"),
        ("train_loss: -inf", "train_loss", "-inf"),
        ("train_loss: Infinity", "train_loss", "inf"),
        ("val Precision at Rank 1: 0.9", "val Precision at Rank 1", 0.9),
        ("[bbox] val_mAP@50: 0.3", "[bbox] val_mAP@50", 0.3),
    ],
)
def test_a_number_behind_the_name_is_the_metric(line: str, name: str, expected: float | str) -> None:
    assert metrics_in(line, (name,)) == {name: expected}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("val_loss: 0.5", "loss"),
        ("loss_scale: 1024", "loss"),
        ("my.loss: 0.5", "loss"),
        ("Validation loss: 0.5", "loss"),
        ("train loss: 0.5", "loss"),
        ("best val_acc: 0.9", "val_acc"),
        ("the loss is 0.5", "loss"),
        ("loss: none", "loss"),
        ("loss: 12ms", "loss"),
        ("loss: nano", "loss"),
        ("val/d1 improved", "val/d1"),
    ],
)
def test_a_number_behind_another_name_is_not(line: str, name: str) -> None:
    assert metrics_in(line, (name,)) == {}


def reader(tmp_path: Path, objective: str, *watched: str) -> LogReader:
    return LogReader(tmp_path / "log", objective, watched, lambda: False, lambda: False)


def read(tmp_path: Path, text: str, *names: str) -> list[tuple[int | None, dict[str, float]]]:
    (tmp_path / "log").write_text(text, encoding="utf-8")
    return [(m.epoch, dict(m.values)) for m in reader(tmp_path, *names).finish()]


def test_the_epoch_is_the_one_the_log_named_last_counted_from_0(tmp_path: Path) -> None:
    text = "Epoch 1/2\nval_d1: 0.1\nEpoch 2/2\nval_d1: 0.2\n"

    assert read(tmp_path, text, "val/d1") == [(0, {"val/d1": 0.1}), (1, {"val/d1": 0.2})]


def test_an_epoch_that_counts_from_0_is_taken_as_it_is(tmp_path: Path) -> None:
    text = "Epoch 0: val_d1=0.1\nEpoch 1: val_d1=0.1\nEpoch 1: val_d1=0.2\n"

    assert read(tmp_path, text, "val/d1") == [(0, {"val/d1": 0.1}), (1, {"val/d1": 0.2})]


def test_a_value_that_a_progress_bar_repeats_counts_once(tmp_path: Path) -> None:
    text = "Epoch 0: val_d1=0.1\rEpoch 1: 10% val_d1=0.1\rEpoch 1: 20% val_d1=0.1\n"

    assert read(tmp_path, text, "val/d1") == [(0, {"val/d1": 0.1})]


def test_a_value_that_is_not_finite_is_reported_as_text(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("Epoch 0: train_loss=nan\n", encoding="utf-8")

    (found,) = reader(tmp_path, "train_loss").finish()

    assert (found.values, found.nonfinite) == ({}, {"train_loss": "nan"})


def test_a_talkative_trainer_does_not_keep_a_core_busy() -> None:
    line = "Epoch 3:  50%|##   | 5/10 [00:12<00:12, 7.9it/s, v_num=0, train_loss_step=0.125, lr=0.001, grad: 0.5]"
    names = ("train_loss", "val/d1")
    started_s = time.process_time()

    for _ in range(5000):
        metrics_in(line, names)

    # A trainer with 1000 lines a second would cost a tenth of a core; the machine of the test may be slow.
    assert time.process_time() - started_s < 2.0
