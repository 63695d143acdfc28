"""The reasons to leave a parameter out, one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from automl.architectures.load import load_architecture
from automl.skill.load import load_skill
from automl.space.reasons import RULES, Facts, effective_parameters, left_out_by
from automl.spec.build import build_spec
from automl.spec.model import Spec
from automl.spec.train_schema import read_train_schema
from tests.automl.skill.packages import EVERY_FEATURE

if TYPE_CHECKING:
    from pathlib import Path

    from automl.skill.model import JsonValue


def facts_of(arch: str = "any", **overrides: JsonValue) -> Facts:
    skill = replace(load_skill(EVERY_FEATURE), network_arch=arch, architecture=load_architecture(arch))
    schema = read_train_schema(skill.schemas["train"])
    spec = build_spec(skill, "train", overrides=overrides)
    return Facts(skill=skill, schema=schema, spec=spec, wanted=(), pinned=("train.optim.lr",))


def by_fact(path: str, facts: Facts) -> str:
    return left_out_by(path, facts, is_named=True)


def by_judgement(path: str, facts: Facts) -> str:
    return left_out_by(path, replace(facts, wanted=(path,), pinned=()), is_named=False)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("train.optim.lr", "pinned to 0.0002 by the user"),
        ("model.absent", "absent from the merged spec"),
        ("train.optim.betas", "name one element"),
        ("model.outer", "above its maximum"),
        ("model.heads", ""),
    ],
)
def test_facts_hold_even_for_what_is_asked_for(path: str, said: str) -> None:
    assert said in by_fact(path, facts_of())
    assert bool(said) == bool(by_fact(path, facts_of()))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("model.tied", "automl_disabled_parameters"),
        ("evaluate.threshold", "belongs to the action evaluate"),
        ("dataset.val_dataset.crop_prob", "evaluation only"),
        ("dataset.augmentation.test_size_px", "evaluation only"),
        ("dataset.workers", "throughput"),
        ("train.optim.lr", ""),
        ("train.optim.weight_decay", ""),
    ],
)
def test_judgement_decides_about_the_rest(path: str, said: str) -> None:
    assert said in by_judgement(path, facts_of())
    assert bool(said) == bool(by_judgement(path, facts_of()))


def test_a_disabled_path_is_that_path_and_never_a_prefix() -> None:
    facts = facts_of()

    assert "train.optim" in facts.schema.disabled
    assert not by_judgement("train.optim.lr", facts)


def test_a_block_named_like_an_action_of_the_skill_is_not_lost() -> None:
    assert not by_judgement("dataset.augmentation.flip.prob", facts_of())
    assert not by_judgement("model.fusion", facts_of())


def test_pretrained_weights_of_the_whole_model_fix_its_shape() -> None:
    assert not by_judgement("model.hidden_dim", facts_of())
    warm = facts_of(**{"train.pretrained_model_path": "/w.pth"})
    assert "pretrained" in by_judgement("model.hidden_dim", warm)
    assert not by_judgement("model.margin", warm)


def test_terms_of_a_loss_are_not_searched_where_runs_are_evaluated_by_a_loss() -> None:
    facts = facts_of(**{"model.cls_loss_coef": "1"})

    assert "evaluated by val_loss" in by_judgement("model.cls_loss_coef", replace(facts, metric="val_loss"))
    assert not by_judgement("model.cls_loss_coef", replace(facts, metric="val_mAP50"))


@pytest.mark.parametrize(
    ("path", "metric", "said"),
    [
        ("dataset.augmentation.flip.prob", "train_loss", "the loss of the training data itself"),
        ("dataset.augmentation.flip.prob", "val_loss", ""),
        ("dataset.mask_ratio", "val_loss", "a term of the loss"),
        ("dataset.window_length", "val_loss", "a term of the loss"),
        ("dataset.mask_ratio", "val_acc", ""),
        ("model.num_select", "val_mAP50", "after the network's output"),
        ("train.log_every_n_steps", "val_mAP50", "what is written of it"),
    ],
)
def test_what_changes_the_objective_itself_is_not_searched(path: str, metric: str, said: str) -> None:
    facts = facts_of()
    values: JsonValue = 0.5
    for step in reversed(path.split(".")):
        values = {step: values}
    assert isinstance(values, dict)
    known = {**facts.schema.leaves, path: replace(next(iter(facts.schema.leaves.values())), path=path, problem="")}
    facts = replace(facts, metric=metric, spec=Spec(values=values), schema=replace(facts.schema, leaves=known))

    assert said in by_judgement(path, facts)
    assert bool(said) == bool(by_judgement(path, facts))


def test_a_curated_list_of_the_skill_wins_over_what_is_known_of_its_architecture() -> None:
    facts = facts_of("depth_net_stereo")
    curated = replace(facts, schema=replace(facts.schema, curated=("train.optim.lr_decay",)))

    assert "advises" in by_judgement("train.optim.lr_decay", facts)
    assert not by_judgement("train.optim.lr_decay", curated)


def test_the_skills_own_advice_is_quoted_exactly(tmp_path: Path) -> None:
    said = "- Search only `train.optim.lr` and `train.optim.weight_decay`; {not} the rest."
    (tmp_path / "SKILL.md").write_text(f"# A skill\n\n{said}\n", encoding="utf-8")
    facts = facts_of("depth_net_stereo")
    facts = replace(facts, skill=replace(facts.skill, root=tmp_path))

    assert by_judgement("train.optim.lr_decay", facts) == f'the skill says: "{said}"'


def test_what_the_container_does_not_read_is_in_the_table_and_what_ours_reads_it_says_itself() -> None:
    facts = facts_of("depth_net_mono")

    assert "does not read it" in by_judgement("train.optim.momentum", facts)
    assert not by_judgement("train.optim.momentum", replace(facts, effective={"train.optim.momentum"}))
    assert "does not read it" in by_judgement("model.margin", replace(facts, effective={"train.optim.momentum"}))


def test_a_skill_without_an_image_flags_what_its_own_trainer_reads() -> None:
    skill = load_skill(EVERY_FEATURE)
    schema = read_train_schema(skill.schemas["train"])
    local = replace(skill, image=None, actions={"train": skill.actions["train"]})

    assert effective_parameters(skill, schema) is None
    assert effective_parameters(local, schema) == frozenset(schema.leaves)
    assert effective_parameters(skill, replace(schema, effective=frozenset({"a"}))) == {"a"}


def test_what_nobody_asks_for_is_left_out_first() -> None:
    facts = facts_of()

    assert left_out_by("train.optim.lr", facts, is_named=False) == "not in the curated list automl_default_parameters"
    assert left_out_by("model.heads", replace(facts, is_narrowed=True), is_named=False) == "not asked for by --search"
    assert left_out_by("model.heads", replace(facts, pinned=()), is_named=True) == ""


def test_every_rule_has_a_sentence_of_its_own() -> None:
    assert len({rule.sentence for rule in RULES}) == len(RULES)
