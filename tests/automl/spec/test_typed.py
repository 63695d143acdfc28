"""Scalars that a user writes have the type of their parameter."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from automl.config_files import parse_scalar
from automl.request.study_request import StudyRequest, load_study_request, request_from_document
from automl.resolve import resolve_inputs
from automl.spec.overrides import parse_override
from automl.spec.train_schema import LeafKind, SchemaLeaf
from automl.spec.typed import typed

if TYPE_CHECKING:
    from pathlib import Path

    from automl.skill.model import JsonValue

SKILL = "depth_net_mono"


def leaf(kind: LeafKind, default: JsonValue = None, *choices: str) -> SchemaLeaf:
    return SchemaLeaf(path="a.b", kind=kind, default=default, choices=choices)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("2024_11", LeafKind.TEXT, "2024_11"),
        ("no", LeafKind.TEXT, "no"),
        ("1e3", LeafKind.TEXT, "1e3"),
        ("1.50", LeafKind.TEXT, "1.50"),
        ("0o17", LeafKind.TEXT, "0o17"),
        ("010", LeafKind.INT, 10),
        ("1e3", LeafKind.INT, 1000),
        ("1_000", LeafKind.INT, 1000),
        ("1e-4", LeafKind.FLOAT, 1e-4),
        ("yes", LeafKind.BOOL, True),
        ("off", LeafKind.BOOL, False),
        ("~", LeafKind.TEXT, None),
        ("'010'", LeafKind.INT, "010"),
        ("no", LeafKind.OTHER, False),
    ],
)
def test_a_scalar_has_the_type_of_its_parameter(text: str, kind: LeafKind, value: JsonValue) -> None:
    found = typed(parse_scalar(text, is_spelled=True), leaf(kind))

    assert (type(found), found) == (type(value), value)


def test_a_word_of_a_list_of_words_is_that_word() -> None:
    compile_mode = leaf(LeafKind.CATEGORICAL, "auto", "auto", "on", "off")

    assert typed(parse_scalar("on", is_spelled=True), compile_mode) == "on"


def test_items_have_the_type_of_those_that_are_there() -> None:
    written = parse_scalar("[2024_11, no]", is_spelled=True)

    assert typed(written, None, ["a"]) == ["2024_11", "no"]
    assert typed(written, None, [1]) == [202411, False]
    assert typed(parse_scalar("[{file: 010, size: 010}]", is_spelled=True), None, [{"file": "", "size": 1}]) == [
        {"file": "010", "size": 10}
    ]


def test_what_the_command_line_sets_is_typed_when_the_skill_is_known() -> None:
    texts = ("train.results_dir=2024_11", "train.num_epochs=010", "train.compile=off", "train.allow_tf32=no")
    request = StudyRequest(skill=SKILL, name="test", overrides=dict(map(parse_override, texts)))

    spec = resolve_inputs(request).spec

    assert [spec.get(text.partition("=")[0]) for text in texts] == ["2024_11", 10, "off", False]


def test_a_request_keeps_its_spelling_in_a_plan(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    text = (
        f"skill: {SKILL}\nname: 2024_11\nseed: 010\nbudget: {{trials: 012, time: 90}}\noptions: {{grace_epochs: 2}}\n"
    )
    file.write_text(f"{text}set: {{train.results_dir: no, train.num_epochs: 03}}\npolicy: on\n", encoding="utf-8")
    request = load_study_request(str(file))

    restored = request_from_document(json.loads(json.dumps(request.document())))

    assert (request.name, request.seed, request.trials, request.time_s) == ("2024_11", 10, 12, 90)
    assert request.options == {"grace_epochs": 2}
    for each in (request, restored):
        spec = resolve_inputs(each).spec
        assert (spec.get("train.results_dir"), spec.get("train.num_epochs")) == ("no", 3)


def test_a_spec_file_of_the_user_is_typed_too(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    text = "results_dir: 010\ntrain: {num_epochs: 010, compile: on, resume_training_checkpoint_path: 1e3}\n"
    file.write_text(text, encoding="utf-8")

    spec = resolve_inputs(StudyRequest(skill=SKILL, name="test", spec=str(file))).spec

    paths = ("results_dir", "train.num_epochs", "train.compile", "train.resume_training_checkpoint_path")
    assert [spec.get(path) for path in paths] == ["010", 10, "on", "1e3"]


def test_options_of_a_search_are_typed_too() -> None:
    inputs = resolve_inputs(StudyRequest(skill=SKILL, name="test", search=("train.num_epochs={04,010}",)))

    assert inputs.space["train.num_epochs"].choices == (4, 10)
