"""Train schemas in the form that pydantic writes: references, optional values, enumerations, constants."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

import pytest
from pydantic import BaseModel, Field

from automl.spec.train_schema import LeafKind, parse_train_schema
from tests.automl.skill.packages import write_skill
from tests.automl.space.test_build import reasons, space_of

if TYPE_CHECKING:
    from pathlib import Path

    from automl.spec.train_schema import SchemaLeaf

FLAG: dict[str, Any] = {"automl_enabled": True}


class Schedule(StrEnum):
    COSINE = "cosine"
    STEP = "step"


class Optim(BaseModel):
    lr: float = Field(default=1e-3, gt=0, le=1, json_schema_extra=FLAG)
    grad_clip: float | None = Field(default=None, gt=0, le=10, json_schema_extra=FLAG)
    schedule: Schedule = Field(default=Schedule.COSINE, json_schema_extra=FLAG)
    warm: Schedule | None = Field(default=None, json_schema_extra=FLAG)
    either: int | str = Field(default=3, json_schema_extra=FLAG)


class Config(BaseModel):
    optim: Optim = Optim()
    maybe: Optim | None = Optim()
    width: int | None = Field(default=64, multiple_of=16, ge=16, le=256, json_schema_extra=FLAG)
    mode: Literal["a", "b"] = Field(default="a", json_schema_extra=FLAG)
    only: Literal["x"] = Field(default="x", json_schema_extra=FLAG)


def leaves() -> dict[str, SchemaLeaf]:
    return dict(parse_train_schema(Config.model_json_schema(), source="config").leaves)


def test_nested_models_and_optional_ones_are_blocks() -> None:
    assert {"optim.lr", "maybe.lr", "width"} <= leaves().keys()
    assert leaves()["optim.lr"].is_minimum_open


def test_an_optional_number_keeps_its_bounds_and_multiples() -> None:
    width, clip = leaves()["width"], leaves()["optim.grad_clip"]

    assert (width.kind, width.minimum, width.maximum, width.is_nullable) == (LeafKind.INT, 16, 256, True)
    assert width.math_cond is not None
    assert width.math_cond.multiple_of == 16
    assert (clip.kind, clip.minimum, clip.is_minimum_open, clip.maximum) == (LeafKind.FLOAT, 0, True, 10)


def test_enumerations_and_constants_are_options() -> None:
    assert leaves()["optim.schedule"].choices == ("cosine", "step")
    assert leaves()["optim.warm"].choices == ("cosine", "step")
    assert leaves()["mode"].choices == ("a", "b")
    assert leaves()["only"].choices == ("x",)


def test_two_real_alternatives_are_named_and_not_searched() -> None:
    assert leaves()["optim.either"].problem == "it may be integer or string, and nothing says which"


@pytest.mark.parametrize(
    ("whole", "problem"),
    [
        ({"minimum": 0, "maximum": 1}, ""),
        ({"minimum": 1, "maximum": 4}, "it may be integer or number"),
        ({}, "it may be"),
    ],
)
def test_a_whole_number_with_bounds_of_its_own_is_a_real_alternative(whole: dict[str, Any], problem: str) -> None:
    number: dict[str, Any] = {"type": "number", "minimum": 0, "maximum": 1}
    node: dict[str, Any] = {"anyOf": [{"type": "integer", **whole}, number, {"type": "null"}], "default": 1}
    found = parse_train_schema({"properties": {"share": node}}, source="config").leaves["share"]

    assert found.problem.startswith(problem)
    assert bool(found.problem) == bool(problem)


def test_the_space_of_such_a_schema_is_complete(tmp_path: Path) -> None:
    template = json.loads(Config().model_dump_json())
    skill = write_skill(tmp_path, schema=Config.model_json_schema(), template=template)

    space = space_of(skill)

    assert space["optim.grad_clip"].beside == (None,)
    assert (list(space["optim.grad_clip"].bounds), space["optim.grad_clip"].log) == ([0.1, 10.0], True)
    assert space["optim.warm"].choices == (None, "cosine", "step")
    assert {space["width"].from_unit(k / 50) for k in range(51)} == set(range(16, 257, 16))
    assert reasons(space)["optim.either"] == "it may be integer or string, and nothing says which"


@pytest.mark.parametrize(
    "node",
    [
        {"oneOf": [{"type": "number", "minimum": 0}, {"type": "null"}]},
        {"type": ["number", "null"], "minimum": 0},
        {"allOf": [{"type": "number"}], "minimum": 0},
        {"anyOf": [{"type": "number"}, {"type": "array"}], "minimum": 0},
        {"anyOf": [{"type": "integer"}, {"type": "number"}], "minimum": 0},
    ],
)
def test_other_spellings_of_an_optional_number_are_the_same(node: dict[str, Any]) -> None:
    leaf = parse_train_schema({"properties": {"a": node}}, source="s").leaves["a"]

    assert (leaf.kind, leaf.minimum, leaf.problem) == (LeafKind.FLOAT, 0, "")


def test_bounds_beside_alternatives_hold_together_with_theirs() -> None:
    inner = {"type": "number", "minimum": 1, "exclusiveMaximum": 8, "enum": [1, 2, 4]}
    nodes: dict[str, Any] = {
        "looser": {"anyOf": [inner, {"type": "null"}], "minimum": 0, "maximum": 9, "enum": [1, 2, 3]},
        "tighter": {"allOf": [inner], "minimum": 2, "maximum": 4},
    }
    leaves = parse_train_schema({"properties": nodes}, source="s").leaves

    assert [(one.minimum, one.maximum, one.choices) for one in leaves.values()] == [(1, 8, (1, 2)), (2, 4, (1, 2, 4))]


def test_a_model_that_contains_itself_ends() -> None:
    tree = {"properties": {"left": {"$ref": "#/$defs/T"}, "right": {"$ref": "#/$defs/T"}, "x": {"type": "number"}}}
    schema: Any = {"$defs": {"T": tree}, "properties": {"root": {"$ref": "#/$defs/T"}}}

    found = parse_train_schema(schema, source="s").leaves

    assert set(found) == {"root.left", "root.right", "root.x"}
    assert "itself" in found["root.left"].problem


def test_references_that_multiply_end() -> None:
    defs = {f"a{i}": {"anyOf": [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(60)}
    schema: Any = {"$defs": defs, "properties": {"x": {"$ref": "#/$defs/a0"}}}

    assert parse_train_schema(schema, source="s").leaves["x"].problem
