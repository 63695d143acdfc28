"""Specs on disk: exact in every format, and all or nothing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.config_files import parse_json, parse_toml, parse_yaml
from automl.errors import ConfigurationError
from automl.skill.model import ConfigFormat, JsonValue
from automl.spec.model import Spec
from automl.spec.write import read_spec, render_spec, write_spec

PARSERS = {ConfigFormat.YAML: parse_yaml, ConfigFormat.JSON: parse_json, ConfigFormat.TOML: parse_toml}
VALUES: dict[str, JsonValue] = {
    "lr": 1e-05,
    "tiny": 5e-324,
    "third": 1 / 3,
    "large": 1e22,
    "whole": 2.0,
    "count": 16,
    "huge": 2**62,
    "flag": True,
    "text": "1e-5",
    "number": "12800",
    "on": "on",
    "empty": "",
    "umlaut": "Tiefenkarte \u00e4",
    "lines": "a\nb",
    "interpolation": "${eval: '1e-5 * ${a.b}'}",
    "list": [1, 2.5, [3], {"x": 1}],
    "block": {"inner": {"deep": -1.5e-7}},
    "infinite": math.inf,
}


@pytest.mark.parametrize("config_format", list(ConfigFormat))
def test_every_value_comes_back_with_its_type(config_format: ConfigFormat) -> None:
    text = render_spec(Spec(values=VALUES), config_format)

    read = PARSERS[config_format](text, where="test")

    assert isinstance(read, dict)
    assert {key: repr(value) for key, value in read.items()} == {key: repr(value) for key, value in VALUES.items()}


def test_text_that_is_no_unicode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not Unicode"):
        write_spec(Spec(values={"a": "\udcff"}), ConfigFormat.JSON, tmp_path / "spec.json")


def test_a_reader_of_yaml_1_1_sees_floats_where_there_are_floats() -> None:
    text = render_spec(Spec(values=VALUES), ConfigFormat.YAML)

    assert "lr: 1.0e-05" in text
    assert repr(yaml.safe_load(text)) == repr(VALUES)


def test_keys_that_are_whole_numbers_stay_whole_numbers_for_the_trainer() -> None:
    text = render_spec(Spec(values={"map": {"0": "a", "007": "b"}}), ConfigFormat.YAML)

    assert yaml.safe_load(text) == {"map": {0: "a", "007": "b"}}
    assert parse_yaml(text, where="test") == {"map": {"0": "a", "007": "b"}}


def test_toml_leaves_out_what_it_cannot_say() -> None:
    assert render_spec(Spec(values={"a": None, "b": {"c": None, "d": 1}}), ConfigFormat.TOML) == "[b]\nd = 1\n"


@pytest.mark.parametrize("value", [[1, None], 2**70])
def test_what_toml_cannot_hold_is_refused_with_its_path(value: Any) -> None:  # noqa: ANN401 # JSON
    with pytest.raises(ConfigurationError, match=r"a\.b"):
        render_spec(Spec(values={"a": {"b": value}}), ConfigFormat.TOML)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
SPECS = st.dictionaries(
    st.text(min_size=1, max_size=6),
    st.recursive(SCALARS, lambda i: st.lists(i, max_size=3) | st.dictionaries(st.text(max_size=6), i, max_size=3)),
    max_size=4,
)


@given(SPECS)
@settings(max_examples=200, deadline=None)
def test_any_spec_survives_yaml_and_json(values: dict[str, JsonValue]) -> None:
    for config_format in (ConfigFormat.YAML, ConfigFormat.JSON):
        text = render_spec(Spec(values=values), config_format)

        assert repr(PARSERS[config_format](text, where="test")) == repr(values)


def test_a_file_is_replaced_at_once_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "spec.yaml"
    write_spec(Spec(values={"a": 1}), ConfigFormat.YAML, file)

    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device", str(self), None, str(target))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", fail)
        with pytest.raises(OSError, match="No space"):
            write_spec(Spec(values={"a": 2}), ConfigFormat.YAML, file)

    assert read_spec(file).values == {"a": 1}
    assert [child.name for child in file.parent.iterdir()] == ["spec.yaml"]


def test_a_written_file_can_be_read_by_other_users(tmp_path: Path) -> None:
    write_spec(Spec(values={"a": 1}), ConfigFormat.JSON, tmp_path / "spec.json")

    assert (tmp_path / "spec.json").stat().st_mode & 0o044 == 0o044


def test_a_spec_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("[1]", encoding="utf-8")

    with pytest.raises(ConfigurationError):
        read_spec(tmp_path / "spec.yaml")
