"""The log as the last resort: it speaks where nothing better does, and at once about a loss that is not finite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.readers.log_lines import LogReader

if TYPE_CHECKING:
    from pathlib import Path


def fallback(tmp_path: Path, text: str, *, has_status: bool, has_objective: bool = False) -> LogReader:
    (tmp_path / "log").write_text(text, encoding="utf-8")
    return LogReader(tmp_path / "log", "val/d1", ("train_loss",), lambda: has_status, lambda: has_objective)


LOG = "Epoch 1/2: train_loss=0.5 val_d1: 0.25\n"


def test_without_a_status_file_the_log_counts_at_once(tmp_path: Path) -> None:
    (found,) = fallback(tmp_path, LOG, has_status=False).read()

    assert found.values == {"train_loss": 0.5, "val/d1": 0.25}


def test_beside_a_status_file_the_log_waits_for_the_end(tmp_path: Path) -> None:
    log = fallback(tmp_path, LOG, has_status=True)

    assert log.read() == []
    assert [m.values["val/d1"] for m in log.finish()] == [0.25]


def test_the_log_says_nothing_where_the_objective_is_known(tmp_path: Path) -> None:
    log = fallback(tmp_path, LOG, has_status=True, has_objective=True)

    assert log.read() == []
    assert log.finish() == []


def test_a_training_loss_that_is_not_finite_counts_at_once_beside_a_status_file(tmp_path: Path) -> None:
    (found,) = fallback(tmp_path, "train_loss_step=nan.0 val_d1=nan\n", has_status=True).read()

    assert (found.values, found.nonfinite) == ({}, {"train_loss": "nan"})
