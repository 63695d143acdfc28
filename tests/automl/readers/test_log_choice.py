"""Logs with several values that could be the objective: the right one counts, or none does and the trial says so."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from automl.readers.log_lines import LogReader
from automl.trial.counted_reports import CountedReports, NamedEpochs

if TYPE_CHECKING:
    from pathlib import Path

    from automl.study.trial import Measurement

Curve = dict[int | None, float]


def read(folder: Path, text: str, objective: str, *, bytes_at_once: int = 1 << 20) -> list[Measurement]:
    log = folder / "log"
    log.write_bytes(b"")
    reader = LogReader(log, objective, ("train_loss",), lambda: False, lambda: False)
    source, content, found = CountedReports(reader, objective, 0, NamedEpochs()), text.encode(), []
    for start in range(0, len(content), bytes_at_once):
        with log.open("ab") as file:
            file.write(content[start : start + bytes_at_once])
        found += source.read()
    return [*found, *source.finish()]


def curve(found: list[Measurement], objective: str) -> Curve:
    values = [(m.epoch, m.values[objective]) for m in found if objective in m.values]
    named: Curve = {epoch: value for epoch, value in values if epoch is not None}
    return named or dict(values)


def notices(found: list[Measurement]) -> list[str]:
    return [m.notice for m in found if m.notice]


def lines(form: str, count: int = 3, first: int = 1) -> str:
    return "".join(f"{form.format(n=n, m=n - 1, step=n * 1000)}\n" for n in range(first, first + count))


THREE: Curve = {0: 0.71, 1: 0.72, 2: 0.73}
PLAIN = lines("Epoch {n}/3 acc: 0.7{n}")
BAR = "".join(f"\r{i}/9 [{'=' * i}>{'.' * (9 - i)}] - ETA: 1s - acc: 0.{i}{n}" for n in "123" for i in range(1, 10))
LIGHTGBM = lines("[{n}]\ttraining's acc: 0.9{n}\tvalid_1's acc: 0.7{n}")

RIGHT = [
    (
        "splatting",
        lines("[ITER {step}] Evaluating test: acc: 0.7{n}\n[ITER {step}] Evaluating train: acc: 0.9{n}"),
        THREE,
    ),
    ("train first", lines("[ITER {step}] Evaluating train: acc: 0.9{n}\nEvaluating test: acc: 0.7{n}"), THREE),
    ("train alone", lines("[ITER {step}] Evaluating train: acc=0.7{n}"), THREE),
    ("on the train set", lines("Epoch {n} results on val set: acc=0.7{n}\nresults on train set: acc=0.9{n}"), THREE),
    ("ESPnet", lines("{n}epoch results: [train] loss=1.9, acc=0.9{n}, [valid] loss=1, acc=0.7{n}, time=1 s"), THREE),
    ("unnamed, then evaluated", lines("Epoch {n}/3 loss=0.5 acc=0.9{n}\nEvaluating: loss=0.6 acc=0.7{n}"), THREE),
    ("val, then test", lines("Epoch {n}/3 | val | acc: 0.7{n}\nEpoch {n}/3 | test | acc: 0.6{n}"), THREE),
    ("a test alone", lines("Test set: loss: 0.1, acc: 7{n}/100 (7{n}%)"), THREE),
    ("a final test", f"{PLAIN}Final test acc: 0.6\nTest: acc: 0.6\n", THREE),
    ("a best one", lines("Epoch {n}/3 acc: 0.7{n}\nBest epoch: 2, acc: 0.9"), THREE),
    ("a best one in the end", f"{PLAIN}Early stopping at epoch 3. Best was epoch 2 with acc=0.9\n", THREE),
    ("a best one is loaded", f"{PLAIN}Loaded best checkpoint (epoch 2). acc: 0.9\n", THREE),
    ("new best ones are marked", "acc: 0.71 (best)\nacc: 0.72\nacc: 0.73 (best)\n", THREE),
    ("the state stands before", lines("Round {n} [better] acc: 0.7{n}").replace("2 [better]", "2 [worse]"), THREE),
    (
        "PaddleSeg",
        lines("[TRAIN] epoch: {n}, iter: 1/9, loss: 1\n[EVAL] #Images: 5 mIoU: 0.1 acc: 0.7{n} Dice: 1"),
        THREE,
    ),
    ("the best of all alone", "Training finished. Final acc: 0.7\n", {None: 0.7}),
    (
        "LightGBM",
        f"{LIGHTGBM}Early stopping, best iteration is:\n[2]\ttraining's acc: 0.92\tvalid_1's acc: 0.72\n",
        THREE,
    ),
    ("averaged weights", lines("Epoch {n}: acc: 0.7{n}\nEMA model: acc: 0.8{n}"), THREE),
    ("classes", lines("Epoch {n}\nmean acc: 0.7{n}\nclass 0 acc: 0.9\nclass 1 acc: 0.1"), THREE),
    ("bars of epochs", BAR, {0: 0.91, 1: 0.92, 2: 0.93}),
    ("a bar over epochs", "".join(f"\r{n}it [00:01, 1.0it/s, acc=0.7{n}]" for n in (1, 2, 3)), THREE),
    ("a bar of tqdm over epochs", lines("\rEpoch:  {n}5%|##  | {n}/4 [00:01<00:03,  1.00s/it, acc=0.7{n}]"), THREE),
    ("a bar without marks", lines("epoch {n}5.5% done, acc=0.7{n}"), THREE),
    ("a time behind the word", lines("Epoch {n}714550400 acc=0.7{n}"), THREE),
    ("a number by its word", lines("Epoch no. {n}: acc=0.7{n}"), THREE),
    ("a bar by returns alone", "\rstep 1/9 acc=0.7" * 3 + "\rstep 9/9 acc=0.7\n", {None: 0.7}),
    ("folds and their mean", "Fold 1/2\n" + PLAIN + "Fold 2/2\n" + PLAIN + "Mean acc: 0.6\n", {None: 0.6}),
    ("folds without epochs", "Fold 1: acc=0.1\nFold 2: acc=0.3\nAverage acc: 0.2\n", {None: 0.2}),
    ("one fold of five", f"Fold 3/5\n{PLAIN}", THREE),
    ("a resumed log", lines("Epoch [{n}/8] acc: 0.7{n}", first=6), {5: 0.76, 6: 0.77, 7: 0.78}),
    ("equal values of a resumed log", lines("Epoch [{n}/8]\nacc: 0.7", first=6), dict.fromkeys((5, 6, 7), 0.7)),
    ("every fifth epoch, counted from 1", "Epoch 5/99 acc: 0.5\nEpoch 10/99 acc: 0.6\n", {4: 0.5, 9: 0.6}),
    ("every fifth epoch, counted from 0", "Epoch 4/99 acc: 0.5\nEpoch 9/99 acc: 0.6\n", {4: 0.5, 9: 0.6}),
    (
        "a resumed log with values now and then",
        "Epoch 5/10\nacc: 0.5\nEpoch 6/10 acc: 0.6\nEpoch 7/10\nEpoch 8/10 acc: 0.6\nEpoch 10/10 acc: 0.9\n",
        {4: 0.5, 5: 0.6, 7: 0.6, 9: 0.9},
    ),
    (
        "a log that names the epoch in a sentence",
        lines("We are in epoch {n}\nacc: 0.7{n}", first=3),
        {3: 0.73, 4: 0.74, 5: 0.75},
    ),
    (
        "a log that says from where",
        "Resumed a.pt (epoch 6)\n" + lines("Epoch {n}/9 acc: 0.7{n}", first=7),
        {6: 0.77, 7: 0.78, 8: 0.79},
    ),
    (
        "OpenCLIP",
        lines("Start epoch {m}\nTrain Epoch: {m} [9/9 (100%)] Loss: 0.5\nEval Epoch: {n} acc: 0.7{n}\ttop5: 1"),
        THREE,
    ),
    ("one number for both", lines("Train Epoch: {n} Loss: 0.5\nEval Epoch: {n} acc: 0.7{n}"), THREE),
    ("a resumed log from 0", lines("Epoch {m}/8\nacc: 0.7{n}", first=6), {5: 0.76, 6: 0.77, 7: 0.78}),
    ("a resumed log of blocks", lines("Epoch {n}/8\n  loss: 1\n  acc: 0.7{n}", first=6), {5: 0.76, 6: 0.77, 7: 0.78}),
    ("a log that goes on from an epoch", lines("Epoch {m}: acc: 0.7{n}", first=6), {5: 0.76, 6: 0.77, 7: 0.78}),
    (
        "MMEngine by iterations",
        lines("Iter(train) [{step}/9] acc: 9\nIter(val) [9/9]    acc: 0.7{n}  time: 0.1"),
        THREE,
    ),
]
STATES = [
    ("Improved! ", "Not improved. "),
    ("[saved] ", ""),
    ("", "[saved] "),
    ("New best ", ""),
    ("", "No improvement, "),
    ("Better result ", "Worse result "),
    ("* ", ""),
    ("\u2191 ", "\u2193 "),
    ("Improved, ", "no change "),
]
FOUR = "{0}acc: 0.71\n{1}acc: 0.70\n{0}acc: 0.72\n{1}acc: 0.715\n"
RIGHT += [(f"states {pair}", FOUR.format(*pair), {0: 0.71, 1: 0.7, 2: 0.72, 3: 0.715}) for pair in STATES]
RIGHT += [
    ("repeated as the best", "acc: 0.71\nNew best acc: 0.71\nacc: 0.72\nNew best acc: 0.72\nacc: 0.73\n", THREE),
    ("repeated as no better", "acc: 0.71\nacc: 0.72\nNo improvement, acc: 0.72\nacc: 0.73\n", THREE),
    ("a line of one pair before each", lines("lr: 0.{n}\nacc: 0.7{n}\nsaved: a.pth"), THREE),
    ("an equal value behind one pair", lines("step {n} lr: 0.{n}\nacc: 0.7"), dict.fromkeys(range(3), 0.7)),
    ("one value among settings", "lr: 0.1\nacc: 0.7\ntime: 3\n", {None: 0.7}),
    ("settings on one line", "Namespace(lr=0.1, acc=0.0)\n" + lines("acc: 0.7{n}"), THREE),
    ("headings", lines("Training\nacc: 0.9{n}\n== Validation ==\nacc: 0.7{n}"), THREE),
    ("headings in an epoch", lines("Epoch {n}\nValidation metrics:\n  acc: 0.7{n}\nTraining:\n  acc: 0.9"), THREE),
    ("a heading above epochs", "Training\n" + lines("Epoch {n}\nacc: 0.7{n}") + "Test\nacc: 0.6\n", THREE),
    ("a learning rate", lines("Epoch {n} learning rate: 0.1 acc: 0.7{n}\nEpoch {n} learning acc: 0.9"), THREE),
    ("equal", "Improved acc: 0.71\nNot improved acc: 0.71\nImproved acc: 0.73\n", {0: 0.71, 1: 0.71, 2: 0.73}),
    ("no better in an epoch", "Epoch 1\nacc: 0.71\nEpoch 2\nNo improvement, acc: 0.72\nEpoch 3\nacc: 0.73\n", THREE),
    ("no better than before", lines("acc: 0.7{n}\nNo improvement over acc: 0.9"), THREE),
]


SAID = [
    ("ranks", lines("[rank0] acc: 0.7{n}\n[rank1] acc: 0.6{n}"), THREE, "other words than those that count"),
    ("data sets", lines("ade20k acc: 0.7{n}\ncoco acc: 0.6{n}"), THREE, "other words than those that count"),
    (
        "numbered",
        lines("Epoch {n} dataset 1 acc: 0.6\nEpoch {n} dataset 2 acc: 0.7{n}"),
        THREE,
        "the last of them counts",
    ),
    ("a best one, said behind", f"{PLAIN}acc: 0.9 (best)\n", THREE, "other words than those that count"),
    ("a summary", f"{PLAIN}Done. acc: 0.6\n", THREE, "other words than those that count"),
    ("alike", lines("Epoch {n}\nacc: 0.6{n}\nacc: 0.7{n}"), THREE, "several times in one epoch"),
    (
        "test each epoch",
        lines("Epoch {n} acc: 0.9{n}\nTest: acc: 0.7{n}"),
        THREE,
        "those of the test are those that count",
    ),
    (
        "models",
        "small acc: 0.71\nlarge acc: 0.72\nours acc: 0.73\n",
        THREE,
        "other words in each, and every one counts",
    ),
    (
        "words that come again",
        "warm acc: 0.1\nmain acc: 0.71\nmain acc: 0.72\nmain acc: 0.73\nwarm acc: 0.6\n",
        {0: 0.1, 1: 0.71, 2: 0.72, 3: 0.73},
        "other words than those that count",
    ),
    ("restart", f"Epoch 1/3 acc: 0.1\nEpoch 2/3 acc: 0.2\n{PLAIN}", THREE, "epochs of the log begin again"),
    ("from 0", "Epoch 5/8 acc: 0.7\nEpoch 0/8 acc: 0.8\nEpoch 8/8 acc: 0.9", {5: 0.7, 0: 0.8, 8: 0.9}, "begin again"),
    ("folds", f"Fold 1\n{PLAIN}Fold 2\nEpoch 1/3 acc: 0.1\nMean acc: 0.2\n", THREE, "acc of fold 1 alone counts"),
    ("no mean", "Fold 1: acc=0.1\nFold 2: acc=0.2\n", {}, "the log has 2 folds, and no mean after them"),
    ("top", lines("Epoch {n} top1 acc: 0.5 top5 acc: 0.7{n}"), {}, "(top1 acc 0.5, top5 acc 0.71): name one of them"),
    (
        "two of validation",
        lines("[{n}]\tvalid_0's acc: 0.8\tvalid_1's acc: 0.7{n}"),
        {},
        "(valid_0's acc 0.8, valid_1's",
    ),
    (
        "a setting",
        "lr: 0.1\nacc: 0.0\nsteps: 9\nbegin\nacc: 0.71\nacc: 0.72\nacc: 0.73\n",
        THREE,
        "(0) stands among settings and does not count",
    ),
    (
        "an epoch among settings",
        "epoch: 0\nacc: 0.0\n" + lines("Epoch {n}/3\nacc: 0.7{n}"),
        THREE,
        "several times in one epoch",
    ),
    (
        "a baseline",
        "Baseline acc: 0.1\n" + lines("i {n} | acc: 0.7{n}"),
        {0: 0.1, 1: 0.71, 2: 0.72, 3: 0.73},
        "stands in other words than the later ones, and counts as an epoch",
    ),
    (
        "a word that is no split",
        lines("Epoch {n} source acc: 0.7{n} | val acc: 0.6{n}"),
        THREE,
        "acc behind source counts, which is no word for validation or training; the log has val acc, too",
    ),
    (
        "a word that is no split, on a line of its own",
        lines("Epoch {n}\nheld-out acc: 0.7{n}\ntest acc: 0.6{n}"),
        THREE,
        "acc behind held-out counts, which is no word for validation or training; the log has test acc, too",
    ),
    ("a mean beside it", lines("Epoch {n} acc: 0.7{n} average acc: 0.6"), {}, "several values of it"),
]


def rounds(form: str) -> str:
    return "".join(form.format(n=n, m=n - 1) for n in (1, 2, 3))


INNER = "client 1 epoch 1/2 loss: 1\nclient 1 epoch 2/2 loss: 1\nclient 2 epoch 1/2 loss: 1\nclient 2 epoch 2/2\n"
ROUNDS = [
    (rounds("[ROUND {n}]\n" + INNER + "global acc: 0.7{n}\n"), THREE, ""),
    (rounds("--- Round {m} ---\n" + INNER + "acc: 0.7{n}\n"), THREE, ""),
    (
        rounds("Round {n}, client 1, epoch 1/5 loss: 1\nRound {n}, client 1, epoch 2/5\nRound {n} acc: 0.7{n}\n"),
        THREE,
        "",
    ),
    (rounds("Round {n}/3 | epoch 1/2 | acc: 0.6\nRound {n}/3 | epoch 2/2 | acc: 0.7{n}\n"), THREE, ""),
    (rounds("Cycle {n}/3 epoch 1/2 loss: 1\nCycle {n}/3 epoch 2/2 acc: 0.7{n}\n"), THREE, ""),
    (rounds("Outer loop {n}/3\nepoch 1/2 loss: 1\nepoch 2/2 loss: 1\nacc: 0.7{n}\n"), THREE, ""),
    (rounds("Round {n}: acc: 0.7{n}\n"), THREE, ""),
    (rounds("Epoch {n}/3\nlocal epoch 1/2\ninner epoch 2/2\nacc: 0.7{n}\n"), THREE, ""),
    (rounds("Epoch {n}/3 round 1/2 acc: 0.6\nEpoch {n}/3 round 2/2 acc: 0.7{n}\n"), THREE, ""),
    (rounds("Epoch {n}/3\nround 1/2\nround 2/2\nacc: 0.7{n}\n"), THREE, ""),
    (
        "early stopping rounds: 3\nround(2)\nbackground 3\n" + rounds("Epoch {n}/3\nbest round 1\nacc: 0.7{n}\n"),
        THREE,
        "",
    ),
    (rounds("epoch 1/2\nepoch 2/2\nRound {n} acc: 0.7{n}\n"), {1: 0.72, 2: 0.73}, "names them behind their epochs"),
    (rounds("Run {n}\nepoch 1/2\nepoch 2/2\nRun {n} acc: 0.7{n}\n"), {1: 0.73}, "epochs of the log begin again"),
]
CASES = [*((*row, "") for row in RIGHT), *SAID, *((f"rounds {number}", *row) for number, row in enumerate(ROUNDS))]


@pytest.mark.parametrize(("text", "expected", "notice"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_the_value_that_was_meant_counts_and_what_cannot_be_distinguished_is_said_once(
    tmp_path: Path, text: str, expected: Curve, notice: str
) -> None:
    found = read(tmp_path, text, "acc")

    assert curve(found, "acc") == expected
    assert [notice in said for said in notices(found)] == ([True] if notice else [])
    assert curve(read(tmp_path, text, "acc", bytes_at_once=7), "acc") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9901 / 10000 (99%)", 0.9901),
        ("9,901/10,000", 0.9901),
        ("3 / 10 = 0.3", 0.3),
        ("1'234.5", 1234.5),
        ("1.5 x 10^-3", 0.0015),
        ("1.5*10**-3", 0.0015),
        ("0.5 - lr: 0.1", 0.5),
        ("0.5 / lr: 0.1", 0.5),
        ("2 100/500", 2.0),
    ],
)
def test_a_number_may_have_blanks_and_powers(tmp_path: Path, text: str, expected: float) -> None:
    found = read(tmp_path, f"Epoch 1 val_acc: {text}\n", "val_acc")

    assert (curve(found, "val_acc"), notices(found)) == ({0: expected}, [])


@pytest.mark.parametrize(
    "text",
    [
        "1 234.5",
        "0.5 / 0.9",
        "0.5-0.7",
        "0.5..0.7",
        "0.5 => 0.7",
        "0.5 to 0.7",
        "5‰",
        "1.2 k",
        "1.5 \u00d7 10⁻³",
        "7 / 5",
    ],
)
def test_what_may_be_two_numbers_or_has_a_unit_is_refused(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, f"Epoch 1 val_acc: {text}\n", "val_acc")
    (said,) = notices(found)

    assert curve(found, "val_acc") == {}
    assert said.startswith(f"val_acc was not read from the log where it is written {text[:3]}")


def test_one_number_for_two_splits_is_refused(tmp_path: Path) -> None:
    found = read(tmp_path, lines("Epoch {n} train / val loss: 0.1 / 0.{n}"), "val_loss")

    assert (curve(found, "val_loss"), len(notices(found))) == ({}, 1)


@pytest.mark.parametrize(
    "form",
    [
        "Epoch {n} train - acc: 0.9 | val - acc: 0.7{n}",
        "Epoch {n}\ntrain Loss: 0.5 Acc: 0.9\nval Loss: 0.6 Acc: 0.7{n}",
        "Epoch {n}: {{'val': {{'acc': 0.7{n}}}, 'train': {{'acc': 0.9}}}}",
        "Epoch {n}\nval:\n  f1: 1\n  acc: 0.7{n}\ntrain:\n  acc: 0.9",
        "Epoch {n} validating every 5, acc: 0.9\nEpoch {n} [valid] acc: 0.7{n}",
    ],
)
def test_a_split_may_stand_apart_from_a_name_that_the_log_never_has_whole(tmp_path: Path, form: str) -> None:
    assert curve(read(tmp_path, lines(form), "val_acc"), "val_acc") == THREE


@pytest.mark.parametrize(
    "remark",
    [
        "Last improvement: epoch 1",
        "Highest acc 0.9 reached in epoch 1",
        "saved (epoch 1 was worse)",
        "Avg epoch: 12 s",
        "[epoch 12.5s]",
        "Epoch 100 samples/s: 300",
        "12 sec/epoch: 12",
        "Start epoch: 1",
    ],
)
def test_a_time_and_an_epoch_of_the_past_begin_none(tmp_path: Path, remark: str) -> None:
    assert curve(read(tmp_path, lines(f"Epoch {{n}}/3\n{remark}\nacc: 0.7{{n}}"), "acc"), "acc") == THREE


@pytest.mark.parametrize(
    "line", ["acc: 0.5 " * 1100, "acc: nan " * 1000, "acc" + " " * 9000 + "x", "acc: 1" + " 234" * 2000]
)
def test_a_garbled_line_costs_little(tmp_path: Path, line: str) -> None:
    started_s = time.process_time()

    read(tmp_path, f"{line}\n" * 20, "val_acc")

    assert time.process_time() - started_s < 20.0


@pytest.mark.parametrize("setting", ["epoch: 5", "Number of epoch: 5", "warmup epoch: 3", "Epoch = 5"])
def test_a_setting_before_the_first_epoch_shifts_none(tmp_path: Path, setting: str) -> None:
    lines = [f"Epoch {epoch}/5: val_loss={1.0 / epoch}" for epoch in range(1, 4)]

    found = read(tmp_path, "\n".join((setting, "lr: 0.1", *lines, "")), "val_loss")

    assert curve(found, "val_loss") == {0: 1.0, 1: 0.5, 2: 1.0 / 3}


BETTER = [
    "New best val_acc: 0.{n}",
    "Saved checkpoint (val_acc=0.{n})",
    "[early stopping] val_acc: 0.{n}",
    "Best model updated: val_acc=0.{n}",
]


@pytest.mark.parametrize("better", BETTER)
@pytest.mark.parametrize("epoch", ["Epoch {m}\n", ""])
def test_a_line_that_repeats_a_better_value_by_its_whole_name_ends_none_without_it(
    tmp_path: Path, epoch: str, better: str
) -> None:
    form = epoch + "Validation: acc=0.{n}01\n"
    text = "".join((form + (better + "\n" if n != "4" else "")).format(n=n, m=m) for m, n in enumerate("546"))

    found = read(tmp_path, text, "val_acc")

    assert (curve(found, "val_acc"), notices(found)) == ({0: 0.501, 1: 0.401, 2: 0.601}, [])


def test_another_value_by_the_whole_name_counts_and_is_said(tmp_path: Path) -> None:
    found = read(tmp_path, lines("Epoch {n}\nValidation: acc=0.6{n}\nval_acc: 0.7{n}"), "val_acc")

    assert curve(found, "val_acc") == THREE
    assert "stands in the log without its whole name" in notices(found)[0]


@pytest.mark.parametrize("training", ["trn", "tr", "learn", "learning", "fit", "fitting"])
def test_other_words_for_training_are_none_of_the_objective(tmp_path: Path, training: str) -> None:
    lines = [f"epoch {epoch}: {training} loss: 0.5 | val loss: {1.3 - epoch / 10:.1f}" for epoch in range(3)]

    found = read(tmp_path, "\n".join((*lines, "")), "loss")

    assert curve(found, "loss") == {}  # as with "train loss"
    assert curve(read(tmp_path, "\n".join((*lines, "")), "val_loss"), "val_loss") == {0: 1.3, 1: 1.2, 2: 1.1}
