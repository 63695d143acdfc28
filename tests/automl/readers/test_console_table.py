"""Tables that trainers print: a column's value is read by its name, or the trial says that a table was not read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.automl.readers.test_log_choice import curve, notices, read

if TYPE_CHECKING:
    from pathlib import Path

THREE = {0: 0.71, 1: 0.72, 2: 0.73}
RICH = """
       Results
┏━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━┓
┃ Epoch ┃ train_loss ┃ val_acc ┃
┡━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━┩
│ 1     │ 0.5        │ 0.71    │
│ 2     │ 0.4        │ 0.72    │
│ 3     │ 0.3        │ 0.73    │
└───────┴────────────┴─────────┘
"""
PRETTY = """
+-------+------------+---------+
| Epoch | Train Loss | Val Acc |
+-------+------------+---------+
|  1/3  |    0.5     |   0.71  |
|  2/3  |    0.4     |   0.72  |
|  3/3  |    0.3     |   0.73  |
+-------+------------+---------+
"""
SIMPLE = """
  epoch    train_loss    val_acc    dur
-------  ------------  ---------  -----
      1        0.5000     0.7100   0.10
      2        0.4000     0.7200   0.11
      3        0.3000     0.7300   0.12
"""
# A mark stands in some rows only.
SKORCH = """
  epoch    train_loss    val_acc    cp     dur
-------  ------------  ---------  ----  ------
      1        0.5000     0.7100     +  0.1000
      2        0.4000     0.7200        0.1100
      3        0.3000     0.7300     +  0.1200
"""
FASTAI = """epoch     train_loss  valid_loss  val_acc   time
0         0.500000    0.600000    0.710000  00:03
1         0.400000    0.500000    0.720000  00:03
2         0.300000    0.400000    0.730000  00:03
"""
GROWING = "".join(
    f"| epoch | lr | val_acc |\n|---|---|---|\n| {n} | 1e-3 | 0.7{n} |\nsaved model {n}\n" for n in (1, 2, 3)
)
CSV = "epoch,train_loss,val_acc\n1,0.5,0.71\n2,0.4,0.72\n3,0.3,0.73\n"
CLOSE = "epoch train_loss val_acc\n1 0.5 0.71\n2 0.4 0.72\n3 0.3 0.73\n"
YOLO = "".join(
    "      Epoch    GPU_mem   box_loss   cls_loss  Instances       Size\n"
    f"\r        {n}/3      2.5G      1.2      2.3         12        640:  50%|█████     | 4/8 [00:01<00:01,  2.0it/s]"
    f"\r        {n}/3      2.5G      1.2      2.3         12        640: 100%|██████████| 8/8 [00:03<00:00,  2.0it/s]\n"
    "                 Class     Images  Instances          P          R      val_acc: 100%|██████████| 4/4\n"
    f"                   all        128        929      0.641      0.537      0.7{n}\n"
    "                person        128        254      0.764      0.616      0.1\n"
    "                   dog         10          9      0.652      0.667      0.2\n"
    for n in (1, 2, 3)
)
VERTICAL = """
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━┓
┃      Validate metric      ┃       DataLoader 0        ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━┩
│          val_acc          │    0.7                    │
│         val_loss          │    0.5                    │
└───────────────────────────┴───────────────────────────┘
"""
PHASES = "| epoch | phase | acc |\n" + "".join(
    f"| {n} | {phase} | {value}{n} |\n" for n in (1, 2, 3) for phase, value in (("train", "0.9"), ("val", "0.7"))
)
SPLITS = "| Metric | Train | Val |\n|---|---|---|\n| loss | 0.1 | 0.2 |\n| acc | 0.9 | 0.7 |\n"
REPORT = """
              precision    recall  val_acc   support

     cat       0.67      0.80      0.73        50
   macro avg   0.61      0.60      0.60       100
"""
SECTIONS = "".join(f"Epoch {n}/3\ntrain_loss  val_acc\n0.9         0.7{n}\nTime 12.5 s\n" for n in (1, 2, 3))
EMPTY = "epoch | f1 | val_acc\n1 | 0.1 |\n2 | 0.2 | 0.5\n3 | 0.1 |\n4 | 0.1 | 0.6\n"
CLASSES = "".join(
    f"Epoch {n}\n| class | val_acc |\n| all | {v} |\n| cat | 0.9 |\n" for n, v in ((1, 0.5), (2, 0.5), (3, 0.6))
)
UNREAD = "val_acc is the name of a column in a table of the log, of which no row was read"
ALL_ANEW = "".join(
    "| loss | val_acc |\n|---|---|\n" + "".join(f"| 0.{m} | 0.7{m} |\n" for m in range(1, n + 1)) for n in (1, 2, 3)
)
OTHER = "| lr | wd | size |\n| 1 | 2 | 3 |\n| 2 | 3 | 4 |\n"
SUMMARY = "| Name | Type | Params |\n|---|---|---|\n| 0 | val_acc | Accuracy | 0 |\n"


@pytest.mark.parametrize(
    ("text", "objective", "expected"),
    [
        (RICH, "val_acc", THREE),
        (PRETTY, "val_acc", THREE),
        (PRETTY, "val/acc", THREE),
        (SIMPLE, "val_acc", THREE),
        (SKORCH, "val_acc", THREE),
        (FASTAI, "val_acc", THREE),
        ("".join(f"2026-11-30 10:00:01,123 INFO {line}\n" for line in FASTAI.splitlines()), "val_acc", THREE),
        ("".join(f"INFO:root:{line}\n" for line in GROWING.splitlines()), "val_acc", THREE),
        ("".join(f"[10:00:01] {line}\n" for line in GROWING.splitlines()), "val_acc", THREE),
        (FASTAI, "valid_loss", {0: 0.6, 1: 0.5, 2: 0.4}),
        (GROWING, "val_acc", THREE),
        (GROWING.replace("saved", "  50%|##  | 1/2 [00:01<00:01,  2.0it/s]\nsaved"), "val_acc", THREE),
        (GROWING.replace("val_acc", "Val Acc (%)").replace("0.7", "7"), "val_acc", {0: 71.0, 1: 72.0, 2: 73.0}),
        (CSV, "val_acc", THREE),
        (CSV.replace(",", "\t"), "val_acc", THREE),
        (CLOSE, "val_acc", THREE),
        (YOLO, "val_acc", THREE),
        (VERTICAL, "val_acc", {None: 0.7}),
        (SPLITS, "val_acc", {None: 0.7}),
        (SPLITS, "acc", {None: 0.7}),
        (ALL_ANEW, "val_acc", THREE),
        (PRETTY + PRETTY, "val_acc", THREE),
        (PRETTY.replace("+", "|") + OTHER, "val_acc", THREE),
        (YOLO.replace("val_acc:", "mAP50-95):").replace(" P ", " Box(P "), "mAP50-95", THREE),
        (YOLO.replace("R      val_acc:", "mAP@.5  mAP@.5:.95:"), "mAP@.5", dict.fromkeys(range(3), 0.537)),
        *((EMPTY.replace(" | ", mark).replace(" |", mark), "val_acc", {1: 0.5, 3: 0.6}) for mark in ("|", ",", "\t")),
        (SECTIONS, "val_acc", THREE),
        ("f1  val_acc\n0.9   0.6\n0.8   0.7\nSaved 3\n", "val_acc", {0: 0.6, 1: 0.7}),
        (CLASSES, "val_acc", {0: 0.5, 1: 0.5, 2: 0.6}),
        (CLASSES.replace("|", " "), "val_acc", {0: 0.5, 1: 0.5, 2: 0.6}),
        (PHASES, "acc", THREE),
        (PHASES, "val_acc", THREE),
        (RICH.replace("Epoch", "Round"), "val_acc", THREE),
        (SUMMARY, "val_acc", {}),
        ("| epoch | train_loss |\n| one | 0.5 |\n", "val_acc", {}),
        (f"{SUMMARY}Epoch 1: val_acc: 0.7\n", "val_acc", {0: 0.7}),
        ("Epoch 1 val_acc: 0.7\nThe val_acc of all  runs  so far\n1 2 3 4 5\n0.1  0.2  0.3\n", "val_acc", {0: 0.7}),
        ("| val_acc_threshold | 0.5 |\n| best_val_acc | 0.9 |\n| epochs | 100 |\n", "val_acc", {}),
    ],
)
def test_the_value_of_a_column_is_read_by_its_name(
    tmp_path: Path, text: str, objective: str, expected: dict[int | None, float]
) -> None:
    found = read(tmp_path, text, objective)

    assert (curve(found, objective), notices(found)) == (expected, [])
    assert curve(read(tmp_path, text, objective, bytes_at_once=7), objective) == expected


def test_the_training_loss_of_a_table_is_watched(tmp_path: Path) -> None:
    found = read(tmp_path, RICH.replace("0.4 ", "nan "), "val_acc")

    assert [(m.epoch, dict(m.nonfinite)) for m in found if m.nonfinite] == [(1, {"train_loss": "nan"})]


@pytest.mark.parametrize(
    ("text", "notice"),
    [
        ("epoch   val_acc   f1\n  one   two  three  four  1  2  3\n", UNREAD),
        (REPORT, UNREAD),
        ("| Metric | DataLoader 0 | DataLoader 1 |\n| val_acc | 0.7 | 0.6 |\n", "several values of it"),
        ("| epoch | val_acc |\n| 1 | 91,2 |\n", "where it is written 91,2"),
    ],
)
def test_a_table_that_is_not_read_is_said(tmp_path: Path, text: str, notice: str) -> None:
    found = read(tmp_path, text, "val_acc")

    assert curve(found, "val_acc") == {}
    assert [notice in said for said in notices(found)] == [True]


LOSSES = (1.3, None, 1.02, None, 0.8)


@pytest.mark.parametrize(
    "begin", ["epoch   train_loss   val_loss   lr", f"{'epoch':<6}{'train_loss':<11}{'val_loss':<9}lr"]
)
def test_no_other_column_is_read_where_a_cell_is_empty(tmp_path: Path, begin: str) -> None:
    cells = [" " * 8 if loss is None else f"{loss:8.4f}" for loss in LOSSES]
    rows = [f"{epoch:5d} {1.2:10.4f} {cell} {0.001:7.4f}\n" for epoch, cell in enumerate(cells, start=1)]

    found = read(tmp_path, "\n".join((begin, *rows)), "val_loss")

    assert curve(found, "val_loss") == {0: 1.3, 2: 1.02, 4: 0.8}
    assert ["3 cells below 4 names" in said for said in notices(found)] == [True]


@pytest.mark.parametrize("mark", [" *", " <- best", " \u2713", " saved", "(best)"])
def test_a_row_with_a_mark_behind_it_is_a_row(tmp_path: Path, mark: str) -> None:
    rows = [f"{epoch} 0.5 {loss}{'' if epoch % 2 else f' {mark}'}" for epoch, loss in enumerate((1.3, 1.1, 0.8))]

    found = read(tmp_path, "\n".join(("epoch train_loss val_loss", *rows, "")), "val_loss")

    assert (curve(found, "val_loss"), notices(found)) == ({0: 1.3, 1: 1.1, 2: 0.8}, [])
