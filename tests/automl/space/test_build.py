"""Whole search spaces: of the synthetic package, of small ones, and of the bank."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from automl.errors import ConfigurationError
from automl.skill.load import load_skill
from automl.space.build import SpaceRequest, build_space, run_lengths
from automl.space.conditions import RelationKind
from automl.spec.build import build_spec
from automl.spec.train_schema import read_train_schema
from tests.automl.skill.packages import BANK, EVERY_FEATURE, block, leaf, needs_bank, write_skill

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from automl.skill.model import JsonValue
    from automl.space.search_space import SearchSpace


def space_of(folder: Path, *, overrides: dict[str, JsonValue] | None = None, **request: Any) -> SearchSpace:  # noqa: ANN401 # fields of SpaceRequest
    skill = load_skill(folder)
    schema = read_train_schema(skill.schemas["train"])
    spec = build_spec(skill, "train", schema=schema, overrides=overrides or {})
    return build_space(skill, schema, spec, SpaceRequest(pinned=frozenset(overrides or ()), **request))


def reasons(space: SearchSpace) -> dict[str, str]:
    return {item.path: item.reason for item in space.left_out}


def small(folder: Path, **root: object) -> Path:
    properties = block(
        lr=leaf("float", 1e-3, minimum=1e-5, maximum=1e-1),
        width=leaf("int", 8, minimum=4, maximum=64),
        plain={"type": "float", "default": 0.5, "minimum": 0.0, "maximum": 1.0},
    )
    schema = {"properties": {"train": properties}, **root}
    return write_skill(folder, schema=schema, template={"train": {"lr": 1e-3, "width": 8, "plain": 0.5}})


def test_every_feature_of_the_dialect_has_its_place() -> None:
    space = space_of(EVERY_FEATURE)

    assert len(space.parameters) == 29
    assert space["model.select"].bounds[1] == 300
    assert list(space["dataset.augmentation.crop_min"].bounds) == [150, 600]
    assert space["train.optim.cls_weight[1]"].default == 10.0
    assert space.paths.index("model.floor") < space.paths.index("model.ceiling") < space.paths.index("model.between")
    assert any(r.path == "model.quarter" and r.kind is RelationKind.DERIVED_QUOTIENT for r in space.relations)
    assert space.fixed["model.queries"] == 300


def test_every_parameter_of_the_schema_is_in_or_out_with_a_reason() -> None:
    schema = read_train_schema(EVERY_FEATURE / "schemas/train.schema.json")

    space = space_of(EVERY_FEATURE)

    assert set(space.paths) | set(reasons(space)) == set(schema.leaves)
    assert not set(space.paths) & set(reasons(space))
    assert all(reasons(space).values())
    assert all(parameter.reason for parameter in space.parameters)


def test_what_the_skill_marks_comes_first_among_what_is_left_out() -> None:
    left_out = [item.reason for item in space_of(EVERY_FEATURE).left_out]

    unmarked = [index for index, reason in enumerate(left_out) if reason == "not marked automl_enabled"]
    assert unmarked == list(range(len(left_out) - len(unmarked), len(left_out)))


def test_the_curated_list_is_the_space_and_the_flags_are_its_fallback(tmp_path: Path) -> None:
    curated = space_of(small(tmp_path / "a", automl_default_parameters=["train.plain"]))
    flagged = space_of(small(tmp_path / "b"))

    assert curated.paths == ("train.plain",)
    assert flagged.paths == ("train.lr", "train.width")
    assert reasons(curated)["train.lr"] == "not in the curated list automl_default_parameters"


def test_disabled_ancestors_disable_nothing_and_disabled_paths_do(tmp_path: Path) -> None:
    ancestors = space_of(small(tmp_path / "a", automl_disabled_parameters=["train"]))
    exact = space_of(small(tmp_path / "b", automl_disabled_parameters=["train.lr"]))

    assert ancestors.paths == ("train.lr", "train.width")
    assert exact.paths == ("train.width",)


def test_a_pinned_parameter_leaves_the_space(tmp_path: Path) -> None:
    space = space_of(small(tmp_path), overrides={"train.lr": 0.02})

    assert space.paths == ("train.width",)
    assert reasons(space)["train.lr"] == "pinned to 0.02 by the user"


@pytest.mark.parametrize(
    ("search", "paths"),
    [
        (["train.plain"], ("train.plain",)),
        (["train.*"], ("train.lr", "train.width", "train.plain")),
        (["all"], ("train.lr", "train.width")),
        (["default", "train.plain"], ("train.lr", "train.width", "train.plain")),
        (["train.lr=1e-4..1e-2"], ("train.lr",)),
    ],
)
def test_search_narrows_and_widens(tmp_path: Path, search: Sequence[str], paths: tuple[str, ...]) -> None:
    assert space_of(small(tmp_path), search=search).paths == paths


def test_a_range_of_the_user_is_used(tmp_path: Path) -> None:
    space = space_of(small(tmp_path), search=["train.lr=1e-4..1e-2:linear", "train.width={8,16}"])

    assert (list(space["train.lr"].bounds), space["train.lr"].log) == ([1e-4, 1e-2], False)
    assert space["train.width"].choices == (8, 16)


def test_equal_ends_pin_a_value_for_every_trial(tmp_path: Path) -> None:
    space = space_of(small(tmp_path), search=["default", "train.width=16..16"])

    assert space.default_assignment()["train.width"] == 16
    assert space.from_unit({"train.lr": 0.3, "train.width": 0.9})["train.width"] == 16


@pytest.mark.parametrize(
    ("search", "said"),
    [
        (["train.lr=1e-6..1e-2"], "outside the schema"),
        (["train.width=4..8.5"], "whole numbers"),
        (["train.lrr"], "did you mean train.lr?"),
        (["model.*"], "fits no parameter"),
        (["train.lr=1..0"], "exchange"),
    ],
)
def test_what_cannot_be_searched_is_an_error_with_the_way_out(tmp_path: Path, search: Sequence[str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said.replace("?", r"\?")):
        space_of(small(tmp_path), search=search)


def test_everything_wrong_with_a_search_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        space_of(small(tmp_path), search=["train.lrr", "train.lr=0..9", "train.width=1..2"])

    assert len(caught.value.problems) == 3


def test_asking_by_name_overrules_taste_but_not_facts() -> None:
    assert space_of(EVERY_FEATURE, search=["dataset.workers"]).paths == ("dataset.workers",)
    for path in ("model.absent", "dataset.augmentation.blur.prob", "train.optim.betas", "model.outer"):
        with pytest.raises(ConfigurationError, match="cannot be searched"):
            space_of(EVERY_FEATURE, search=[path])


def test_elements_of_lists_and_keys_without_a_schema_can_be_given_ranges() -> None:
    adam: dict[str, JsonValue] = {"train.optim.optimizer": "AdamW"}
    space = space_of(EVERY_FEATURE, overrides=adam, search=["train.optim.betas[0]=0.8..0.95", "train.seed={1,2,3}"])

    assert list(space["train.optim.betas[0]"].bounds) == [0.8, 0.95]
    assert space["train.seed"].choices == (1, 2, 3)


def test_a_value_that_the_trainer_computes_needs_a_range() -> None:
    assert "computed by the trainer" in reasons(space_of(EVERY_FEATURE))["train.optim.min_lr"]

    cosine: dict[str, JsonValue] = {"train.optim.lr_scheduler": "Cosine"}
    space = space_of(EVERY_FEATURE, overrides=cosine, search=["train.optim.min_lr=1e-6..1e-3"])

    assert space.default_assignment() == {"train.optim.min_lr": "${eval: '1e-3 * ${dataset.batch_size}'}"}


def test_the_batch_size_is_capped_by_the_samples_of_a_device() -> None:
    assert list(space_of(EVERY_FEATURE)["dataset.batch_size"].bounds) == [2, 32]
    assert list(space_of(EVERY_FEATURE, sample_count=40, devices=2)["dataset.batch_size"].bounds) == [2, 20]


def test_a_batch_size_alone_is_no_space_unless_it_is_asked_for(tmp_path: Path) -> None:
    schema = {"properties": {"dataset": block(batch_size=leaf("int", 8, minimum=1), workers=leaf("int", 1, minimum=0))}}
    skill = write_skill(tmp_path, schema=schema, template={"dataset": {"batch_size": 8, "workers": 1}})

    assert not space_of(skill).parameters
    assert "--search dataset.batch_size" in reasons(space_of(skill))["dataset.batch_size"]
    assert space_of(skill, search=["dataset.batch_size"]).paths == ("dataset.batch_size",)


def test_a_parent_that_has_no_range_takes_its_children_s_conditions_with_it(tmp_path: Path) -> None:
    properties = block(
        lr_scheduler=leaf("string", "cosine"),
        lr_step_size=leaf("int", 10, minimum=1, maximum=100),
        lr=leaf("float", 1e-3, minimum=1e-5, maximum=1e-1),
    )
    template = {"train": {"lr_scheduler": "cosine", "lr_step_size": 10, "lr": 1e-3}}
    skill = write_skill(tmp_path, schema={"properties": {"train": properties}}, template=template)

    space = space_of(skill)

    assert space.paths == ("train.lr",)
    assert "cosine" in reasons(space)["train.lr_step_size"]
    assert "has no range" in reasons(space)["train.lr_scheduler"]


EXPECTED = {
    "tao-finetune-cosmos-reason": 3,
    "tao-finetune-nv-tesseract-ad-diffusion": 4,
    "tao-train-depth-anything-v2": 3,
    "tao-train-dino": 11,
    "tao-train-dinov3": 0,
    "tao-train-image-classification": 20,
    "tao-train-mask2former": 6,
    "tao-train-pointpillars": 2,
    "tao-train-visual-changenet": 16,
}


@needs_bank
@pytest.mark.parametrize("info", BANK, ids=lambda file: file.parents[1].name)
def test_every_package_of_the_bank_has_the_space_we_signed(info: Path) -> None:
    folder = info.parents[1]
    if not (folder / "schemas/train.schema.json").exists():
        return

    space = space_of(folder)

    assert len(space.parameters) == EXPECTED.get(folder.name, len(space.parameters))


@needs_bank
def test_depth_anything_searches_what_the_containers_trainer_reads() -> None:
    folder = next(info.parents[1] for info in BANK if "depth-anything" in str(info))

    assert set(space_of(folder).paths) == {"train.optim.lr", "train.optim.weight_decay", "train.optim.lr_decay"}
    cosine = space_of(folder, overrides={"train.optim.lr_scheduler": "CosineAnnealingLR"})
    assert set(cosine.paths) == {"train.optim.lr", "train.optim.weight_decay", "train.optim.min_lr"}


def test_a_smallest_rate_whose_block_the_spec_lacks_is_no_pair(tmp_path: Path) -> None:
    rates = block(lr=leaf("float", 1e-3, minimum=1e-5, maximum=1e-1), optim=block(min_lr=leaf("float", 1e-6)))
    folder = write_skill(tmp_path, schema={"properties": {"train": rates}}, template={"train": {"lr": 1e-3}})

    assert space_of(folder).paths == ("train.lr",)


def test_a_parent_may_be_named_beside_its_child(tmp_path: Path) -> None:
    properties = block(
        low=leaf("int", 4, minimum=1, maximum=50),
        high=leaf("int", 9, minimum=1, maximum=99, depends_on="low", math_cond="> depends_on"),
    )
    schema = {"properties": {"train": properties}}

    space = space_of(write_skill(tmp_path, schema=schema, template={"train": {"low": 4, "high": 9}}))

    assert [str(relation) for relation in space.relations] == ["train.high > train.low"]


@needs_bank
def test_a_decay_that_a_short_run_never_reaches_is_left_out() -> None:
    folder = next(info.parents[1] for info in BANK if "depth-anything" in str(info))

    short, long = space_of(folder, sample_count=50), space_of(folder, sample_count=5000)

    assert reasons(short)["train.optim.lr_decay"] == (
        "inactive: train.optim.lr_steps starts at step 1000 and the run ends after 500"
    )
    assert "train.optim.lr_decay" in long.paths


@needs_bank
def test_a_thousand_assignments_are_sampled_and_checked_in_a_second() -> None:
    space = space_of(next(info.parents[1] for info in BANK if "image-classification" in str(info)))

    def sample_and_check() -> float:
        start = time.process_time()
        for number in range(1000):
            positions = {path: (number * 0.618 + index * 0.31) % 1 for index, path in enumerate(space.paths)}
            assert not space.violations(space.from_unit(positions))
        return time.process_time() - start

    # The best of three: other processes of the machine cost time too.
    assert min(sample_and_check() for _ in range(3)) < 1.0


def test_building_a_space_imports_nothing_heavy() -> None:
    heavy = {"jsonschema", "numpy", "ray", "optuna", "mlflow", "torch", "rich", "typer", "tomli_w", "tomllib"}
    program = (
        "import sys\n"
        "from automl.skill.load import load_skill\n"
        "from automl.spec.build import build_spec\n"
        "from automl.spec.train_schema import read_train_schema\n"
        "from automl.space.build import build_space\n"
        f"skill = load_skill({str(EVERY_FEATURE)!r})\n"
        "schema = read_train_schema(skill.schemas['train'])\n"
        "build_space(skill, schema, build_spec(skill, 'train'))\n"
        f"sys.exit(str({heavy!r} & set(sys.modules)) if {heavy!r} & set(sys.modules) else 0)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_the_length_of_a_run_is_known_from_epochs_samples_batch_and_devices() -> None:
    skill = load_skill(EVERY_FEATURE)
    spec = build_spec(skill, "train")

    assert run_lengths(skill, spec, SpaceRequest()) == {"epoch": 10}
    assert run_lengths(skill, spec, SpaceRequest(sample_count=100, devices=2)) == {"epoch": 10, "step": 70}


def test_keys_that_only_the_spec_has_take_their_type_from_its_value(tmp_path: Path) -> None:
    template = {
        "train": {"lr": 1e-3, "width": 8, "plain": 0.5},
        "x": {"flag": True, "rate": 0.5, "name": "a", "none": None},
    }
    skill = write_skill(tmp_path, schema={"properties": {"train": block(lr=leaf("float", 1e-3))}}, template=template)

    space = space_of(skill, search=["x.flag", "x.rate=0.1..0.9", "x.name={a,b}"])

    assert [parameter.type.value for parameter in space.parameters] == ["bool", "float", "categorical"]
    with pytest.raises(ConfigurationError, match=r"x\.none"):
        space_of(skill, search=["x.none"])


def test_one_value_of_the_schema_that_is_not_the_specs_is_tried_after_trial_0(tmp_path: Path) -> None:
    schema = {
        "properties": {"train": block(width=leaf("int", 3, minimum=3, maximum=3), lr=leaf("float", 0.1, minimum=0.01))}
    }
    skill = write_skill(tmp_path, schema=schema, template={"train": {"width": 8, "lr": 0.1}})

    space = space_of(skill)

    assert space.default_assignment()["train.width"] == 8
    assert space.from_unit({"train.width": 0.5, "train.lr": 0.5})["train.width"] == 3


def test_a_parent_that_is_no_number_leaves_its_child_out(tmp_path: Path) -> None:
    properties = block(
        mode=leaf("categorical", "a", enum=["a", "b"]),
        size=leaf("int", 4, minimum=1, maximum=9, depends_on="train.mode", math_cond="> depends_on"),
        forbidden=leaf("int", 4, minimum=-5, maximum=9, math_cond="!= 0"),
    )
    template = {"train": {"mode": "a", "size": 4, "forbidden": 4}}

    space = space_of(write_skill(tmp_path, schema={"properties": {"train": properties}}, template=template))

    assert space.paths == ("train.mode", "train.forbidden")
    assert "not numbers" in reasons(space)["train.size"]
    assert all(space.from_unit({"train.mode": 0, "train.forbidden": k / 40})["train.forbidden"] != 0 for k in range(41))


@pytest.mark.parametrize("kind", ["options", "parameters", "a chain", "conditions"])
def test_the_largest_schemas_have_their_space_in_seconds(tmp_path: Path, kind: str) -> None:
    number = leaf("float", 0.5, automl_enabled=True)
    leaves = {
        "options": {"a": {"type": "string", "default": "o1", "enum": [f"o{i}" for i in range(18_000)]}},
        "parameters": {f"p{i}": number for i in range(3000)},
        "a chain": {f"p{i}": {**number, "depends_on": f"train.p{i + 1}"} for i in range(3000)},
        "conditions": {"a": leaf("int", 1, enum=list(range(18_000)), math_cond="> 0 " * 200_000)},
    }[kind]
    template = {"train": {name: node["default"] for name, node in leaves.items()}}
    skill = write_skill(tmp_path / "skill", schema={"properties": {"train": block(**leaves)}}, template=template)
    began_s = time.process_time()

    space_of(skill)

    assert time.process_time() - began_s < 15.0


def test_a_child_that_the_user_sets_binds_the_parent_that_is_searched(tmp_path: Path) -> None:
    properties = block(
        low=leaf("int", 320, minimum=32, maximum=1024),
        high=leaf("int", 640, minimum=32, maximum=2048, depends_on="data.low", math_cond="> depends_on"),
        hint=leaf("int", 100, minimum=1, maximum=2048, depends_on="data.low", automl_enabled=False),
    )
    template = {"data": {"low": 320, "high": 640, "hint": 100}}
    folder = write_skill(tmp_path, schema={"properties": {"data": properties}}, template=template)

    space = space_of(folder, overrides={"data.high": 300})

    # A bare depends_on binds it too where the spec's own values keep it.
    assert list(space["data.low"].bounds) == [100, 299]
    assert space.default_assignment() == {"data.low": 299}
    for said in (
        "data.low < data.high, which is 300",
        "data.low >= data.hint, which is 100",
        "first 299 instead of 320",
    ):
        assert said in space["data.low"].reason
