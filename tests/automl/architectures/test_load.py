"""Files of architectures: ours are valid and complete, a skill may bring one of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import automl.architectures
from automl.architectures.load import known_architectures, load_architecture
from automl.architectures.model import (
    ActionRules,
    Architecture,
    CheckpointNaming,
    Metrics,
    ParameterRules,
    SpecKeys,
)
from automl.config_files import parse_yaml, read_document
from automl.errors import ConfigurationError
from automl.schema_problems import schema_problems
from automl.skill.load import load_skill
from automl.spec.math_cond import parse_math_cond
from tests.automl.skill.packages import write_skill
from tests.docs.reference import ARCHITECTURES

FOLDER = Path(automl.architectures.__file__).parent


def document(name: str) -> dict[str, Any]:
    read: Any = read_document(FOLDER / f"{name}.yaml")
    assert isinstance(read, dict)
    return read


def skill_with(folder: Path, own: dict[str, Any], network_arch: str = "thing") -> Path:
    write_skill(folder, info={"network_arch": network_arch})
    (folder / "references/automl.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", known_architectures())
def test_every_file_of_ours_is_valid(name: str) -> None:
    assert not schema_problems(document(name), "architecture", where=name)
    assert document(name).get("extends", "any") in known_architectures()

    architecture = load_architecture(name)

    assert all(parse_math_cond(text, has_parent=False) for text in architecture.parameters.math_cond.values())
    for expression in (*architecture.checkpoints.epoch_names, *architecture.checkpoints.best_names):
        re.compile(expression)


def test_every_key_of_the_schema_has_a_description_and_is_an_attribute() -> None:
    schema: Any = read_document(Path(__file__).parents[3] / "schemas/architecture.schema.json")
    parts = {
        "": Architecture,
        "metrics": Metrics,
        "parameters": ParameterRules,
        "keys": SpecKeys,
        "checkpoints": CheckpointNaming,
        "actions": ActionRules,
    }

    for name, part in parts.items():
        properties = schema["properties"][name]["properties"] if name else schema["properties"]
        attributes = {"maximize" if field == "directions" else field for field in vars(part)["__dataclass_fields__"]}
        assert properties.keys() - {"extends", "minimize"} == attributes
        assert all("description" in child for child in properties.values())


def test_the_example_of_the_documentation_is_valid() -> None:
    text = ARCHITECTURES.partition("```yaml\n")[2].partition("```")[0]

    assert not schema_problems(parse_yaml(text, where="example"), "architecture", where="example")


def test_an_architecture_has_its_own_rules_before_those_of_its_family_and_of_all() -> None:
    own, family, every = (load_architecture(name).parameters for name in ("depth_net_mono", "depth_net", "unheard_of"))

    assert own.conditions[0].path == "train.optim.warmup_fraction"
    assert own.conditions[-len(family.conditions) :] == family.conditions
    assert family.conditions[-len(every.conditions) :] == every.conditions
    assert set(every.throughput) <= set(own.throughput)
    assert not every.unread


def test_hyphens_and_underscores_are_the_same_and_a_path_is_no_architecture() -> None:
    assert load_architecture("visual-changenet") == load_architecture("visual_changenet")
    assert load_architecture("../architectures/dino") == load_architecture("unheard_of") == load_architecture("any")


def test_a_key_replaces_that_of_the_file_below_and_rules_are_added(tmp_path: Path) -> None:
    own = {
        "metrics": {"default": "val/epe", "maximize": ["val_d1"]},
        "parameters": {"throughput": ["*.fast"], "math_cond": {"dataset.*crop_size*": "/ 16"}},
        "keys": {"seed": ["train.my_seed"]},
        "checkpoints": {"best_names": []},
    }

    ours = load_architecture("depth_net_stereo")
    skill = load_skill(skill_with(tmp_path, own, "depth-net-stereo"))

    assert skill.architecture.metrics.default == "val/epe"
    assert skill.architecture.metrics.source == "automl.yaml"
    assert skill.architecture.metrics.direction_of("val/d1") == "maximize"
    assert ours.metrics.direction_of("val/d1") == "minimize"
    assert skill.architecture.parameters.throughput == ("*.fast", *ours.parameters.throughput)
    assert dict(skill.architecture.parameters.math_cond) == {"dataset.*crop_size*": "/ 16"}
    assert skill.architecture.keys.seed == ("train.my_seed",)
    assert skill.architecture.keys.epochs == ours.keys.epochs
    assert skill.architecture.checkpoints.best_names == ()
    assert skill.architecture.checkpoints.epoch_names == ours.checkpoints.epoch_names
    assert skill.architecture.parameters.advised == ours.parameters.advised


def test_the_file_of_a_skill_may_extend_another_architecture(tmp_path: Path) -> None:
    skill = load_skill(skill_with(tmp_path, {"extends": "dino"}))

    assert skill.architecture.metrics.directions == load_architecture("dino").metrics.directions
    assert "references/automl.yaml" in skill.fingerprints


def test_every_problem_of_the_file_of_a_skill_is_reported_at_once(tmp_path: Path) -> None:
    own = {
        "metrcs": {},
        "parameters": {"conditions": [{"path": "*.x", "parents": [".y"]}], "math_cond": {"a": "about 3"}},
        "checkpoints": {"epoch_names": ["epoch_(.pth", "model.pth"]},
    }

    with pytest.raises(ConfigurationError) as caught:
        load_skill(skill_with(tmp_path, own))

    file = str(tmp_path / "references/automl.yaml")
    assert {problem.where.removeprefix(f"{file}: ") for problem in caught.value.problems} == {
        "metrcs",
        "parameters.conditions[0]",
        "parameters.math_cond.a",
        "checkpoints.epoch_names[0]",
        "checkpoints.epoch_names[1]",
    }
    assert "did you mean metrics?" in {problem.fix for problem in caught.value.problems}


@pytest.mark.parametrize("text", ["extends: nothing", "[]", "a: [", ""])
def test_a_file_of_a_skill_that_cannot_be_used_is_named(tmp_path: Path, text: str) -> None:
    (skill_with(tmp_path, {}) / "references/automl.yaml").write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"references/automl\.yaml"):
        load_skill(tmp_path)


def test_a_link_out_of_the_skill_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("metrics: {default: secret}", encoding="utf-8")
    write_skill(tmp_path / "skill")
    (tmp_path / "skill/references/automl.yaml").symlink_to(outside)

    assert load_skill(tmp_path / "skill").architecture == load_architecture("any")
