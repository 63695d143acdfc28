"""What people read: lines and tables."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from automl.cli.render import (
    differing_parameters,
    findings_table,
    format_assignment,
    format_measure,
    format_value,
    short_names,
    trial_line,
)
from automl.preflight.findings import bad
from tests.automl.cli.study_folder import TRIALS


def test_a_trial_line_can_be_searched_for_its_state_and_value() -> None:
    line = trial_line(TRIALS[2], metric="val/d1", max_epochs=5, is_best=True).plain

    assert line.startswith("trial   2  completed  val/d1 0.7000")
    assert "(best)" in line
    assert "epoch 5 of 5" in line
    assert "13.0 s" in line
    assert "lr=0.05" in line


def test_a_diverged_trial_shows_its_reason_instead_of_a_value() -> None:
    line = trial_line(TRIALS[1], metric="val/d1", max_epochs=None, is_best=False).plain

    assert "diverged" in line
    assert "train_loss is nan in epoch 0" in line


def test_names_are_as_short_as_they_can_be_distinguished() -> None:
    assert format_assignment({"a.lr": 0.5, "b.lr": 1, "c.decay": 1e-05}) == "a.lr=0.5  b.lr=1  decay=1e-05"
    assert short_names(["data.flip.enable", "data.crop.enable", "data.p", "p", "data.p"]) == {
        "data.flip.enable": "flip.enable",
        "data.crop.enable": "crop.enable",
        "data.p": "data.p",
        "p": "p",
    }


def test_numbers_are_shown_with_four_digits_and_text_as_it_is() -> None:
    assert (format_value(0.123456), format_value(16), format_value("LambdaLR")) == ("0.1235", "16", "LambdaLR")


def test_only_parameters_that_differ_become_columns() -> None:
    assert differing_parameters(TRIALS) == ["train.lr"]
    assert differing_parameters(TRIALS[:1]) == []


@pytest.mark.parametrize("width", [80, 120, 160])
def test_a_row_of_the_doctor_can_be_read_at_any_width(width: int) -> None:
    place = "dataset.train_dataset.data_sources[0]"
    row = bad(f"depth data: {place}", "they look like millimetres", expected="metres", fix="use dataset_name NYUDV2")
    stream = io.StringIO()

    Console(file=stream, width=width).print(findings_table([row], width))

    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert place in stream.getvalue()
    assert ("fix: use dataset_name NYUDV2" in stream.getvalue()) is (width < 140)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.93821, "0.9382"), (0.0, "0.0000"), (3.2e-5, "3.2e-05"), (-1e101, "-1e+101"), (12345.678, "12345.6780")],
)
def test_a_value_is_never_shown_as_zero_or_in_a_hundred_digits(value: float, shown: str) -> None:
    assert format_measure(value) == shown
