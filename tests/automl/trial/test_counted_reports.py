"""Trainers that never name an epoch: their reports are counted, one alone is of the last epoch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from automl.readers.log_lines import LogReader
from automl.readers.metric_file import MetricFileReader
from automl.trial.counted_reports import CountedReports, NamedEpochs

if TYPE_CHECKING:
    from pathlib import Path

    from automl.study.trial import Measurement
    from automl.trial.follow import Source

REPORTS = (0.5, 0.7, 0.9, 0.6)
COUNTED = [(0, 0.5), (1, 0.7), (2, 0.9), (3, 0.6)]


def curve(measurements: list[Measurement]) -> list[tuple[int | None, float]]:
    return [(m.epoch, m.values["val_acc"]) for m in measurements if "val_acc" in m.values]


def counted(source: Source, *, first: int = 0) -> CountedReports:
    return CountedReports(source, "val_acc", first, NamedEpochs())


def log_of(folder: Path) -> LogReader:
    return LogReader(folder / "log", "val_acc", ("train_loss",), lambda: False, lambda: False)


def lines_of(kind: str) -> list[str]:
    match kind:
        case "log":
            return [f"val_acc={value}" for value in REPORTS]
        case "log with steps":
            return [f"step {100 * (number + 1)}: val_acc: {value}" for number, value in enumerate(REPORTS)]
        case "jsonl":
            return [json.dumps({"val_acc": value}) for value in REPORTS]
        case "jsonl with steps":
            return [json.dumps({"step": 100 * number, "val_acc": value}) for number, value in enumerate(REPORTS)]
        case _:
            return ["lr,val_acc", *(f"0.1,{value}" for value in REPORTS)]


@pytest.mark.parametrize("kind", ["log", "log with steps", "jsonl", "jsonl with steps", "csv"])
@pytest.mark.parametrize("is_read_live", [True, False])
def test_each_report_ends_an_epoch(tmp_path: Path, kind: str, *, is_read_live: bool) -> None:
    name = "log" if kind.startswith("log") else f"metrics.{kind.partition(' ')[0]}"
    source = counted(log_of(tmp_path) if name == "log" else MetricFileReader(tmp_path, name))
    seen: list[Measurement] = []

    for line in lines_of(kind):
        with (tmp_path / name).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
        seen += source.read() if is_read_live else []
    seen += source.finish()

    assert curve(seen) == COUNTED


def test_a_document_that_is_written_anew_is_a_report_each_time(tmp_path: Path) -> None:
    source, seen = counted(MetricFileReader(tmp_path, "metrics.json")), []

    for value in REPORTS:
        (tmp_path / "metrics.json").write_text(json.dumps({"val_acc": value, "n": "x" * int(value * 10)}), "utf-8")
        seen += source.read()

    assert curve(seen) == COUNTED


def test_one_report_alone_has_no_epoch_and_comes_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("val_acc=0.5\n", encoding="utf-8")
    source = counted(log_of(tmp_path))

    assert curve(source.read()) == []
    assert curve(list(source.finish())) == [(None, 0.5)]
    assert curve(list(source.finish())) == []


def test_a_report_without_an_epoch_beside_others_with_one_has_none(tmp_path: Path) -> None:
    text = "baseline val_acc=0.1\nepoch 0: val_acc=0.5\nepoch 1: val_acc=0.7\n"
    (tmp_path / "log").write_text(text, encoding="utf-8")

    assert curve(list(counted(log_of(tmp_path)).finish())) == [(0, 0.5), (1, 0.7), (None, 0.1)]


def test_another_source_that_names_epochs_counts_for_all(tmp_path: Path) -> None:
    named = NamedEpochs()
    (tmp_path / "log").write_text("val_acc=0.5\nval_acc=0.7\n", encoding="utf-8")
    (tmp_path / "m.csv").write_text("epoch,val_acc\n4,0.5\n5,0.7\n", encoding="utf-8")
    table = CountedReports(MetricFileReader(tmp_path, "m.csv"), "val_acc", 0, named)
    log = CountedReports(log_of(tmp_path), "val_acc", 0, named)

    assert curve(table.read()) == [(4, 0.5), (5, 0.7)]
    assert curve(log.read()) == [(None, 0.5), (None, 0.7)]


def test_a_continued_attempt_counts_on(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("val_acc=0.9\n", encoding="utf-8")

    assert curve(counted(log_of(tmp_path), first=3).read()) == [(3, 0.9)]


def test_values_that_are_not_finite_do_not_wait(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"val_acc": 0.5, "train_loss": NaN}\n', encoding="utf-8")
    source = counted(MetricFileReader(tmp_path, "m.jsonl"))

    (found,) = source.read()

    assert (dict(found.nonfinite), dict(found.values)) == ({"train_loss": "nan"}, {})
    assert curve(list(source.finish())) == [(None, 0.5)]


def test_a_training_loss_between_two_reports_is_of_the_epoch_that_the_second_one_ends(tmp_path: Path) -> None:
    text = "train_loss=3\nval_acc=0.5\ntrain_loss=2\nval_acc=0.7\ntrain_loss=1\nval_acc=0.9\n"
    (tmp_path / "log").write_text(text, encoding="utf-8")

    found = [(m.epoch, m.values["train_loss"]) for m in counted(log_of(tmp_path)).finish() if "train_loss" in m.values]

    assert found == [(None, 3.0), (None, 2.0), (2, 1.0)]
