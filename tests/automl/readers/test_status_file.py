"""Status files: tolerant towards every writer, and never a number that is none."""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.readers.status_file import StatusReader, measurement_of, number_of, parse_line

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from automl.study.trial import Measurement


def parsed(text: str) -> Measurement:
    found = parse_line(text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("value", "finite", "nonfinite"),
    [
        ("0.5", 0.5, None),
        ("-1e-3", -0.001, None),
        ('"0.25"', 0.25, None),
        ('" 3e-2 "', 0.03, None),
        ("7", 7.0, None),
        ("NaN", None, "nan"),
        ("-Infinity", None, "-inf"),
        ("Infinity", None, "inf"),
        ('"nan"', None, "nan"),
        ('"-inf"', None, "-inf"),
        ("1e999", None, "inf"),
        ("true", None, None),
        ("null", None, None),
        ('"cuda"', None, None),
        ("[0.5]", None, None),
    ],
)
def test_a_metric_is_a_finite_number_or_a_word_for_what_it_is_not(
    value: str, finite: float | None, nonfinite: str | None
) -> None:
    found = parsed(f'{{"status": "RUNNING", "kpi": {{"m": {value}}}}}')

    assert found.values == ({} if finite is None else {"m": finite})
    assert found.nonfinite == ({} if nonfinite is None else {"m": nonfinite})


@pytest.mark.parametrize("names", ['["val/loss"]', '{"val/loss": "nan"}'])
def test_null_with_its_name_among_the_nonfinite_ones_is_not_finite(names: str) -> None:
    found = parsed(f'{{"kpi": {{"val/loss": null, "val/d1": 0.5}}, "kpi_nonfinite": {names}}}')

    assert found.values == {"val/d1": 0.5}
    assert found.nonfinite == {"val/loss": "nan"}


@pytest.mark.parametrize("text", ["", "garbage", "[1, 2]", "3", '{"half": ', "{" * 5000, "null", '"text"'])
def test_a_line_that_is_no_object_is_no_measurement(text: str) -> None:
    assert parse_line(text) is None


def test_the_progress_line_has_epoch_step_and_the_number_of_epochs() -> None:
    found = parsed('{"epoch": 2, "step": 30, "max_epoch": 7, "time_per_epoch": 1.5, "status": "RUNNING"}')

    assert (found.epoch, found.step, found.max_epochs) == (2, 30, 8)
    assert found.values == {}


def test_an_epoch_may_be_text_or_a_whole_float() -> None:
    assert parsed('{"epoch": "3", "kpi": {}}').epoch == 3
    assert parsed('{"epoch": 3.0, "kpi": {}}').epoch == 3
    assert parsed('{"epoch": 3.5, "kpi": {}}').epoch == 3


def test_a_failure_line_has_its_code_beside_its_message() -> None:
    found = parsed('{"status": "FAILURE", "code": "data", "message": "no rows"}')

    assert found.is_failure
    assert (found.failure_code, found.message) == ("data", "no rows")


def test_a_warning_keeps_its_words() -> None:
    found = parsed('{"status": "RUNNING", "code": "slow", "message": "slow loader"}')

    assert (found.failure_code, found.message) == ("", "slow loader")


def test_metrics_beside_the_usual_keys_count_where_there_is_no_kpi() -> None:
    found = parsed('{"epoch": 1, "val_acc": 0.5, "eta": 12.0, "run": "17", "done": true}')

    assert found.values == {"val_acc": 0.5}


def test_nested_metrics_are_joined_with_a_slash() -> None:
    assert parsed('{"kpi": {"val": {"d1": 0.5, "map": {"50": 0.1}}}}').values == {"val/d1": 0.5, "val/map/50": 0.1}


def test_the_line_of_a_successor_is_found_behind_half_a_line() -> None:
    found = parsed('{"epoch": 0, "kpi": {"d1": 0.9{"epoch": 1, "status": "RUNNING", "kpi": {"d1": 0.5}}')

    assert (found.epoch, found.values) == (1, {"d1": 0.5})


def test_the_inside_of_half_a_line_is_no_measurement() -> None:
    assert parse_line('{"epoch": 0, "kpi": {"d1": 0.9}') is None


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_no_json_line_makes_the_reader_fail_or_hand_on_a_number_that_is_not_finite(document: object) -> None:
    found = parse_line(json.dumps({"status": "RUNNING", "kpi": document}))

    assert found is not None
    assert all(math.isfinite(value) for value in found.values.values())
    assert not found.values.keys() & found.nonfinite.keys()


def test_a_number_too_large_for_a_float_is_infinite() -> None:
    assert number_of(1e150) == 1e150
    assert number_of(1e151) == number_of("1e300") == "inf"
    assert number_of(-1e151) == "-inf"
    assert number_of(10**400) == "inf"
    assert number_of(-(10**400)) == "-inf"


def write(file: Path, *documents: dict[str, object], end: str = "\n") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as stream:
        stream.write("\n".join(json.dumps(document) for document in documents) + end)


def reported(measurements: Iterable[Measurement]) -> list[tuple[int | None, dict[str, float]]]:
    return [(m.epoch, dict(m.values)) for m in measurements if m.values]


def test_a_growing_file_is_read_line_by_line(tmp_path: Path) -> None:
    reader = StatusReader(tmp_path)
    file = tmp_path / "train" / "status.json"

    assert reader.read() == []
    write(file, {"epoch": 0, "kpi": {"d1": 0.1}}, {"epoch": 1, "kpi": {"d1": 0.2}})
    assert reported(reader.read()) == [(0, {"d1": 0.1}), (1, {"d1": 0.2})]
    write(file, {"epoch": 2, "kpi": {"d1": 0.3}}, end="")
    assert reported(reader.read()) == []
    assert reported(reader.finish()) == [(2, {"d1": 0.3})]


def test_several_files_have_each_their_own_epochs(tmp_path: Path) -> None:
    write(tmp_path / "a/status.json", {"message": "Eval metrics generated.", "kpi": {"d1": 0.1}}, {"epoch": 5})
    write(tmp_path / "b/status.json", {"message": "Eval metrics generated.", "kpi": {"d1": 0.2}}, {"epoch": 0})

    assert sorted(reported(StatusReader(tmp_path).finish())) == [(0, {"d1": 0.2}), (5, {"d1": 0.1})]


def test_folders_far_below_are_not_searched(tmp_path: Path) -> None:
    write(tmp_path / "1/2/3/4/status.json", {"epoch": 0, "kpi": {"d1": 0.1}})
    write(tmp_path / "1/2/3/4/5/6/status.json", {"epoch": 0, "kpi": {"d1": 0.2}})

    assert reported(StatusReader(tmp_path).finish()) == [(0, {"d1": 0.1})]


def test_lines_without_metrics_are_reported_too(tmp_path: Path) -> None:
    write(tmp_path / "status.json", {"status": "RUNNING", "message": "a"}, {"status": "FAILURE", "message": "b"})
    reader = StatusReader(tmp_path)

    last = list(reader.finish())[-1]

    assert (last.is_failure, last.message) == (True, "b")
    assert reader.has_files


def test_a_metric_without_a_name_is_left_out_with_a_notice_and_the_others_arrive() -> None:
    found = measurement_of({"epoch": 0, "kpi": {"": 0.1, "  ": "nan", "val/d1": 0.5}})

    assert (dict(found.values), dict(found.nonfinite)) == ({"val/d1": 0.5}, {})
    assert found.notice == "a metric without a name was left out"
    assert not measurement_of({"epoch": 0, "kpi": {"val/d1": 0.5}}).notice


def test_a_notice_of_metrics_whose_epoch_comes_later_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "status.json", {"message": "Eval metrics generated.", "kpi": {"": 1, "d1": 0.1}}, {"epoch": 0})

    assert [m.notice for m in StatusReader(tmp_path).finish()] == ["a metric without a name was left out"]


def test_half_of_a_surrogate_pair_becomes_text_that_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text(
        r'{"epoch": 0, "message": "\ud83d", "kpi": {"d1\ud800": 0.1, "\ud83d\ude00": 0.2, "d1\udfff": 0.3}}' + "\n",
        encoding="ascii",
    )

    (found,) = StatusReader(tmp_path).finish()

    assert found.values == {r"d1\ud800": 0.1, "\N{GRINNING FACE}": 0.2, r"d1\udfff": 0.3}
    assert found.message == r"\ud83d"
    "".join((*found.values, found.message)).encode()


@pytest.mark.parametrize("count", [2**53, 1e300, 10**400, -1])
def test_a_count_that_no_trainer_reaches_is_no_epoch(count: float) -> None:
    found = measurement_of({"epoch": count, "step": count, "kpi": {"d1": 0.1}})

    assert (found.epoch, found.step, found.values) == (None, None, {"d1": 0.1})


def test_a_named_pipe_is_no_status_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "status.json")
    reader = StatusReader(tmp_path)

    assert reader.read() == []
    assert not reader.has_files


@pytest.mark.parametrize(
    ("epochs", "first", "expected"),
    [
        ((0, 1, 2), 0, [0, 1, 2]),
        ((1, 2, 3), 1, [0, 1, 2]),
        ((0.5, 1.0, 1.5, 2.0), 0, [0, 0, 1, 1]),
        ((0.5, 1.0, 1.5, 2.0), 1, [0, 0, 1, 1]),
        ((None, None), 1, [0, 1]),
    ],
)
def test_epochs_may_be_counted_from_1_or_done(
    tmp_path: Path, epochs: tuple[float | None, ...], first: int, expected: list[int]
) -> None:
    lines = [{"epoch": epoch, "kpi": {"d1": number / 8}} for number, epoch in enumerate(epochs)]
    (tmp_path / "status.json").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")

    assert [m.epoch for m in StatusReader(tmp_path, first).finish()] == expected


@pytest.mark.parametrize(
    "line",
    [
        '{"epoch": 0, "kpi": {"d1": 0.1, "d1": 0.9}}',
        '{"epoch": 0, "epoch": 5, "kpi": {"d1": 0.1}}',
        '{"epoch": 0, "kpi": {"d1": 0.1}, "kpi": {"d1": 0.9}}',
    ],
)
def test_a_name_with_several_values_in_one_object_is_not_read_and_said(tmp_path: Path, line: str) -> None:
    (tmp_path / "status.json").write_text(f'{line}\n{{"epoch": 1, "kpi": {{"d1": 0.5}}}}\n', encoding="utf-8")

    found = list(StatusReader(tmp_path).finish())

    assert reported(found) == [(1, {"d1": 0.5})]
    assert ["an object in status.json has several values of" in m.notice for m in found if m.notice] == [True]
