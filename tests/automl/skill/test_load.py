"""Loading whole packages: every field of the good one, every problem of the bad ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.skill.load import load_skill
from automl.skill.model import ConfigFormat, SlotKind
from tests.automl.skill.packages import BAD, BANK, EVERY_FEATURE, needs_bank, write_skill

if TYPE_CHECKING:
    from pathlib import Path


def test_every_field_of_the_contract_is_read() -> None:
    skill = load_skill(EVERY_FEATURE)

    assert (skill.name, skill.network_arch, skill.automl_enabled) == ("every-feature", "every-feature_net", True)
    assert skill.image == "registry.example/every:1"
    assert (skill.gpu_spec_key, skill.node_spec_key) == ("train.num_gpus", "policy.nodes")
    assert skill.data_format == "llava"
    assert skill.required_credentials == ("HF_TOKEN",)
    assert dict(skill.key_defaults) == {"model.labels": ["a", "b"], "train.tags.owner": "nobody"}
    assert skill.shorthand_keys["learning_rate"] == "train.optim.lr"
    assert set(skill.templates) == {"train"}
    assert set(skill.schemas) == {"train"}
    assert set(skill.fingerprints) == {
        "references/skill_info.yaml",
        "references/spec_template_train.yaml",
        "schemas/train.schema.json",
    }


def test_every_field_of_an_action_is_read() -> None:
    train = load_skill(EVERY_FEATURE).actions["train"]

    assert train.command.count("{config_path}") == 1
    assert '"{}".format(1)' in train.command
    assert train.config_format is ConfigFormat.YAML
    assert (train.metric, train.metric_direction, train.metric_file) == ("val/score", "maximize", "metrics.json")
    slots = {slot.key: slot for slot in train.inputs}
    assert slots["dataset.train_sources[0].json_file"].kind is SlotKind.FILE
    assert slots["dataset.globs"].is_optional
    assert train.outputs[0].key == "results_dir"
    assert train.spec_params["model.name"] == "EveryNet"
    assert "dataset.media" in train.data_sources


def test_each_action_has_its_own_image_and_format() -> None:
    actions = load_skill(EVERY_FEATURE).actions

    assert actions["export"].image == "registry.example/every:deploy"
    assert actions["train"].image is None
    assert actions["evaluate"].config_format is ConfigFormat.TOML
    assert actions["distill"].config_format is ConfigFormat.JSON


def test_what_cannot_be_used_is_named_and_does_not_stop_training() -> None:
    skill = load_skill(EVERY_FEATURE)

    named = {warning.where.rpartition(": ")[2] for warning in skill.warnings}

    assert named == {
        "actions.train.inputs.dataset.strange",
        "actions.convert.command",
        "spec_templates.export",
        "spec_shorthand_keys.broken_alias",
    }
    assert "convert" not in skill.actions


@pytest.mark.parametrize(
    "name",
    [
        "alias_bomb",
        "code_in_tags",
        "cycle",
        "key_twice",
        "many_problems",
        "no_actions",
        "no_info",
        "no_placeholder",
        "not_a_mapping",
        "not_yaml",
    ],
)
def test_a_bad_package_is_refused_with_what_was_found_and_how_to_fix_it(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_skill(BAD / name)

    assert caught.value.problems
    assert all(p.where and p.found and p.expected and p.fix for p in caught.value.problems)


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_skill(BAD / "many_problems")

    named = [problem.where.rpartition(": ")[2] for problem in caught.value.problems]

    assert sorted(named) == [
        "actions.train.command",
        "actions.train.config_format",
        "automl_enabled",
        "gpu_spec_key",
        "key_defaults",
        "name",
        "network_arch",
    ]


def test_a_template_outside_the_skill_is_not_there() -> None:
    skill = load_skill(BAD / "template_outside")

    assert not skill.templates
    assert "inside the skill" in skill.warnings[0].expected


def test_a_missing_flag_means_not_enabled(tmp_path: Path) -> None:
    write_skill(tmp_path / "skill", info={"automl_enabled": None})

    assert not load_skill(tmp_path / "skill").automl_enabled


def test_the_image_of_the_default_backend_comes_first(tmp_path: Path) -> None:
    backends = {
        "backend_contracts": {"fast": {"container_image": "fast:1"}, "slow": {"container_image": "slow:1"}},
        "backend_selection": {"defaults": {"train": "fast"}},
        "container_image": "plain:1",
    }
    write_skill(tmp_path / "skill", info=backends)

    assert load_skill(tmp_path / "skill").actions["train"].image == "fast:1"


def test_a_name_that_is_neither_folder_nor_built_in_lists_the_built_in_ones() -> None:
    with pytest.raises(ConfigurationError, match="toy"):
        load_skill("no_such_skill")


def test_a_built_in_skill_is_found_by_its_name() -> None:
    assert load_skill("toy").network_arch == "toy"


@needs_bank
@pytest.mark.parametrize("info", BANK, ids=lambda file: file.parents[1].name)
def test_every_package_of_the_bank_loads(info: Path) -> None:
    skill = load_skill(info.parents[1])

    assert skill.network_arch
    assert "train" in skill.actions
    assert all("spec_templates" in warning.where for warning in skill.warnings)


@pytest.mark.parametrize(
    ("info", "where"),
    [
        ({"gpu_spec_key": "train..num_gpus"}, "gpu_spec_key"),
        ({"key_defaults": {"a..b": 1}}, "key_defaults.a..b"),
        ({"spec_templates": {"train": 3}}, "spec_templates.train"),
        ({"container_image": 3}, "container_image"),
    ],
)
def test_a_key_of_the_wrong_kind_is_named(tmp_path: Path, info: dict[str, object], where: str) -> None:
    folder = write_skill(tmp_path / "skill", info=info)

    try:
        named = load_skill(folder).warnings
    except ConfigurationError as error:
        named = error.problems

    assert [problem.where.rpartition(": ")[2] for problem in named] == [where]


def test_a_path_that_no_file_system_takes_is_refused() -> None:
    for reference in ("x" * 5000, "a\0b"):
        with pytest.raises(ConfigurationError):
            load_skill(reference)
