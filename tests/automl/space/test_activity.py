"""When parameters act: switches, schedules and optimisers along the tree, and the length of the run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from automl.architectures.model import Architecture, ConditionRule, ParameterRules
from automl.space.activity import activity
from automl.spec.model import Spec
from tests.automl.skill.packages import block, leaf, write_skill
from tests.automl.space.test_build import reasons, space_of
from tests.automl.space.test_reasons import facts_of

if TYPE_CHECKING:
    from pathlib import Path

    from automl.space.reasons import Facts


def facts_with(**values: Any) -> Facts:  # noqa: ANN401 # YAML
    return replace(facts_of(), spec=Spec(values=values))


def test_a_switched_off_block_has_no_active_parameters() -> None:
    assert "blur.enabled is False" in activity("dataset.augmentation.blur.prob", facts_of(), ())[1]
    assert activity("dataset.augmentation.flip.prob", facts_of(), ()) == (None, "")


def test_a_searched_switch_makes_a_condition() -> None:
    condition, inactive = activity("dataset.augmentation.flip.prob", facts_of(), ["dataset.augmentation.flip.enable"])

    assert not inactive
    assert str(condition) == "dataset.augmentation.flip.enable in {True}"


@pytest.mark.parametrize(
    ("switch", "value", "is_off"),
    [("mosaic", False, True), ("mosaic", True, False), ("mosaic", 0.0, False), ("no_mosaic", False, False)],
)
def test_a_switch_may_have_the_name_that_its_values_begin_with(switch: str, value: object, is_off: bool) -> None:  # noqa: FBT001
    facts = facts_with(data={switch: value, f"{switch}_scale": 0.5})

    assert (f"data.{switch} is False" in activity(f"data.{switch}_scale", facts, ())[1]) == is_off


def test_parameters_of_another_scheduler_or_optimiser_do_not_act() -> None:
    facts = facts_of(**{"train.optim.optimizer": "AdamW"})

    assert "train.optim.lr_scheduler is MultiStep, it acts under" in activity("train.optim.lr_step_size", facts, ())[1]
    assert "train.optim.optimizer is AdamW" in activity("train.optim.momentum", facts, ())[1]
    assert activity("train.optim.lr_decay", facts, ()) == (None, "")


def test_a_searched_scheduler_makes_a_condition_on_its_values() -> None:
    condition, _ = activity("train.optim.lr_step_size", facts_of(), ["train.optim.lr_scheduler"])

    assert condition is not None
    assert condition.any_of == ("StepLR",)


def test_the_first_parent_that_the_spec_has_decides() -> None:
    rule = ConditionRule(path="*.momentum", parents=(".type", ".optim", "task"), any_of=("SGD*",))
    spec = Spec(values={"train": {"optim": "sgd_nesterov", "momentum": 0.9}, "other": {"momentum": 0.9}, "task": "x"})
    facts = facts_of()
    architecture = Architecture(parameters=ParameterRules(conditions=(rule,)))
    facts = replace(facts, spec=spec, skill=replace(facts.skill, architecture=architecture))

    assert activity("train.momentum", facts, ()) == (None, "")
    assert activity("other.momentum", facts, ())[1].startswith("inactive: task is x")


TRAIN = {"optimizer": "AdamW", "optim": {"momentum": 0.9, "lr_scheduler": "MultiStep", "patience": 5, "gamma": 0.1}}


@pytest.mark.parametrize(
    ("path", "values", "said"),
    [
        ("train.optim.momentum", {"train": TRAIN}, "train.optimizer is AdamW"),
        ("train.optim.momentum", {"train": {**TRAIN, "optimizer": "SGD"}}, ""),
        ("train.optim.patience", {"train": TRAIN}, "train.optim.lr_scheduler is MultiStep"),
        ("train.momentum", {"train": {"momentum": 0.9, "optimizer": {"name": "adam", "optimizer": "adam"}}}, "is adam"),
        ("train.ema.momentum", {"train": {"optimizer": "AdamW", "ema": {"momentum": 0.999}}}, ""),
        ("model.bn.momentum", {"model": {"bn": {"momentum": 0.1}}, "train": {"optimizer": "AdamW"}}, ""),
        ("train.betas[0]", {"train": {"optimizer": "SGD", "betas": [0.9, 0.999]}}, "train.optimizer is SGD"),
        ("train.lr_scheduler.gamma", {"train": {"lr_scheduler": {"type": "cosine", "gamma": 0.1}}}, "type is cosine"),
        ("train.ema_decay", {"train": {"use_ema": False, "ema_decay": 0.99}}, "train.use_ema is False"),
        ("train.ema_decay", {"train": {"use_ema": True, "ema_decay": 0.99}}, ""),
        (
            "data.aug.mixup.alpha",
            {"data": {"aug": {"use_mixup": False, "mixup": {"alpha": 0.2}}}},
            "use_mixup is False",
        ),
        ("data.aug.mixup_alpha", {"data": {"aug": {"mixup_prob": 0.0, "mixup_alpha": 0.2}}}, "mixup_prob is 0"),
        ("data.aug.blur.sigma", {"data": {"aug": {"blur": {"prob": 0, "sigma": 0.2}}}}, "blur.prob is 0"),
        ("data.aug.hue", {"data": {"aug": {"augment": False, "hue": 0.2}}}, "augment is False"),
        (
            "train.optim.gamma",
            {"train": {"optim": {"gamma": 0.1, "milestones": [12, 20]}, "num_epochs": 10}},
            "epoch 12",
        ),
        ("train.optim.gamma", {"train": {"optim": {"gamma": 0.1, "milestones": [8, 20]}, "num_epochs": 10}}, ""),
        ("train.optim.gamma", {"train": {"optim": {"gamma": 0.1, "milestones": [8000]}, "num_epochs": 10}}, ""),
    ],
)
def test_what_cannot_act_here_is_found_along_the_tree(path: str, values: dict[str, Any], said: str) -> None:
    facts = replace(facts_with(**values), lengths={"epoch": 10})

    inactive = activity(path, facts, ())[1]

    assert said in inactive
    assert bool(said) == bool(inactive)


def counting(folder: Path, **train: object) -> Path:
    properties = block(
        num_epochs=leaf("int", 10, minimum=1, automl_enabled=False),
        warmup_epochs=leaf("int", 8, minimum=0),
        warmup_iters=leaf("int", 400, minimum=0),
        lr=leaf("float", 1e-3, minimum=1e-5, maximum=1e-1),
        warmup_fraction=leaf("float", 0.0, minimum=0.0, maximum=0.3),
    )
    values = {"num_epochs": 10, "warmup_epochs": 8, "warmup_iters": 400, "lr": 1e-3, "batch_size": 10, **train}
    info = {"spec_shorthand_keys": {"batch_size": "train.batch_size"}}
    return write_skill(folder, info=info, schema={"properties": {"train": properties}}, template={"train": values})


def test_a_warm_up_ends_before_the_run(tmp_path: Path) -> None:
    space = space_of(counting(tmp_path), sample_count=1000)

    assert list(space["train.warmup_epochs"].bounds) == [2, 9]
    assert list(space["train.warmup_iters"].bounds) == [100, 999]
    assert space["train.warmup_epochs"].reason.endswith("train.warmup_epochs < train.num_epochs, which is 10")


def test_a_searched_length_of_the_run_binds_what_counts_its_epochs_and_keeps_its_range(tmp_path: Path) -> None:
    space = space_of(counting(tmp_path), search=["default", "train.num_epochs=2..20"])

    assert list(space["train.num_epochs"].bounds) == [2, 20]
    assert "train.warmup_epochs < train.num_epochs" in [str(relation) for relation in space.relations]
    assert not any(space.violations(space.from_unit(dict.fromkeys(space.paths, k / 20))) for k in range(21))


def test_a_fraction_of_the_run_is_no_count_of_its_epochs_even_where_the_spec_has_a_whole_number(tmp_path: Path) -> None:
    space = space_of(counting(tmp_path, warmup_fraction=0), search=["default", "train.num_epochs=2..20"])

    assert not any("fraction" in str(relation) for relation in space.relations)


def test_trial_0_keeps_a_count_that_its_run_never_reaches(tmp_path: Path) -> None:
    space = space_of(counting(tmp_path, warmup_epochs=12))

    assert space.default_assignment()["train.warmup_epochs"] == 12
    assert space["train.warmup_epochs"].bounds[1] == 9
    assert "train.lr" not in reasons(space)


def test_only_the_block_that_is_chosen_acts(tmp_path: Path) -> None:
    properties = block(
        type=leaf("categorical", "swin", enum=["swin", "vit"], automl_enabled=False),
        swin=block(drop_rate=leaf("float", 0.1)),
        vit=block(drop_rate=leaf("float", 0.1)),
    )
    template = {"model": {"backbone": {"type": "swin", "swin": {"drop_rate": 0.1}, "vit": {"drop_rate": 0.1}}}}
    schema = {"properties": {"model": block(backbone=properties)}}

    space = space_of(write_skill(tmp_path, schema=schema, template=template))

    assert space.paths == ("model.backbone.swin.drop_rate",)
    assert reasons(space)["model.backbone.vit.drop_rate"] == (
        "inactive: model.backbone.type is swin, it acts under vit"
    )


def test_a_rule_of_the_architecture_replaces_what_a_switch_says() -> None:
    """depth_net resizes and normalises whether images are changed at random or not."""
    facts = replace(
        facts_of("depth_net_mono"), spec=Spec(values={"augmentation": {"enabled": False, "crop_size": [518]}})
    )
    searched = ["augmentation.enabled"]

    for path in ("augmentation.crop_size[0]", "augmentation.input_mean[0]"):
        assert activity(path, facts, ()) == (None, "")
        assert activity(path, facts, searched)[1] == ""
    assert "augmentation.enabled is False" in activity("augmentation.h_flip_prob", facts, ())[1]
