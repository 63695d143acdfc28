"""The published JSON Schemas agree with the readers: what loads validates, what is refused does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from automl.config_files import read_document
from automl.resources import builtin_skills, packaged
from tests.automl.skill.packages import BAD, BANK, EVERY_FEATURE, needs_bank

if TYPE_CHECKING:
    from pathlib import Path


def errors_of(schema_name: str, file: Path) -> list[str]:
    schema: Any = read_document(packaged("schemas") / f"{schema_name}.schema.json")
    Draft202012Validator.check_schema(schema)
    document = read_document(file)
    return [
        f"{'.'.join(map(str, e.absolute_path))}: {e.message}"
        for e in Draft202012Validator(schema).iter_errors(document)
    ]


@pytest.mark.parametrize("name", builtin_skills())
def test_built_in_skills_are_valid(name: str) -> None:
    assert not errors_of("skill_info", packaged("templates") / name / "skill_info.yaml")
    for file in (packaged("schemas") / name).glob("train.schema.json"):
        assert not errors_of("train_schema", file)


@pytest.mark.parametrize("name", ["many_problems", "no_actions", "no_placeholder", "not_a_mapping"])
def test_descriptions_that_the_reader_refuses_are_invalid(name: str) -> None:
    assert errors_of("skill_info", BAD / name / "references/skill_info.yaml")


def test_the_synthetic_package_is_valid_but_for_what_is_wrong_on_purpose() -> None:
    info = errors_of("skill_info", EVERY_FEATURE / "references/skill_info.yaml")
    schema = errors_of("train_schema", EVERY_FEATURE / "schemas/train.schema.json")

    assert {error.partition(":")[0] for error in info} == {
        "actions.train.inputs.dataset.strange",
        "actions.convert.command",
    }
    assert {error.partition(":")[0] for error in schema} == {
        "properties.a string",
        "properties.model",
        "properties.train",
    }


@needs_bank
@pytest.mark.parametrize("info", BANK, ids=lambda file: file.parents[1].name)
def test_every_package_of_the_bank_is_valid(info: Path) -> None:
    assert not errors_of("skill_info", info)
    for file in info.parents[1].glob("schemas/*.schema.json"):
        assert not errors_of("train_schema", file)
