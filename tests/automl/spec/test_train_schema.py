"""Whole train schemas."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.config_files import parse_json
from automl.errors import ConfigurationError
from automl.spec.train_schema import parse_train_schema, read_train_schema
from tests.automl.skill.packages import BAD, BANK, EVERY_FEATURE, block, leaf, needs_bank

if TYPE_CHECKING:
    from pathlib import Path

    from automl.skill.model import JsonValue


def test_the_synthetic_schema_is_read_in_full() -> None:
    schema = read_train_schema(EVERY_FEATURE / "schemas/train.schema.json")

    assert "train.optim.cls_weight[1]" in schema.leaves
    assert "model.norm-type" in schema.flagged
    assert "dataset.augmentation.flip.enable" in schema.flagged
    assert "model.tied" in schema.disabled
    assert schema.curated == ()
    assert {w.where.rpartition(": ")[2] for w in schema.warnings} == {
        "a string",
        "model.outer",
        "model.hologram",
        "train.optim.riddle",
    }


def test_the_curated_list_keeps_its_order_and_drops_what_is_not_there() -> None:
    schema = parse_train_schema(
        {
            "automl_default_parameters": ["b", "gone", "a", "b", 3],
            "properties": {"a": leaf("int", 1), "b": leaf("int", 2)},
        },
        source="s",
    )

    assert schema.curated == ("b", "a")
    assert len(schema.warnings) == 2


@pytest.mark.parametrize(
    ("bound", "warned"),
    [
        ({"minimum": 10**400, "maximum": 10**500}, "minimum: a number, inf"),
        ({"exclusiveMaximum": -(10**400)}, "exclusiveMaximum: a number, -inf"),
        ({"minimum": float("nan")}, "minimum: a number, nan"),
        ({"minimum": float("-inf"), "maximum": float("inf")}, None),
    ],
)
def test_a_bound_that_leaves_no_float_is_a_warning(bound: dict[str, JsonValue], warned: str | None) -> None:
    document = parse_json(json.dumps({"properties": {"lr": leaf("float", 0.1, **bound)}}), where="s")

    schema = parse_train_schema(document, source="s")  # type: ignore[arg-type] # it is an object

    assert [warning.found for warning in schema.warnings] == ([warned] if warned else [])


def test_a_dependency_on_nothing_is_a_warning_and_one_on_a_sibling_is_not() -> None:
    children: dict[str, JsonValue] = {
        "a": {**leaf("int", 1), "depends_on": "b"},
        "b": {**leaf("int", 2), "depends_on": "block.gone"},
    }
    document: dict[str, JsonValue] = {"properties": {"block": {"type": "collection", "properties": children}}}

    (warning,) = parse_train_schema(document, source="s").warnings

    assert (warning.where, warning.found) == ("s: block.b", "depends_on: block.gone")


def test_a_trainer_may_say_what_it_reads() -> None:
    schema = parse_train_schema({"x_effective_parameters": ["a"], "properties": block()}, source="s")

    assert schema.effective == frozenset({"a"})


@pytest.mark.parametrize("name", ["schema_is_a_list", "schema_not_json"])
def test_a_file_that_is_no_object_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError):
        read_train_schema(BAD / name / "schemas/train.schema.json")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYWORDS = st.sampled_from(
    ["type", "default", "minimum", "maximum", "enum", "math_cond", "depends_on", "option_weights", "automl_enabled"]
)
NODES = st.recursive(
    st.dictionaries(KEYWORDS, ANYTHING, max_size=6),
    lambda inner: st.fixed_dictionaries(
        {"properties": st.dictionaries(st.text(max_size=5), inner | ANYTHING, max_size=3)}
    ),
    max_leaves=6,
)


@given(NODES)
@settings(max_examples=200, deadline=None)
def test_no_object_breaks_the_reader(document: dict[str, JsonValue]) -> None:
    schema = parse_train_schema(document, source="s")

    assert all(warning.fix for warning in schema.warnings)


@needs_bank
@pytest.mark.parametrize("info", BANK, ids=lambda file: file.parents[1].name)
def test_every_schema_of_the_bank_is_read_without_a_warning(info: Path) -> None:
    for file in info.parents[1].glob("schemas/*.schema.json"):
        schema = read_train_schema(file)

        assert not schema.warnings
        assert set(schema.curated) <= set(schema.leaves)
