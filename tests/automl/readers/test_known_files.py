"""Files of common trainers, as their versions of 2025 and 2026 write them, are read without a declaration."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from automl.readers.known_files import KnownFilesReader

if TYPE_CHECKING:
    from pathlib import Path

LIGHTNING = "epoch,step,train_loss,val_acc\n0,9,,0.5\n0,9,1.25,\n1,19,,0.625\n1,19,0.75,\n"
ULTRALYTICS = (
    "                  epoch,         train/box_loss,   metrics/mAP50(B)\n"
    "                      1,                 1.5,                0.25\n"
    "                      2,                 1.25,               0.5\n"
)
STATE = {
    "best_metric": 0.5,
    "epoch": 2.0,
    "global_step": 20,
    "log_history": [
        {"loss": 0.75, "grad_norm": 1.0, "learning_rate": 5e-05, "epoch": 0.5, "step": 5},
        {"eval_loss": 0.5, "eval_accuracy": 0.625, "epoch": 1.0, "step": 10},
        {"eval_loss": 0.5, "eval_accuracy": 0.75, "epoch": 2.0, "step": 20},
    ],
}
MMENGINE = (
    '{"lr": 0.01, "loss": 0.75, "epoch": 1, "iter": 10, "step": 10}\n'
    '{"coco/bbox_mAP": 0.25, "time": 0.1, "step": 1}\n'
    '{"lr": 0.01, "loss": 0.5, "epoch": 2, "iter": 20, "step": 20}\n'
    '{"coco/bbox_mAP": 0.5, "time": 0.1, "step": 2}\n'
)
BY_ITERATION = (
    '{"lr": 0.01, "loss": 0.75, "iter": 10, "step": 10}\n'
    '{"mIoU": 0.25, "step": 4000}\n'
    '{"lr": 0.01, "loss": 0.5, "iter": 4010, "step": 4010}\n'
    '{"mIoU": 0.5, "step": 8000}\n'
)
KERAS = "epoch,accuracy,loss,val_accuracy\n0,0.5,0.7,0.25\n1,0.6,0.6,0.5\n"


@pytest.mark.parametrize(
    ("name", "text", "metric", "expected"),
    [
        ("lightning_logs/version_0/metrics.csv", LIGHTNING, "val_acc", {0: 0.5, 1: 0.625}),
        ("metrics.csv", KERAS, "val_accuracy", {0: 0.25, 1: 0.5}),
        ("runs/train/results.csv", ULTRALYTICS, "metrics/mAP50(B)", {0: 0.25, 1: 0.5}),
        (
            "results.csv",
            ULTRALYTICS.replace("  1,", "  0,").replace("  2,", "  1,"),
            "train/box_loss",
            {0: 1.5, 1: 1.25},
        ),
        ("out/checkpoint-20/trainer_state.json", json.dumps(STATE), "eval_accuracy", {0: 0.625, 1: 0.75}),
        ("out/eval_results.json", '{"epoch": 3.0, "eval_accuracy": 0.5}', "eval_accuracy", {2: 0.5}),
        ("work_dirs/x/vis_data/scalars.json", MMENGINE, "coco/bbox_mAP", {0: 0.25, 1: 0.5}),
        ("work_dirs/x/vis_data/scalars.json", BY_ITERATION, "mIoU", {None: 0.5}),
        ("best_score.json", '{"best_score": 0.5}', "val_acc", {None: 0.5}),
        ("best_score.json", '{"val_acc": 0.25, "best_score": 0.5}', "val_acc", {None: 0.25}),
    ],
)
def test_the_metric_has_its_zero_based_epoch(
    tmp_path: Path, name: str, text: str, metric: str, expected: dict[int | None, float]
) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    reader = KnownFilesReader(tmp_path, metric, lambda: False)

    found = [*reader.read(), *reader.finish()]

    assert {m.epoch: m.values[metric] for m in found if metric in m.values} == expected
    assert reader.read() == []


def test_rows_that_are_appended_later_are_read_and_half_a_row_waits(tmp_path: Path) -> None:
    file = tmp_path / "metrics.csv"
    file.write_text(LIGHTNING + "2,29,,0.", encoding="utf-8")
    reader = KnownFilesReader(tmp_path, "val_acc", lambda: False)
    assert {m.epoch for m in reader.read() if "val_acc" in m.values} == {0, 1}

    file.write_text(LIGHTNING + "2,29,,0.875\n", encoding="utf-8")

    assert [(m.epoch, m.values["val_acc"]) for m in reader.finish() if "val_acc" in m.values][-1:] == [(2, 0.875)]


def test_a_loss_that_is_not_finite_is_no_number(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,step,train_loss\n0,9,nan\n", encoding="utf-8")

    (found,) = KnownFilesReader(tmp_path, "val_acc", lambda: False).finish()

    assert found.nonfinite == {"train_loss": "nan"}


def test_beside_a_status_file_and_through_links_nothing_is_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text(LIGHTNING, encoding="utf-8")
    trial = tmp_path / "trial"
    trial.mkdir()
    (trial / "metrics.csv").symlink_to(outside)
    assert list(KnownFilesReader(trial, "val_acc", lambda: False).finish()) == []

    (trial / "results.csv").write_text(LIGHTNING, encoding="utf-8")
    assert list(KnownFilesReader(trial, "val_acc", lambda: True).finish()) == []


def test_two_files_of_one_name_with_other_values_are_said_once(tmp_path: Path) -> None:
    for version, text in enumerate((LIGHTNING, LIGHTNING.replace("0.5\n", "0.25\n").replace("0.625", "0.375"))):
        (tmp_path / f"version_{version}").mkdir()
        (tmp_path / f"version_{version}/metrics.csv").write_text(text, encoding="utf-8")

    found = KnownFilesReader(tmp_path, "val_acc", lambda: False).finish()
    (said,) = [m.notice for m in found if m.notice]

    assert "val_acc of epoch 0 is 0.5 in version_0/metrics.csv and 0.25 in version_1/metrics.csv" in said
