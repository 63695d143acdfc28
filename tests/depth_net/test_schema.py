from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from depth_net.config.experiment import ExperimentConfig
from depth_net.config.validation import build
from depth_net.schema import build_schema, main
from depth_net.templates import ACTIONS

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "schemas" / "depth_net_mono"


def leaves(node: dict[str, Any], prefix: str = "") -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, child in node.items():
        path = f"{prefix}{name}"
        found |= leaves(child["properties"], f"{path}.") if "properties" in child else {path: child}
    return found


TRAIN = leaves(build_schema("train")["properties"])


@pytest.mark.parametrize("action", ACTIONS)
def test_the_schema_on_disk_is_the_generated_one(action: str) -> None:
    def refuse(word: str) -> float:
        raise AssertionError(f"{word} is not strict JSON")

    text = (SCHEMAS / f"{action}.schema.json").read_text(encoding="utf-8")

    assert json.loads(text, parse_constant=refuse) == build_schema(action), "run `make schemas`"


def test_the_curated_space_is_what_always_acts() -> None:
    assert build_schema("train")["automl_default_parameters"] == [
        "train.optim.lr",
        "train.optim.weight_decay",
        "train.optim.head_lr_multiplier",
        "train.optim.warmup_fraction",
    ]


@pytest.mark.parametrize(
    ("path", "low", "high"),
    [
        ("train.optim.lr", 1e-6, 1e-2),
        ("train.optim.weight_decay", 1e-6, 1e-1),
        ("train.optim.head_lr_multiplier", 1.0, 30.0),
    ],
)
def test_searched_parameters_have_finite_ranges_with_their_default_inside(path: str, low: float, high: float) -> None:
    leaf = TRAIN[path]

    assert (leaf["minimum"], leaf["maximum"], leaf["automl_enabled"]) == (low, high, True)
    assert low <= leaf["default"] <= high


def test_every_flagged_parameter_is_one_that_the_trainer_reads() -> None:
    flagged = {path for path, leaf in TRAIN.items() if leaf["automl_enabled"]}

    assert flagged <= set(build_schema("train")["x_effective_parameters"])
    others = {path for path in flagged if not path.startswith(("train.optim.", "dataset.train_dataset."))}
    assert others == {"train.freeze", "train.lora_rank", "train.relative_loss"}


def test_of_many_options_a_search_draws_those_with_a_weight() -> None:
    drawn = {
        path: [each for each, weight in zip(leaf["enum"], leaf["option_weights"], strict=True) if weight]
        for path, leaf in TRAIN.items()
        if "option_weights" in leaf
    }

    assert drawn["train.lora_rank"] == [0, 4, 8, 16, 32]
    assert set(drawn["train.freeze"]) == {"none", "encoder", "blocks:4", "blocks:8"}


def test_conditional_parameters_say_when_they_act() -> None:
    assert TRAIN["train.optim.lr_step_size"]["x_acts_when"] == [
        {"path": "train.optim.lr_scheduler", "any_of": ["StepLR"]}
    ]


def test_the_defaults_of_the_schema_are_a_spec_that_loads() -> None:
    problems: list[Any] = []

    build(ExperimentConfig, build_schema("train")["default"], problems)

    assert not problems


def test_choices_are_listed_with_their_default_among_them() -> None:
    for path, leaf in TRAIN.items():
        if leaf["type"] == "categorical":
            assert leaf["default"] in leaf["enum"], path


def test_the_command_writes_schemas_and_templates(tmp_path: Path) -> None:
    assert main([str(tmp_path / "s"), "--templates", str(tmp_path / "t")]) == 0

    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == sorted(f"{a}.schema.json" for a in ACTIONS)
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == sorted(
        f"spec_template_{a}.yaml" for a in ACTIONS
    )


def test_the_skill_describes_every_action_with_keys_of_its_template() -> None:
    info = yaml.safe_load((ROOT / "templates" / "depth_net_mono" / "skill_info.yaml").read_text(encoding="utf-8"))

    assert info["container_image"] is None
    assert set(info["actions"]) == set(ACTIONS)
    for action, described in info["actions"].items():
        known = leaves(build_schema(action)["properties"])
        named = [*described["inputs"], *described["outputs"], *info["spec_params"][action]]
        for path in named:
            assert path.split("[", maxsplit=1)[0] in known, path
        if action in ("train", "evaluate"):
            assert (described["metric"], described["metric_direction"]) == ("val/d1", "maximize")
