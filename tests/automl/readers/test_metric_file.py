"""Metric files: the three shapes, read when whole and once."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
