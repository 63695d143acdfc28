"""Reading files of strangers."""

from __future__ import annotations

import contextlib
import copy
import math
import os
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl import config_files
from automl.config_files import (
    Spelled,
    parse_json,
    parse_scalar,
    parse_toml,
    parse_yaml,
    read_document,
)
from automl.errors import ConfigurationError
from automl.schema_problems import schema_problems
from tests.automl import hostile_texts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("2E+3", 2000.0),
        ("1.0e-05", 1e-5),
        (".5", 0.5),
        ("-1.", -1.0),
        ("16", 16),
        ("-3", -3),
        ("1_000", 1000),
        (".inf", math.inf),
        ("on", True),
        ("off", False),
        ("null", None),
        ("'1e-5'", "1e-5"),
        ("2020-01-01", "2020-01-01"),
        ('"${eval: 1e-5 * 2}"', "${eval: 1e-5 * 2}"),
        ("1e-5x", "1e-5x"),
    ],
)
def test_a_yaml_scalar_is_what_the_trainers_reader_sees(text: str, value: object) -> None:
    read = parse_yaml(f"key: {text}", where="test")

    assert read == {"key": value}
    assert type(read["key"]) is type(value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed: 1.0", "a whole number from 0 to 9,007,199,254,740,991"),
        ("budget: {trials: 3.0}", "a whole number from 1 to 1,000,000"),
        ("budget: {trials: true}", "a whole number from 1 to 1,000,000"),
        ("budget: {target: .nan}", "a number"),
        ("resources: {gpus_per_trial: .inf}", "a number from 0 to 10,000"),
        ("policy: maybe", "one of on, off, auto"),
        ("objectives: []", "a list with at least 1 entry"),
        ("warm_start: 3", "true or false, or a list of text with at least 1 entry"),
        ("prepare: {directory: x}", "the key command"),
        ("seed: 1\nbudget: {trials: 3, target: 0.5}", ""),
        ("search: {lr: {range: 0.1..1, scale: lgo}}", "one of log, linear, one_minus_log"),
        ("search: {lr: {scale: log}}", "the key range, or the key options"),
        ("search: {lr: []}", "a list with at least 1 entry"),
        (
            "search: {lr: 0.1}",
            "a range such as 1e-5..1e-1 log, options such as [adam, sgd], or a mapping with either of them",
        ),
    ],
)
def test_a_number_of_a_study_file_is_one_that_can_be_computed_with(text: str, said: str) -> None:
    problems = schema_problems(parse_yaml(f"skill: toy\n{text}", where="a text"), "study", where="a text")

    assert [problem.expected for problem in problems] == ([said] if said else [])


def test_keys_of_a_mapping_are_text_as_they_were_written() -> None:
    read = parse_yaml("0: a\non: b\n1.5: c", where="test")

    assert read == {"0": "a", "on": "b", "1.5": "c"}


def test_anchors_and_merges_give_plain_data() -> None:
    read = parse_yaml("base: &base {a: 1, b: 2}\nother:\n  <<: *base\n  b: 3", where="test")

    assert read == {"base": {"a": 1, "b": 2}, "other": {"a": 1, "b": 3}}


def test_two_uses_of_an_alias_do_not_share_their_list() -> None:
    read = parse_yaml("a: &x [1]\nb: *x", where="test")

    assert isinstance(read, dict)
    assert read["a"] is not read["b"]


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (BOMB, "aliases counted"),
        ("&a [*a]", "cycle"),
        ("[" * 100_000, "64 levels"),
        ("{a: " * 70 + "1" + "}" * 70, "64 levels"),
        ("!!python/object/apply:os.system [ls]", "tag"),
        ("a: !!binary aGk=", "tag"),
        ("a: 1\nb: 2\na: 3", "'a' a second time in line 3"),
        ("? [1, 2]\n: 3", "key that is not text"),
        ("<<: 3", "for merging"),
        ("a: [1, 2", "line"),
        ("a: \x07", "not allowed"),
        ("a: 1\n---\nb: 2", "document"),
        ("!!int foo", "'foo'"),
    ],
    ids=[
        "bomb",
        "cycle",
        "deep",
        "deep map",
        "object",
        "binary",
        "twice",
        "key",
        "merge",
        "syntax",
        "bell",
        "two",
        "int",
    ],
)
def test_yaml_that_is_no_plain_data_is_refused_and_named(text: str, named: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_yaml(text, where="skill_info.yaml")

    assert "skill_info.yaml" in str(caught.value)
    assert named in str(caught.value)


def test_json_may_hold_bare_infinity_and_nan() -> None:
    read = parse_json('{"a": Infinity, "b": -Infinity, "c": NaN}', where="test")

    assert isinstance(read, dict)
    assert read["a"] == math.inf
    assert read["b"] == -math.inf
    assert math.isnan(read["c"])  # type: ignore[arg-type] # it is a float


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"a": ', "[" * 100_000, "[" * 80 + "]" * 80, "9" * 10_000])
def test_json_that_cannot_be_used_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_json(text, where="test")


def test_a_whole_number_beyond_floats_is_infinite_in_every_format() -> None:
    digits = "9" * 400

    assert parse_yaml(f"a: {digits}", where="f") == {"a": math.inf}
    assert parse_json(f'{{"a": -{digits}}}', where="f") == {"a": -math.inf}
    assert parse_toml(f"a = {digits}", where="f") == {"a": math.inf}
    assert parse_scalar("9" * 30) == int("9" * 30)


def test_toml_dates_become_text() -> None:
    read = parse_toml("a = 2020-01-01\nb = 1e-5\n[c]\nd = [1, 2]", where="test")

    assert read == {"a": "2020-01-01", "b": 1e-5, "c": {"d": [1, 2]}}


def test_broken_toml_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="TOML"):
        parse_toml("a = ", where="test")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("16", 16),
        ("on", True),
        ("[1, 2]", [1, 2]),
        ("{a: 1}", {"a": 1}),
        ("'16'", "16"),
        ("", ""),
        ("a: b", "a: b"),
        ("# x", "# x"),
        ("{a: b", "{a: b"),
        ("/data/my images", "/data/my images"),
        ("!!python/name:os.system", "!!python/name:os.system"),
    ],
)
def test_the_value_of_an_override_is_data_or_text_but_never_refused(text: str, value: object) -> None:
    assert parse_scalar(text) == value


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader_of_values(text: str) -> None:
    parse_scalar(text)


@given(st.text(max_size=200))
def test_any_text_is_either_read_or_refused(text: str) -> None:
    for parse in (parse_yaml, parse_json, parse_toml):
        try:
            parse(text, where="test")
        except ConfigurationError as error:
            assert error.problems  # noqa: PT017 # reading it is as good as refusing it


def test_a_file_is_read_by_its_suffix(tmp_path: Path) -> None:
    for name, text in (("a.json", '{"a": 1}'), ("a.toml", "a = 1"), ("a.yaml", "a: 1"), ("a.txt", "a: 1")):
        (tmp_path / name).write_text(text, encoding="utf-8")

        assert read_document(tmp_path / name) == {"a": 1}


def test_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")

    assert read_document(tmp_path / "a.yaml") == {"a": 1}


def test_what_is_no_regular_readable_utf8_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_files, "MAX_BYTES", 100)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "large.yaml").write_text("a" * 200, encoding="utf-8")
    os.mkfifo(tmp_path / "pipe.yaml")

    for name in ("binary.yaml", "large.yaml", "pipe.yaml", "nothing.yaml", "nul\0.yaml"):
        with pytest.raises(ConfigurationError):
            read_document(tmp_path / name)


HOSTILE = [
    pytest.param(parse, make, id=f"{parse.__name__} {name}")
    for parse, texts in (
        (parse_yaml, hostile_texts.YAML),
        (parse_json, hostile_texts.JSON),
        (parse_toml, hostile_texts.TOML),
    )
    for name, make in texts.items()
]

# The aim is one second; without the limits these texts take 16 s and more, and machines of tests are slow.
SOON_S = 5.0


@pytest.mark.parametrize(("parse", "make"), HOSTILE)
@pytest.mark.parametrize("size", [200_000, config_files.MAX_BYTES])
def test_a_text_made_to_be_expensive_is_soon_refused(
    parse: Callable[..., object], make: Callable[[int], str], size: int
) -> None:
    text = make(size)
    began_s = time.process_time()

    with contextlib.suppress(ConfigurationError):
        parse(text, where="f")

    assert time.process_time() - began_s < SOON_S


def test_the_largest_file_that_is_read_is_read_soon() -> None:
    keys = "".join(f"k{i}: 1e-5\n" for i in range(config_files.MAX_VALUES - 1))
    began_s = time.process_time()

    read = parse_yaml(keys, where="f")

    assert time.process_time() - began_s < SOON_S
    assert isinstance(read, dict)
    assert len(read) == config_files.MAX_VALUES - 1


@pytest.mark.parametrize(("text", "value"), [("1:30", 90), ("-1:00:00", -3600)])
def test_a_number_of_base_60_is_read_as_trainers_read_it(text: str, value: int) -> None:
    assert parse_yaml(f"a: {text}", where="f") == {"a": value}


def test_a_long_text_of_digits_is_text_where_it_is_quoted() -> None:
    assert parse_yaml(f'a: "{"1" * 5000}"', where="f") == {"a": "1" * 5000}


def test_a_spelled_scalar_knows_its_text_and_its_value() -> None:
    text = "[2024_11, no, 1e3, 010, 0o17, -0x1f, .inf, text, '010', ~, 12:30:45, 1:30.5, 2024-11-01]"
    read = copy.deepcopy(parse_yaml(text, where="test", is_spelled=True))

    assert isinstance(read, list)
    spelled = [item for item in read if isinstance(item, Spelled)]
    plain = ["text", "010", None, "12:30:45", "1:30.5", "2024-11-01"]
    assert read == ["2024_11", "no", "1e3", "010", "0o17", "-0x1f", ".inf", *plain]
    assert [item.value for item in spelled] == [202411, False, 1000.0, 10, 15, -31, math.inf]


def test_of_very_many_problems_the_first_are_named_and_that_there_are_more() -> None:
    problems = schema_problems({"skill": "toy", "objectives": [[]] * 16_000}, "study", where="s.yaml")

    assert len(problems) == 201
    assert problems[0].where == "s.yaml: objectives[0]"
    assert (problems[-1].where, problems[-1].found) == ("s.yaml", "more than these 200 problems")
