"""Metric files: the three shapes, read when whole and once."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from automl.readers.metric_file import MetricFileReader, read_metrics

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"val_loss": 0.5, "name": "x"}', [(None, {"val_loss": 0.5})]),
        ('{"epoch": 3, "val_loss": 0.5}', [(3, {"val_loss": 0.5})]),
        ('{"val": {"mse": 0.5}}', [(None, {"val/mse": 0.5})]),
        ('[{"epoch": 0, "m": 1}, {"epoch": 1, "m": 2}]', [(0, {"m": 1.0}), (1, {"m": 2.0})]),
        ('{"m": [1, 2], "best": 2}', [(None, {"best": 2.0}), (0, {"m": 1.0}), (1, {"m": 2.0})]),
        ('{"val_loss": ', []),
        ('{"name": "x"}', []),
        ("[1, 2]", []),
        ('{"epoch": 0, "m": 1}\n{"epoch": 1, "m": 2}\n', [(0, {"m": 1.0}), (1, {"m": 2.0})]),
        ("epoch, m,note\n0,1,a\n1,,b\n2,3,c\n", [(0, {"m": 1.0}), (2, {"m": 3.0})]),
        ('{"split": "val", "m": 1}\n{"split": "train", "m": 2}\n', [(None, {"m": 1.0}), (None, {"train_m": 2.0})]),
        ("epoch,phase,train_m\n0,Training,1\n", [(0, {"train_m": 1.0})]),
        ("epoch,set,m\n0,val,1\n0,train,2\n", [(0, {"m": 1.0}), (0, {"train_m": 2.0})]),
        ("\ufeffEpoch,M\n5,1\n6,2\n", [(5, {"M": 1.0}), (6, {"M": 2.0})]),
        ("\ufeffm,Epoch\n1,5\n", [(5, {"m": 1.0})]),
        ('{"epoch": [5, 10], "m": [1, 2]}', [(5, {"m": 1.0}), (10, {"m": 2.0})]),
    ],
)
def test_each_shape_is_understood(text: str, expected: list[tuple[int | None, dict[str, float]]]) -> None:
    assert [(m.epoch, dict(m.values)) for m in read_metrics(text)] == expected


def test_a_value_that_is_not_finite_is_reported_as_text() -> None:
    assert [dict(m.nonfinite) for m in read_metrics('{"val_loss": NaN}')] == [{"val_loss": "nan"}]


def test_a_file_is_read_when_it_has_changed_and_only_new_values_are_returned(tmp_path: Path) -> None:
    reader = MetricFileReader(tmp_path, "metrics.json")
    file = tmp_path / "metrics.json"

    assert reader.read() == []
    file.write_text('[{"epoch": 0, "m": 1}]', encoding="utf-8")
    assert len(reader.read()) == 1
    assert reader.read() == []
    file.write_text('[{"epoch": 0, "m": 1}, {"epoch": 1, "m": 2}]', encoding="utf-8")
    assert [m.epoch for m in reader.read()] == [1]


def test_at_the_end_a_file_of_that_name_in_a_folder_below_counts_too(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train/metrics.json").write_text('{"m": 1}', encoding="utf-8")
    reader = MetricFileReader(tmp_path, "metrics.json")

    assert reader.read() == []
    assert len(reader.finish()) == 1


def test_half_a_row_waits_for_its_end(tmp_path: Path) -> None:
    reader = MetricFileReader(tmp_path, "logs/*/metrics.csv")
    file = tmp_path / "logs/version_0/metrics.csv"
    file.parent.mkdir(parents=True)
    file.write_text("epoch,acc\n0,0.81\n1,0.8", encoding="utf-8")

    assert [(m.epoch, m.values["acc"]) for m in reader.read()] == [(0, 0.81)]
    file.write_text("epoch,acc\n0,0.81\n1,0.89", encoding="utf-8")
    assert [(m.epoch, m.values["acc"]) for m in reader.finish()] == [(1, 0.89)]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("metrics.csv", ["val_loss", "0.5", "0.5", "0.25"]),
        ("metrics.csv", ["val_loss;note", "0.5;a", "0.5;a", "0.25;b"]),
        ("metrics.jsonl", ['{"val_loss": 0.5}', '{"val_loss": 0.5}', '{"val_loss": 0.25}']),
    ],
)
def test_equal_rows_without_an_epoch_are_several(tmp_path: Path, name: str, lines: list[str]) -> None:
    reader, file, seen = MetricFileReader(tmp_path, name), tmp_path / name, []

    for line in lines:
        with file.open("a", encoding="utf-8") as stream:
            stream.write(f"{line}\n")
        seen += [m.values["val_loss"] for m in reader.read()]

    assert seen == [0.5, 0.5, 0.25]
    assert reader.finish() == []


def test_a_table_that_is_written_anew_with_one_more_column_gives_its_new_rows_only(tmp_path: Path) -> None:
    reader, file = MetricFileReader(tmp_path, "metrics.csv"), tmp_path / "metrics.csv"

    file.write_text("epoch,acc\n0,0.5\n1,0.6\n", encoding="utf-8")
    first = [(m.epoch, dict(m.values)) for m in reader.read()]
    file.write_text("epoch,acc,loss\n0,0.5,\n1,0.6,\n2,0.7,0.1\n", encoding="utf-8")

    assert first == [(0, {"acc": 0.5}), (1, {"acc": 0.6})]
    assert [(m.epoch, dict(m.values)) for m in reader.read()] == [(2, {"acc": 0.7, "loss": 0.1})]


@pytest.mark.parametrize("text", ["[\n0.5,\n0.6,\n", "[1,\n2,\n", '[\n  {"epoch": 0, "m": 1},\n'])
def test_half_a_list_is_no_table(text: str) -> None:
    assert read_metrics(text) == []


def test_one_row_more_of_a_long_table_is_read_alone(tmp_path: Path) -> None:
    reader, file = MetricFileReader(tmp_path, "metrics.csv"), tmp_path / "metrics.csv"
    file.write_text("epoch,acc\n" + "".join(f"{epoch},0.5\n" for epoch in range(20_000)), encoding="utf-8")
    while reader.read():
        pass

    with file.open("a", encoding="utf-8") as stream:
        stream.write("20000,0.75\n")
    with patch("automl.readers.metric_file.csv.DictReader", side_effect=csv.DictReader) as parser:
        found = reader.read()

    assert [m.epoch for m in found] == [20_000]
    assert parser.call_args.args == (["epoch,acc", "20000,0.75"],)
