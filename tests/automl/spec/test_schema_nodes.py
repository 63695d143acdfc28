"""Every spelling of a schema node comes to one form."""

from __future__ import annotations

import math
from typing import Any

import pytest

from automl.spec.train_schema import LeafKind, SchemaLeaf, parse_train_schema
from tests.automl.skill.packages import block, leaf


def read(node: dict[str, Any]) -> tuple[SchemaLeaf, list[str]]:
    schema = parse_train_schema({"properties": {"x": node}}, source="schema.json")
    return schema.leaves["x"], [warning.found for warning in schema.warnings]


@pytest.mark.parametrize(
    ("node", "kind"),
    [
        ({"type": "float"}, LeafKind.FLOAT),
        ({"type": "number"}, LeafKind.FLOAT),
        ({"type": "int"}, LeafKind.INT),
        ({"type": "integer"}, LeafKind.INT),
        ({"type": "ordered_int", "enum": [1, 2]}, LeafKind.INT),
        ({"type": "bool"}, LeafKind.BOOL),
        ({"type": "boolean"}, LeafKind.BOOL),
        ({"type": "string"}, LeafKind.TEXT),
        ({"type": "string", "enum": ["a"]}, LeafKind.CATEGORICAL),
        ({"type": "categorical", "enum": ["a"]}, LeafKind.CATEGORICAL),
        ({"type": "list_2"}, LeafKind.LIST),
        ({"type": "list_1_backbone"}, LeafKind.LIST),
        ({"type": "subset_list", "enum": ["a"]}, LeafKind.LIST),
        ({"type": "array"}, LeafKind.LIST),
        ({"type": ["null", "number"]}, LeafKind.FLOAT),
        ({"anyOf": [{"type": "null"}, {"type": "number"}]}, LeafKind.FLOAT),
        ({"default": 3}, LeafKind.INT),
        ({"default": [1]}, LeafKind.LIST),
        ({}, LeafKind.OTHER),
    ],
)
def test_a_type_in_any_spelling_is_one_kind(node: dict[str, Any], kind: LeafKind) -> None:
    found, warnings = read(node)

    assert found.kind is kind
    assert not warnings


def test_an_unknown_type_is_kept_and_named() -> None:
    found, warnings = read({"type": "hologram", "default": 1})

    assert found.kind is LeafKind.OTHER
    assert "hologram" in warnings[0]


def test_infinite_bounds_are_none() -> None:
    found, warnings = read({"type": "float", "minimum": -math.inf, "maximum": math.inf})

    assert (found.minimum, found.maximum, warnings) == (None, None, [])


@pytest.mark.parametrize("bound", ["much", [1], {"a": 1}, True, math.nan])
def test_a_bound_that_is_no_number_counts_as_missing_and_is_named(bound: object) -> None:
    found, warnings = read({"type": "float", "maximum": bound})

    assert found.maximum is None
    assert warnings


def test_a_bound_may_be_written_as_text() -> None:
    assert read({"type": "float", "minimum": "1e-6"})[0].minimum == 1e-6


def test_both_drafts_of_exclusive_bounds_are_understood() -> None:
    old, _ = read({"type": "float", "minimum": 0, "exclusiveMinimum": True})
    new, _ = read({"type": "float", "exclusiveMinimum": 0, "exclusiveMaximum": 1})

    assert (old.minimum, old.is_minimum_open) == (0.0, True)
    assert (new.is_minimum_open, new.maximum, new.is_maximum_open) == (True, 1.0, True)


def test_a_minimum_above_the_maximum_is_a_problem_of_the_leaf() -> None:
    found, warnings = read({"type": "int", "minimum": 9, "maximum": 2})

    assert "above" in found.problem
    assert warnings


def test_options_are_plain_finite_and_without_repeats() -> None:
    found, warnings = read({"type": "categorical", "enum": ["a", "b", "a", [1], math.nan, True, 1]})

    assert found.choices == ("a", "b", True, 1)
    assert len(warnings) == 2


@pytest.mark.parametrize("weights", [[1], [1, -1], [0, 0], "many", [1, "x"], [1, math.inf]])
def test_weights_that_do_not_fit_the_options_are_dropped_and_named(weights: object) -> None:
    found, warnings = read({"type": "categorical", "enum": ["a", "b"], "option_weights": weights})

    assert found.weights == ()
    assert "option_weights" in warnings[0]


def test_several_parents_are_split_at_commas_or_taken_from_a_list() -> None:
    assert read({"type": "int", "depends_on": "a.b, c"})[0].parents == ("a.b", "c")
    assert read({"type": "int", "depends_on": ["a", "b"]})[0].parents == ("a", "b")


def test_lists_among_the_properties_are_disabled_paths_and_no_node() -> None:
    document: dict[str, Any] = {"properties": {"automl_disabled_parameters": ["a"], "a": block(b=leaf("int", 1))}}

    schema = parse_train_schema(document, source="schema.json")

    assert schema.disabled == {"a"}
    assert set(schema.leaves) == {"a.b"}
    assert not schema.warnings


@pytest.mark.parametrize("node", ["text", 3, None, [1], True])
def test_what_stands_in_place_of_a_node_is_named(node: object) -> None:
    document: dict[str, Any] = {"properties": {"odd": node}}

    assert parse_train_schema(document, source="schema.json").warnings


def test_defaults_of_leaves_fill_what_the_root_default_lacks() -> None:
    document: dict[str, Any] = {
        "default": {"a": {"b": 7}},
        "properties": {"a": block(b=leaf("int", 1), c=leaf("int", 2), d=leaf("string", "???")), "e[0]": leaf("int", 1)},
    }

    assert parse_train_schema(document, source="schema.json").default == {"a": {"b": 7, "c": 2}}


@pytest.mark.parametrize(
    ("node", "found"),
    [
        ({"type": "int", "minimum": 10**400}, "number"),
        ({"type": "int", "enum": "a, b"}, "enum"),
        ({"type": "int", "depends_on": "a..b"}, "depends_on"),
        ({"type": "int", "automl_enabled": "perhaps"}, "automl_enabled"),
        ({"type": "int", "math_cond": 7}, "math_cond"),
        ({"anyOf": [{"type": {"a": 1}}, {"type": ["int"]}]}, "may be"),
    ],
)
def test_a_keyword_that_cannot_be_used_never_stops_the_reader(node: dict[str, Any], found: str) -> None:
    leaf_read, warnings = read(node)

    assert leaf_read.minimum is None
    assert not warnings or found in warnings[0] or found == "number"


@pytest.mark.parametrize(
    ("default", "kind"),
    [(True, LeafKind.BOOL), (1.5, LeafKind.FLOAT), ("a", LeafKind.TEXT), (None, LeafKind.OTHER), ({}, LeafKind.OTHER)],
)
def test_without_a_type_the_default_shows_the_kind(default: object, kind: LeafKind) -> None:
    assert read({"default": default})[0].kind is kind


def test_a_block_whose_properties_are_no_mapping_is_named() -> None:
    document: dict[str, Any] = {"properties": {"a": {"type": "collection", "properties": [1]}}}

    assert "properties" in parse_train_schema(document, source="schema.json").warnings[0].found
