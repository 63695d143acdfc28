"""Logs: a number counts only behind the very name that was asked for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from automl.readers.log_lines import LogReader
from automl.readers.mentions import metrics_in

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
        ("val_loss: 1,234.5", "val_loss", 1234.5),
        ("Average loss: 0.0265, Accuracy: 9912/10000 (99%)", "accuracy", 0.9912),
        ("{'val_loss': np.float64(0.5)}", "val_loss", 0.5),
        ("val_acc: 0.91±0.02", "val_acc", 0.91),
        ("epoch 3 val_loss: 0.5, previous val_loss: 0.7", "val_loss", 0.5),
        ("min val_loss: 0.3 val_loss: 0.5", "val_loss", 0.5),
        ("Epoch [1/6] | Train Loss: 0.7 | Val Acc: 49.50%", "val_acc", 49.5),
        ("Epoch [1/6] | Train Loss: 0.7 | Val Acc: 49.50%", "train_loss", 0.7),
        ("Test accuracy = 0.98", "test_accuracy", 0.98),
        ("mAP50: 0.6 mAP50:95: 0.4", "mAP50", 0.6),
        ("mAP@0.5:0.6 mAP@0.5:0.95=0.4", "mAP@0.5", 0.6),
        ("mAP@0.5:0.95=0.4", "mAP@0.5:0.95", 0.4),
        ("top1:75.2 top5:95", "top5", 95.0),
        ("val_loss = 0.5 + 0.2 = 0.7", "val_loss", 0.7),
        ("val_loss: 0.1*7.1=0.71", "val_loss", 0.71),
        ("val_loss: 10^-3", "val_loss", 0.001),
        ("val_loss: 5 e-3", "val_loss", 0.005),
        ("val_loss: 0.5 - 3 it/s", "val_loss", 0.5),
        ("cv_agg's auc: 0.85 + 0.01", "auc", 0.85),
        ("val_loss, val_acc: 0.9, 0.5", "val_acc", 0.5),
        ("train and val_acc: 90% and 50% lr=1", "val_acc", 50.0),
        ("val_loss, val_acc: 0.9, 12 s", "val_acc", 0.9),
        ("done, val_acc: 0.5, 12", "val_acc", 0.5),
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
        ("val_acc: 91,2 %", "val_acc"),
        ("val_loss: 10,000", "val_loss"),
        ("val_loss: 1.2k", "val_loss"),
        ("val_loss: 0.5s", "val_loss"),
        ("val_loss: 12:30", "val_loss"),
        ("val_loss: 1.5.2", "val_loss"),
        ("val_loss: 7/5", "val_loss"),
        ("val_loss: 0.5 -> 0.4", "val_loss"),
        ("target val_loss: 0.1", "val_loss"),
        ("Best Val Acc: 0.9", "val_acc"),
        ("Valid Loss: 0.3", "loss"),
        ("mAP50:95: 0.4", "mAP50"),
        ("AP@50:95 0.4", "AP@50"),
        ("{'mAP@.5:.95': 0.4}", "mAP@.5"),
        ("val_loss: 2^-3", "val_loss"),
        ("val_loss, val_acc: 0.9, 0.5, 3", "val_acc"),
        ("val_loss: 0.5 * 7", "val_loss"),
        ("val_loss: 0.5 + 0.2 + 0.1", "val_loss"),
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


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Epoch 0\ntrain Loss: 0.5 Acc: 0.9\nval Loss: 0.6 Acc: 0.7\n", [0.7]),
        ("Epoch 0\nval Loss: 0.6 Acc: 0.7\ntrain Loss: 0.5 Acc: 0.9\n", [0.7]),
        ("Train: acc=0.9\nValidation - acc=0.7\nTrain: acc=0.95\nValidation - acc=0.7\nTrain: acc=1\n", [0.7, 0.7]),
        ("[train] acc: 0.9\n[train] acc: 0.91\n[train] acc: 0.92\n", [0.9, 0.91, 0.92]),
        ("[train] acc: 0.9\n[train] acc: 0.9\n[train] acc: 0.9\n", [0.9]),
        ("i 1 [train] acc: 0.9\ni 2 [train] acc: 0.9\ni 3 [train] acc: 0.9\n", [0.9, 0.9, 0.9]),
        ('{"epoch": 0, "split": "val", "acc": 0.7}\n{"epoch": 0, "split": "train", "acc": 0.9}\n', [0.7]),
        ("Baseline acc: 0.1\n1/2 | train loss: 1 | acc: 0.5\n2/2 | train loss: 1 | acc: 0.6\n", [0.1, 0.5, 0.6]),
        ("Epoch 0 train loss: 1, acc: 0.5\n", [0.5]),
        ("Test set: Average loss: 0.02, Accuracy: 0.9\n", []),
    ],
)
def test_a_value_in_training_is_left_out_beside_another_one(tmp_path: Path, text: str, values: list[float]) -> None:
    assert [found["acc"] for _, found in read(tmp_path, text, "acc") if "acc" in found] == values


def test_a_value_in_training_that_is_not_finite_counts_at_once(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("Epoch 0\ntrain acc: 0.9 loss: nan\n", encoding="utf-8")

    (found,) = reader(tmp_path, "loss").read()

    assert (found.epoch, dict(found.nonfinite)) == (0, {"loss": "nan"})


def test_a_value_in_training_is_held_back_beside_a_status_file(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("Epoch 0\ntrain loss: 0.5 acc: 0.9\n", encoding="utf-8")

    assert LogReader(tmp_path / "log", "acc", (), lambda: True, lambda: True).finish() == []


def test_the_epoch_of_a_line_of_json_is_read(tmp_path: Path) -> None:
    text = '{"epoch": 0, "acc": 0.5}\n{"epoch": 2, "acc": 0.6}\n'

    assert read(tmp_path, text, "acc") == [(0, {"acc": 0.5}), (2, {"acc": 0.6})]
    assert read(tmp_path, '{"acc": 0.5, "epoch": 0.5}\n{"acc": 0.6, "epoch": 1.0}\n', "acc")[1] == (0, {"acc": 0.6})


def test_colours_are_no_part_of_a_line(tmp_path: Path) -> None:
    text = "\x1b[32mEpoch\x1b[0m 1/2 \x1b[1;31mval_d1\x1b[0m: \x1b[33m0.1\x1b[0m\n"

    assert read(tmp_path, text, "val/d1") == [(0, {"val/d1": 0.1})]


def test_an_epoch_that_counts_from_0_is_taken_as_it_is(tmp_path: Path) -> None:
    text = "Epoch 0: val_d1=0.1\nEpoch 1: val_d1=0.1\nEpoch 1: val_d1=0.2\n"

    assert read(tmp_path, text, "val/d1") == [(0, {"val/d1": 0.1}), (1, {"val/d1": 0.2})]


def test_signs_of_full_width_and_the_minus_are_read(tmp_path: Path) -> None:
    assert read(tmp_path, "Epoch 0\uff1aval_elbo\uff1d\u22120.5\uff0clr=1\n", "val_elbo") == [(0, {"val_elbo": -0.5})]


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
    assert time.process_time() - started_s < 10.0


@pytest.mark.parametrize("quote", ["", "'"])
def test_the_dicts_that_transformers_prints_say_how_many_epochs_are_done(tmp_path: Path, quote: str) -> None:
    rows = [
        ("0.5", "'loss'", "1.5"),
        ("1", "'eval_loss'", "0.5"),
        ("2", "'eval_loss'", "0.5"),
        ("3", "'eval_loss'", "0.25"),
    ]
    lines = [f"{{{name}: {quote}{value}{quote}, 'epoch': {quote}{done}{quote}}}" for done, name, value in rows]

    found = read(tmp_path, "\n".join(lines) + "\n", "eval_loss")

    assert found == [(0, {"eval_loss": 0.5}), (1, {"eval_loss": 0.5}), (2, {"eval_loss": 0.25})]


@pytest.mark.parametrize(
    ("text", "reports"),
    [
        ("Round 1/3 | train loss: 0.7 | val acc: 0.5\nRound 2/3 | train loss: 0.6 | val acc: 0.5\n", 2),
        ("train_loss=0.7\nval_acc=0.5\ntrain_loss=0.6\nval_acc=0.5\n", 2),
        ("i 1 lr 1e-05 val_acc=0.5\ni 2 lr 0.0001 val_acc=0.5\ni 3 lr 0.001 val_acc=0.5\n", 3),
        ("i 1 val_acc=0.5\ni 2 val_acc=0.5\nFinal: val_acc=0.5\n", 2),
        ("val_acc=0.5\nlr=0.1\nval_acc=0.5\nlr=0.01\nval_acc=0.5\n", 3),
        ("train_f1=0.1\nval_acc=0.5\ntrain_f1=0.2\nval_acc=0.5\n", 2),
        ("step: 100\nval_acc=0.5\nstep: 200\nval_acc=0.5\nstep: 300\nval_acc=0.5\n", 3),
        # Two processes of one training, and a bar.
        ("f1=0.1\nval_acc=0.5\nf1=0.1\nval_acc=0.5\n", 1),
        ("val_acc=0.5\nbest=0.5\nval_acc=0.5\nbest=0.5\n", 1),
        ("val_acc=0.5\nval_acc=0.5\n", 1),
        ("12:00:01,123 val_acc=0.5\n12:00:01,130 val_acc=0.5\n", 1),
        ("[rank0] val_acc=0.5\n[rank1] val_acc=0.5\n", 1),
        (" 50%|##  | 1/2 val_acc=0.5\n100%|####| 2/2 val_acc=0.5\n", 1),
    ],
)
def test_without_epochs_an_equal_value_counts_on_a_line_that_says_anything_anew(
    tmp_path: Path, text: str, reports: int
) -> None:
    log = reader(tmp_path, "val_acc", "train_loss")
    (tmp_path / "log").write_text(text, encoding="utf-8")

    found = [*log.read(), *log.finish()]

    assert [m.values["val_acc"] for m in found if "val_acc" in m.values] == [0.5] * reports


def test_an_equal_value_counts_for_a_later_epoch_that_brings_no_other(tmp_path: Path) -> None:
    text = "Epoch 1/3\nval_acc: 0.5\nEpoch 2/3\nval_acc: 0.5\nEpoch 3/3\nval_acc: 0.5\n"

    assert read(tmp_path, text, "val_acc") == [(epoch, {"val_acc": 0.5}) for epoch in range(3)]


@pytest.mark.parametrize(
    "line", ["loss: nan", "{'loss': 'nan', 'grad_norm': 'nan', 'epoch': '0.5'}", "step 3 loss=-inf"]
)
def test_any_loss_that_is_not_finite_counts_and_a_finite_one_does_not(tmp_path: Path, line: str) -> None:
    (tmp_path / "log").write_text(f"loss: 0.5\n{line}\n", encoding="utf-8")

    (found,) = reader(tmp_path, "val_acc", "train_loss").finish()

    assert found.values == {}
    assert set(found.nonfinite) == {"loss"}


@pytest.mark.parametrize("line", ["val_loss: nan", "Validation loss: nan", "loss: none", "my.loss: nan"])
def test_other_losses_that_are_not_finite_do_not_count(tmp_path: Path, line: str) -> None:
    (tmp_path / "log").write_text(f"{line}\n", encoding="utf-8")

    assert reader(tmp_path, "val_acc", "train_loss").finish() == []


def test_a_line_of_failure_is_one_also_beside_a_status_file(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("val_acc: 0.5\nExecution status: FAIL\n", encoding="utf-8")
    beside = LogReader(tmp_path / "log", "val_acc", (), lambda: True, lambda: True)

    assert [m.message for m in beside.finish() if m.is_failure] == ["Execution status: FAIL"]
    assert [m.is_failure for m in reader(tmp_path, "val_acc").finish()] == [False, True]


def test_kpi_is_the_objective_of_a_log_that_never_names_it(tmp_path: Path) -> None:
    assert read(tmp_path, "Epoch 1/2\nkpi: 0.5\n", "val_acc") == [(0, {"val_acc": 0.5})]
    assert read(tmp_path, "Epoch 1/2\nval_acc: 0.25\nkpi: 0.5\n", "val_acc") == [(0, {"val_acc": 0.25})]


def test_an_objective_that_is_written_as_no_number_is_refused_once(tmp_path: Path) -> None:
    source = reader(tmp_path, "val_acc")
    (tmp_path / "log").write_text("val_acc: 91,2 %\nval_acc: 92,0 %\nval_acc: 0.93\n", encoding="utf-8")

    found = source.read()

    assert [m.notice for m in found if m.notice] == [
        "val_acc was not read from the log where it is written 91,2: print a plain number"
    ]
    assert [dict(m.values) for m in found if m.values] == [{"val_acc": 0.93}]


METER = """Train: {epoch} [   0/78 (  0%)]  Loss: 2.303 (2.30)
Test: [   0/9]  Time: 0.2 (0.2)  Acc@1: {first} ( {first})  Acc@5: 90.0 ( 90.0)
Test: [   {last}/9]  Time: 0.1 (0.1)  Acc@1: 40.000 ( {mean})  Acc@5: 90.0 ( 93.0)
*** Best metric: 70.0 (epoch 0)
"""


@pytest.mark.parametrize("last", [5, 8, 9])
def test_of_a_meter_over_batches_the_mean_over_the_most_of_them_is_the_metric(tmp_path: Path, last: int) -> None:
    text = "".join(METER.format(epoch=n, first=50 + n, last=last, mean=60 + n) for n in range(3))

    assert read(tmp_path, text, "Acc@1") == [(None, {"Acc@1": 60.0 + n}) for n in range(3)]


def test_a_line_of_averages_has_the_mean_in_parentheses(tmp_path: Path) -> None:
    lines = ["Test: [3/8] val_loss: 4.0 (4.1)", "Averaged stats: val_loss: 4.2 (4.3)"]

    assert read(tmp_path, "Test: [9/10] acc: 40.0% (60.2%)\n", "acc") == [(None, {"acc": 60.2})]
    assert read(tmp_path, "\n".join(["Epoch: [0]", *lines]) + "\n", "val_loss")[-1] == (0, {"val_loss": 4.3})


@pytest.mark.parametrize(
    "line",
    [
        "Epoch [1/6] val_acc: 0.7 (0.9)",
        "Epoch 1 val_acc: 0.7 (0.9) f1: 0.6 (0.8)",
        "[2026/11/30 10:00:00] Epoch 1 val_acc: 0.7 (0.9)",
    ],
)
def test_a_pair_beside_the_number_of_an_epoch_may_be_anything_and_its_first_number_is_read(
    tmp_path: Path, line: str
) -> None:
    assert read(tmp_path, f"{line}\n", "val_acc") == [(0, {"val_acc": 0.7})]


@pytest.mark.parametrize(
    "remark",
    [
        "loaded checkpoint a.pth (epoch 12)",
        "Best val_acc so far: at epoch 0",
        "No improvement since epoch 1",
        "Removing old checkpoint epoch 1",
        "prev epoch: 1",
        "Steps per epoch: 100",
        "Max epoch: 100",
        "Total epoch: 2",
        "time per epoch: 12.5s",
        "Will decay lr at epoch 30",
        "LR drop: epoch 30",
        "Mixup off in epoch 30",
        "Will unfreeze backbone in epoch 3",
        "Resuming from a.pth (epoch 12)",
        "Samples per epoch=6000",
        "Namespace(lr=0.1, epoch=30)",
    ],
)
def test_a_remark_about_another_epoch_begins_none(tmp_path: Path, remark: str) -> None:
    text = f"{remark}\nEpoch 1/2\nval_acc: 0.5\n{remark}\nEpoch 2/2\n{remark}\nval_acc: 0.6\n"

    assert read(tmp_path, text, "val_acc") == [(0, {"val_acc": 0.5}), (1, {"val_acc": 0.6})]


def test_values_of_one_epoch_in_other_words_are_said(tmp_path: Path) -> None:
    source = reader(tmp_path, "abs_rel")
    (tmp_path / "log").write_text(
        "Epoch 1 | kitti | abs_rel: 0.1\nEpoch 1 | nyu | abs_rel: 0.2\nEpoch 2 | kitti | abs_rel: 0.1\n",
        encoding="utf-8",
    )

    notices = [m.notice for m in source.read() if m.notice]

    assert len(notices) == 1
    assert "abs_rel stands in lines of the log with other words for one epoch, and the last of them" in notices[0]


@pytest.mark.parametrize("text", [f"{'1' * 4400}/{'2' * 4400}", f"1/{'0' * 4400}"])
def test_a_share_of_numbers_that_no_computer_reads_is_refused(tmp_path: Path, text: str) -> None:
    source = reader(tmp_path, "acc")
    (tmp_path / "log").write_text(f"[{'1' * 99}/9] acc: {text}\nacc: 0.5\n", encoding="utf-8")

    found = source.read()

    assert [dict(m.values) for m in found if m.values] == [{"acc": 0.5}]
    assert any("acc was not read from the log" in m.notice for m in found)


def test_an_epoch_that_is_named_when_it_is_over_is_that_of_the_lines_before(tmp_path: Path) -> None:
    for end in ("Epoch {} done", "--- end of epoch {} ---", "Epoch: {} time: 10s", "Finished epoch {}"):
        text = "".join(f"val_acc: 0.{n}\n{end.format(n)}\n" for n in range(1, 4))

        assert read(tmp_path, text, "val_acc") == [(None, {"val_acc": n / 10}) for n in range(1, 4)], end


@pytest.mark.parametrize(
    ("line", "name", "expected"),
    [
        ("Epoch 0: val - acc: 0.70 | train - acc: 0.90", "acc", 0.7),
        ("Epoch 0: train - acc: 0.90 | val - acc: 0.70", "acc", 0.7),
        ("val (acc: 0.70) train (acc: 0.90)", "acc", 0.7),
        ("val: acc=0.70 loss=0.3; train: acc=0.90 loss=0.1", "acc", 0.7),
        ("{'val': {'acc': 0.70}, 'train': {'acc': 0.90}}", "acc", 0.7),
        ("[1]\tvalid's auc: 0.81\ttraining's auc: 0.91", "auc", 0.81),
        ("val: acc=0.70; train: loss=0.1", "acc", 0.7),
        ("val_acc: 0.6, best so far val_acc: 0.9", "val_acc", 0.6),
        ("val_acc: 0.6 | best: val_acc=0.9", "val_acc", 0.6),
        ("val_acc: 0.6 | best (val_acc=0.9)", "val_acc", 0.6),
        ("val_acc: 0.6, best epoch val_acc: 0.9", "val_acc", 0.6),
        ("val_acc: 0.6 record val_acc=0.9", "val_acc", 0.6),
        ("new best! val_acc: 0.9", "val_acc", 0.9),
    ],
)
def test_of_several_numbers_on_a_line_the_one_of_this_validation_counts(line: str, name: str, expected: float) -> None:
    assert metrics_in(line, (name,)) == {name: expected}


def test_a_meter_that_prints_its_last_two_batches_counts_once(tmp_path: Path) -> None:
    text = (
        "Test: [2/3] acc: 1 (52.0)\nTest: [3/3] acc: 1 (53.0)\nTest: [2/3] acc: 1 (53.0)\nTest: [3/3] acc: 1 (54.0)\n"
    )

    assert read(tmp_path, text, "acc") == [(None, {"acc": 53.0}), (None, {"acc": 54.0})]


@pytest.mark.parametrize(
    ("form", "epochs", "expected"),
    [
        ("{{'epoch': {epoch}, 'acc': 0.{n}}}", (0, 1, 2), [0, 1, 2]),
        ("{{'epoch': {epoch}, 'acc': 0.{n}}}", (1, 2, 3), [0, 1, 2]),
        ("{{'epoch': {epoch}, 'acc': 0.{n}}}", (0, 0.5, 1.0, 2.0), [0, 0, 0, 1]),
        ('{{"epoch": {epoch}, "acc": 0.{n}}}', (0.0, 1.0, 2.0), [0, 1, 2]),
        ('{{"epoch": {epoch}, "acc": 0.{n}}}', (1.0, 2.0, 3.0), [0, 1, 2]),
        ('{{"epoch": {epoch}, "acc": 0.{n}}}', (0.5, 1.0, 1.5), [0, 0, 1]),
        ("epoch: {epoch}, acc: 0.{n}", (0.5, 1.0, 1.5, 2.0), [0, 0, 1, 1]),
        ("epoch={epoch} | acc=0.{n}", (0.0, 1.0, 2.0), [0, 1, 2]),
        ("Epoch {epoch}/3: acc=0.{n}", (0.5, 1.0, 1.5), [0, 0, 1]),
    ],
)
def test_fractions_of_epochs_in_a_log_say_how_many_are_done(
    tmp_path: Path, form: str, epochs: tuple[float, ...], expected: list[int]
) -> None:
    text = "".join(form.format(epoch=epoch, n=n) + "\n" for n, epoch in enumerate(epochs, 1))

    assert [epoch for epoch, found in read(tmp_path, text, "acc") if found] == expected


def test_a_fraction_that_comes_late_in_a_log_is_said(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("".join(f"{{'epoch': {n}, 'acc': {n}}}\n" for n in (0, 1, 1.5, 2)), encoding="utf-8")

    found = reader(tmp_path, "acc").finish()

    assert ["epochs in the log are whole numbers first" in m.notice for m in found if m.notice] == [True]


@pytest.mark.parametrize(
    ("line", "name", "expected"),
    [
        ("acc/train: 0.9 acc/val: 0.7", "val_acc", 0.7),
        ("acc_val: 0.7, acc_train: 0.9", "val_acc", 0.7),
        ("loss (val): 0.7, loss (train): 0.9", "val_loss", 0.7),
        ("loss (train): 0.9, loss (val): 0.7", "val_loss", 0.7),
        ("Acc (Validation) = 0.7 | Acc (Training) = 0.9", "acc/val", 0.7),
        ("val_acc: 0.7 acc/val: 0.6", "val_acc", 0.7),
        ("loss/train: 0.9 loss/val: 0.7", "train_loss", 0.9),
        ("acc/train: 0.9", "val_acc", None),
        ("acc/val: 0.9", "acc", None),
        ("train acc/val: 0.9", "val_acc", None),
        ("acc: 0.7 (val), acc: 0.9 (train)", "acc", 0.7),
        ("acc: 0.9 (train) acc: 0.7 (val)", "acc", 0.7),
        ("acc: 90% [train] acc: 70% [val]", "acc", 70.0),
        ("acc: 0.9 on train, acc: 0.7 on val", "acc", 0.7),
        ("acc: 0.9 on the train set; acc: 0.7 on the validation set", "acc", 0.7),
        ("[train] acc: 0.9 [val] acc: 0.7", "acc", 0.7),
        ("[val] acc: 0.7 [train] acc: 0.9", "acc", 0.7),
        ("lr: 0.1 [val] acc: 0.7 [train] acc: 0.9", "acc", 0.7),
        ("train acc: 0.9 val acc: 0.7", "acc", None),
        ("train (loss: 0.1) acc: 0.9 val (loss: 0.2) acc: 0.7", "acc", 0.7),
        ("acc: 0.9 (train loss: 0.1)", "acc", 0.9),
        # How far a bar is.
        ("acc: 100%|####| 4/4 [00:02<00:00]", "acc", None),
        ("Class Images P R mAP50-95: 100%|####| 4/4", "mAP50-95", None),
        ("acc:  45% ━━━━ 9/20", "acc", None),
        ("acc: 45% 9/20", "acc", 45.0),
        ("acc: 45%|    | 0/4", "acc", None),
        ("acc: 45%| 3 | x", "acc", 45.0),
        ("acc: 45% | loss: 0.1", "acc", 45.0),
        ("acc: 45|loss: 0.1", "acc", 45.0),
        ("acc: 45%", "acc", 45.0),
    ],
)
def test_the_split_behind_a_name_or_a_number_says_of_what_it_is(line: str, name: str, expected: float | None) -> None:
    assert metrics_in(line, (name,)) == ({} if expected is None else {name: expected})
