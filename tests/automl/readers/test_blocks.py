"""Records on several lines of a log: their values have the epoch that stands in them, also behind the values."""

from __future__ import annotations

import json
import pprint
import time
from typing import TYPE_CHECKING

import pytest

from automl.readers.log_lines import LogReader
from tests.automl.readers.test_log_choice import curve, notices, read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

THREE = {0: 0.71, 1: 0.72, 2: 0.73}


def each(form: str | Callable[[int], str], first: int = 1) -> str:
    make = form if callable(form) else lambda n: form.format(n=n, m=n - 1)
    return "".join(f"{make(n)}\n" for n in range(first, first + 3))


def indented(n: int, **more: object) -> str:
    return json.dumps({"acc": 0.7 + n / 100, "lr": 0.1, "epoch": n, **more}, indent=2)


def stamped(text: str) -> str:
    return "".join(f"2026-11-30 10:00:01,123 INFO {line}\n" for line in text.splitlines())


PPRINT = pprint.pformat({"acc": "X", "epoch": "Y", "learning_rate": [0.1, 0.2], "run": "r" * 30}, width=40)
YAML = "---\nacc: 0.7{n}\nlr: 0.1\nepoch: {n}"
RULED = "==========\nacc: 0.7{n}\ntime: 3 s\nepoch: {n}\n=========="
DEEP = "train:\n  loss: 0.1\nval:\n  acc: 0.7{n}\nepoch: {n}\n"
HISTORY = json.dumps({"history": [{"acc": 0.7 + n / 100, "epoch": n} for n in (1, 2, 3)]}, indent=1)

RIGHT = [
    ("JSON", each(indented)),
    ("JSON from 0", each(lambda n: indented(n, epoch=n - 1))),
    ("JSON without indentation", each(lambda n: json.dumps({"acc": 0.7 + n / 100, "epoch": n}, indent=0))),
    ("JSON behind words", each(lambda n: f"Saved metrics: {indented(n)}")),
    ("JSON of a logger", each(lambda n: f"2026-11-30 10:00:01 - root - INFO - {indented(n)}")),
    ("JSON with a stamp on each line", stamped(each(indented))),
    ("JSON with a time on each line", "".join(f"[10:00:01] {line}\n" for line in each(indented).splitlines())),
    ("JSON with the best, its epoch too", each(lambda n: indented(n, best={"epoch": 1, "acc": 0.9}))),
    ("a list below a name", "history:\n" + each("  - acc: 0.7{n}\n    epoch: {n}")),
    ("a bar between", each(lambda n: indented(n).replace("\n", "\n\r 50%|##  | 1/2 [00:01<00:01,  2.0it/s]\n", 2))),
    ("a line between", each(lambda n: indented(n).replace("\n", "\n[rank1] saved\n", 2))),
    ("JSON inside JSON", each(lambda n: json.dumps({"val": {"acc": 0.7 + n / 100}, "epoch": n}, indent=4))),
    ("JSON with the best", each(lambda n: indented(n, best={"acc": 0.9, "step": 1}))),
    ("JSON below a header that counts from 1", each(lambda n: f"Epoch {n}/3\n{indented(n, epoch=n - 1)}")),
    ("a line of JSON below such a header", each('Epoch {n}/3\n{{"epoch": {m}, "acc": 0.7{n}}}')),
    ("JSON below a header that counts from 0", each(lambda n: f"Epoch {n - 1}:\n{indented(n)}")),
    ("a parenthesis of a text", each("Epoch {n} validating (\nacc: 0.7{n}\n)")),
    ("a list of JSON", json.dumps([{"acc": 0.7 + n / 100, "epoch": n} for n in (1, 2, 3)], indent=2) + "\n"),
    ("JSON of all epochs", f"{HISTORY}\n"),
    ("JSON of all epochs on a line", f"{json.dumps(json.loads(HISTORY))}\n"),
    ("a Python dict", each(lambda n: PPRINT.replace("'X'", f"{0.7 + n / 100}").replace("'Y'", f"{n}"))),
    ("a call", each("Metrics(\n    acc=0.7{n},\n    epoch={n},\n)")),
    ("YAML", each(YAML)),
    ("YAML with indentation", each("metrics:\n  acc: 0.7{n}\n  epoch: {n}")),
    ("YAML behind text", "Training\n" + each("metrics:\n  acc: 0.7{n}\n  epoch: {n}")),
    ("a list of YAML", each("- acc: 0.7{n}\n  epoch: {n}")),
    ("YAML with objects", each(DEEP)),
    ("blank lines", each("acc: 0.7{n}\nepoch: {n}\n")),
    ("rules", each(RULED)),
    ("rules of a logger", stamped(each(RULED))),
    ("text of a logger before rules", stamped("Training\n" + each("saved a.pth\n" + RULED))),
    ("text of a logger before JSON", stamped("Training\n" + each(lambda n: f"saved\n{indented(n)}"))),
    ("a comment", each("# validation\nacc: 0.7{n}  # higher is better\nepoch: {n}\n")),
    ("a title", each("Results of validation\nacc: 0.7{n}\nepoch: {n}\n")),
    ("a section", each("[report]\nacc=0.7{n}\nepoch={n}\n")),
    ("documents of YAML with ends", each("--- # report\nacc: 0.7{n}\nepoch: {n}\n...")),
    ("fields aligned at the right", each("\n           acc : 0.7{n}\n               epoch : {n}\n        lr : 0.1\n")),
    ("a tree", each("Results\n├── acc: 0.7{n}\n└── epoch: {n}")),
    ("a box", each("┌────────┐\nacc: 0.7{n}\nepoch: {n}\n└────────┘")),
    ("a checkpoint of the epoch", each("acc: 0.7{n}\nSaved checkpoint of epoch {n}")),
    ("text between records", each("Evaluating\n----\nacc = 0.7{n}\nepoch = {n}\n----\nsaved: a.pth")),
    ("the epoch before", each("---\nepoch: {n}\nacc: 0.7{n}\nlr: 0.1")),
    ("a header before", each("Epoch: {n}\n\nacc: 0.7{n}\n")),
    ("a header before text", each("Epoch: {n}\n\nstep 1\n  acc: 0.7{n}")),
    ("a header above", each("Epoch {n}:\n  lr: 0.1\n  acc: 0.7{n}")),
    ("an evaluation before", "acc: 0.1\n\n" + each("Epoch: {n}\n\nacc: 0.7{n}\n")),
    ("a bracket without an end", "settings = {\n" + each("Epoch {n}/3\nacc: 0.7{n}")),
    ("fields without epochs", each("acc: 0.7{n}\nlr: 0.1\n")),
]


@pytest.mark.parametrize("text", [row[1] for row in RIGHT], ids=[row[0] for row in RIGHT])
def test_a_value_has_the_epoch_of_its_record(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, text, "acc")
    values = {epoch: round(value, 2) for epoch, value in curve(found, "acc").items()}

    assert (values, notices(found)) == (THREE, [])
    assert curve(read(tmp_path, text, "acc", bytes_at_once=7), "acc") == curve(found, "acc")


def test_a_value_below_the_name_of_its_split_has_the_epoch_of_its_record(tmp_path: Path) -> None:
    found = read(tmp_path, each("Validation:\n  acc: 0.7{n}\n  epoch: {n}"), "val_acc")

    assert (curve(found, "val_acc"), notices(found)) == (THREE, [])


LONG = json.dumps({"acc": 0.5, **{f"name{n}": "x" * 30 for n in range(400)}, "epoch": 1}, indent=2) + "\n"


@pytest.mark.parametrize(
    ("text", "notice"),
    [
        ("{'acc': 0.7,\n 'lr': 0.1\n", "was not read from an object on several lines"),
        ("{'acc': 0.7,\n" + "Saving\n" * 60 + " 'epoch': 1}\n", "was not read from an object on several lines"),
        (LONG, "was not read from an object on several lines"),
        ('{"epoch": 1, "acc": 0.7, "epoch": 2}\n', "an object in the log with several numbers of an epoch"),
        ('{\n "epoch": 1,\n "acc": 0.7,\n "epoch": 2\n}\n', "an object in the log with several numbers of an epoch"),
        ('{"epoch": 1, "acc": 0.7, "acc": 0.8}\n', "several values of it"),
        ('{"epoch": 1, "acc": 0.7,\n "acc": 0.8}\n', "several values of it"),
    ],
)
def test_a_record_without_one_value_and_one_epoch_is_said(tmp_path: Path, text: str, notice: str) -> None:
    found = read(tmp_path, text, "acc")

    assert curve(found, "acc") == {}
    assert [notice in said for said in notices(found)] == [True]


def test_values_that_may_stand_before_their_epochs_are_said(tmp_path: Path) -> None:
    found = read(tmp_path, "begin\n" + each("acc: 0.7{n}\nepoch: {n}\nsaved"), "acc")

    assert ["stands before the first epoch of the log, and not behind the last" in s for s in notices(found)] == [True]


@pytest.mark.parametrize("name", ["acc", "train_loss"])
def test_a_number_that_is_not_finite_does_not_wait_for_its_epoch(tmp_path: Path, name: str) -> None:
    log = tmp_path / "log"
    log.write_text(f"begin\n---\nacc: 0.5\nepoch: 1\n---\nacc: 0.6\n{name}: nan\n", encoding="utf-8")

    found = LogReader(log, "acc", ("train_loss",), lambda: False, lambda: False).read()

    assert [dict(m.nonfinite) for m in found if m.nonfinite] == [{name: "nan"}]


DEEP = '{"a":' * 2000 + '{"epoch": 1},"b":{"epoch": 2}' + "}" * 2000
GARBLED = [
    DEEP,
    '{"epoch": 1, ' * 900,
    "(" * 9000 + ",",
    '{"a":\n' * 3000,
    "{\n" + ' "epoch": 1,\n' * 5000,
    "  - " * 3000,
]


@pytest.mark.parametrize("text", GARBLED)
def test_garbled_brackets_cost_little(tmp_path: Path, text: str) -> None:
    started_s = time.process_time()

    read(tmp_path, f"{text}\nacc: 0.7\n" * 3, "acc")

    assert time.process_time() - started_s < 20.0
