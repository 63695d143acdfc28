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
        ('{"history": {"m": [1, 2]}}', [(0, {"m": 1.0}), (1, {"m": 2.0})]),
        ('{"epochs": [{"epoch": 0, "m": 1}], "best": 2}', [(0, {"m": 1.0}), (None, {"best": 2.0})]),
        ('{"1": {"m": 1}, "2": {"m": 2}}', [(1, {"m": 1.0}), (2, {"m": 2.0})]),
        ('{"epoch_1": {"m": 1}}', [(1, {"m": 1.0})]),
        ('{"val": {"m": [1, 2]}}', [(0, {"val/m": 1.0}), (1, {"val/m": 2.0})]),
        ('{"epoch": 3, "m": 1, "of_classes": [0.1, 0.2]}', [(3, {"m": 1.0})]),
        ('{"epoch": 3, "m": "70%"}', [(3, {"m": 70.0})]),
        ("epoch\tm\n0\t1\n", [(0, {"m": 1.0})]),
        ("sep=;\nepoch;m\n0;0,5\n", [(0, {"m": 0.5})]),
        ("epoch;m;n\n0;1,234;0,234\n", [(0, {"n": 0.234})]),
        ("# run 1\n#\nepoch,m\n0,70%\n", [(0, {"m": 70.0})]),
        ("# epoch,m\n0,1\n1,2\n", [(0, {"m": 1.0}), (1, {"m": 2.0})]),
        ("epoch,m\n0,1\nepoch,n,m\n1,2,3\n", [(0, {"m": 1.0}), (1, {"n": 2.0, "m": 3.0})]),
        ("epoch,m,n,n,,\n0,1,2,3,4,5\n", [(0, {"m": 1.0})]),
        ("epoch,metric,value\n0,m,1\n0,n,2\n", [(0, {"m": 1.0}), (0, {"n": 2.0})]),
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
    with patch("automl.readers.metric_rows.csv.DictReader", side_effect=csv.DictReader) as parser:
        found = reader.read()

    assert [m.epoch for m in found] == [20_000]
    assert parser.call_args.args == (["epoch,acc", "20000,0.75"],)


def found_in(folder: Path, name: str, text: str, objective: str) -> tuple[dict[int | None, float], list[str]]:
    (folder / name).write_text(text, encoding="utf-8")
    reader = MetricFileReader(folder, name, objective=objective, is_expected=True)
    found = [*reader.read(), *reader.finish()]
    return {m.epoch: m.values[objective] for m in found if objective in m.values}, [m.notice for m in found if m.notice]


def table(column: str, *cells: str) -> str:
    rows = "".join(f"{epoch},{cell},0.{number}{epoch}\n" for epoch in (0, 1) for number, cell in enumerate(cells, 1))
    return f"epoch,{column},acc\n{rows}"


@pytest.mark.parametrize(
    ("text", "objective", "expected"),
    [
        (table("split", "val", "test"), "acc", {0: 0.1, 1: 0.11}),
        (table("split", "test", "train", "val"), "acc", {0: 0.3, 1: 0.31}),
        (table("split", "val", "test"), "test_acc", {0: 0.2, 1: 0.21}),
        (table("phase", "validation", "test"), "val_acc", {0: 0.1, 1: 0.11}),
        (table("dataset", "kitti", "nyu"), "nyu_acc", {0: 0.2, 1: 0.21}),
        (table("dataset", "kitti", "mean"), "acc", {0: 0.2, 1: 0.21}),
        (table("fold", "0", "1", "mean"), "acc", {0: 0.3, 1: 0.31}),
        (table("class", "0", "1", "all"), "acc", {0: 0.3, 1: 0.31}),
        (table("data", "0.01"), "data", {0: 0.01, 1: 0.01}),
        (table("split", "test"), "acc", {0: 0.1, 1: 0.11}),
    ],
)
def test_of_rows_of_one_epoch_those_count_that_the_name_or_validation_says(
    tmp_path: Path, text: str, objective: str, expected: dict[int | None, float]
) -> None:
    assert found_in(tmp_path, "m.csv", text, objective) == (expected, [])


@pytest.mark.parametrize(
    ("text", "epochs", "notice"),
    [
        (
            table("dataset", "kitti", "nyu"),
            {0: 0.1, 1: 0.11},
            "rows of m.csv of kitti and of nyu, and those of kitti count",
        ),
        (table("fold", "1", "2"), {0: 0.1, 1: 0.11}, "rows of m.csv of fold1 and of fold2, and those of fold1 count"),
        (table("note", "a", "b"), {0: 0.2, 1: 0.21}, "several rows of epoch 0 of m.csv, and the last of them counts"),
        (
            "epoch,acc\n0,0.1\n1,0.2\n0,0.3\n1,0.2\n",
            {0: 0.3, 1: 0.2},
            "several rows of epoch 0 of m.csv, and the last of them counts",
        ),
        ("epoch,acc,loss,acc\n0,0.9,1,0.1\n", {}, "acc is the name of several columns of m.csv: none of them was read"),
        ("acc was 0.5\n", {}, "nothing was read of m.csv, which begins with 'acc was 0.5': expected are JSON"),
    ],
)
def test_rows_that_cannot_be_distinguished_are_said_once(
    tmp_path: Path, text: str, epochs: dict[int | None, float], notice: str
) -> None:
    found, (said,) = found_in(tmp_path, "m.csv", text, "acc")

    assert found == epochs
    assert notice in said


def test_comments_before_the_names_of_columns_may_come_first_alone(tmp_path: Path) -> None:
    reader, file = MetricFileReader(tmp_path, "m.csv"), tmp_path / "m.csv"

    file.write_text("# run 1\n", encoding="utf-8")
    assert reader.read() == []
    file.write_text("# run 1\nepoch,m\n0,0.5\n", encoding="utf-8")

    assert [(m.epoch, dict(m.values)) for m in reader.read()] == [(0, {"m": 0.5})]


FRACTIONS = "epoch,acc\n0.5,0.1\n1.0,0.2\n1.5,0.3\n2.0,0.4\n"


@pytest.mark.parametrize(
    ("name", "text", "first", "expected"),
    [
        ("m.csv", FRACTIONS, 0, {0: 0.2, 1: 0.4}),
        ("m.csv", FRACTIONS, 1, {0: 0.2, 1: 0.4}),
        ("m.csv", "epoch,acc\n1.0,0.2\n1.5,0.3\n2.0,0.4\n", 0, {0: 0.2, 1: 0.4}),
        ("m.csv", "epoch,acc\n0,0.1\n0.5,0.2\n", 0, {0: 0.2}),
        ("m.csv", "epoch,acc\n0.0,0.1\n1.0,0.2\n", 0, {0: 0.1, 1: 0.2}),
        ("m.csv", "epoch,acc\n1,0.1\n2,0.2\n", 1, {0: 0.1, 1: 0.2}),
        ("m.jsonl", '{"epoch": 0.5, "acc": 0.1}\n{"epoch": 1.0, "acc": 0.2}\n', 0, {0: 0.2}),
        ("m.json", '[{"epoch": 1.0, "acc": 0.1}, {"epoch": 1.5, "acc": 0.2}]', 0, {0: 0.1, 1: 0.2}),
        ("m.json", '{"epoch": [0.5, 1.0, 1.5], "acc": [0.1, 0.2, 0.3]}', 0, {0: 0.2, 1: 0.3}),
        ("m.json", '{"log_history": [{"epoch": 1.0, "acc": 0.1}, {"epoch": 2.0, "acc": 0.2}]}', 1, {0: 0.1, 1: 0.2}),
        ("m.json", '{"acc": [0.1, 0.2]}', 1, {0: 0.1, 1: 0.2}),
        ("out/all_results.json", '{"epoch": 3.0, "acc": 0.1}', 0, {2: 0.1}),
        ("out/all_results.json", '{"epoch": 2.98, "acc": 0.1}', 1, {2: 0.1}),
    ],
)
def test_a_fraction_shows_that_numbers_of_epochs_say_how_many_are_done(
    tmp_path: Path, name: str, text: str, first: int, expected: dict[int, float]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / name).write_text(text, encoding="utf-8")
    found = MetricFileReader(tmp_path, name, objective="acc", first_epoch=first).finish()

    assert {m.epoch: m.values["acc"] for m in found if m.values} == expected
    assert [m.notice for m in found if m.notice] == []


def test_a_fraction_that_comes_late_is_said(tmp_path: Path) -> None:
    reader, file = MetricFileReader(tmp_path, "m.csv", objective="acc"), tmp_path / "m.csv"
    file.write_text("epoch,acc\n1,0.1\n", encoding="utf-8")
    assert [m.epoch for m in reader.read()] == [1]

    file.write_text("epoch,acc\n1,0.1\n1.5,0.2\n2,0.3\n", encoding="utf-8")
    found = reader.finish()

    assert [m.epoch for m in found if m.values] == [1, 1]
    assert ["epochs in m.csv are whole numbers first" in m.notice for m in found if m.notice] == [True]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.jsonl", '{"epoch": 0, "acc": 0.1, "acc": 0.9}\n{"epoch": 1, "acc": 0.7}\n'),
        ("m.jsonl", '{"epoch": 0, "epoch": 5, "acc": 0.1}\n{"epoch": 1, "acc": 0.7}\n'),
        ("m.json", '[{"epoch": 0, "acc": 0.1, "acc": 0.9}, {"epoch": 1, "acc": 0.7}]'),
        ("m.json", '{"0": {"acc": 0.1}, "0": {"acc": 0.9}, "1": {"acc": 0.7}}'),
    ],
)
def test_a_name_with_several_values_in_one_object_is_not_read_and_said(tmp_path: Path, name: str, text: str) -> None:
    curve, notices = found_in(tmp_path, name, text, "acc")

    assert curve == {1: 0.7}
    assert ["none of which was read; write one" in said for said in notices] == [True]


def test_a_name_with_one_value_twice_in_an_object_is_read(tmp_path: Path) -> None:
    assert found_in(tmp_path, "m.json", '{"epoch": 0, "acc": 0.1, "acc": 0.1}', "acc") == ({0: 0.1}, [])
