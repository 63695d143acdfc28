from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from depth_net.config.choices import Precision
from depth_net.config.experiment import ExperimentConfig
from depth_net.config.fields import leaves
from depth_net.config.validation import build

if TYPE_CHECKING:
    from depth_net.config.problems import SpecProblem


def load(tree: dict[str, Any]) -> tuple[ExperimentConfig, list[SpecProblem]]:
    problems: list[SpecProblem] = []
    return build(ExperimentConfig, tree, problems), problems


@pytest.mark.parametrize("written", [1e-4, "1e-4", "0.0001"])
def test_text_that_reads_as_a_number_is_a_number(written: object) -> None:
    config, problems = load({"train": {"optim": {"lr": written}}})

    assert config.train.optim.lr == 1e-4
    assert not problems


@pytest.mark.parametrize(("written", "value"), [("true", True), ("off", False), (1, True), (0, False)])
def test_words_for_yes_and_no_are_booleans(written: object, value: bool) -> None:  # noqa: FBT001 - a case
    config, problems = load({"train": {"allow_tf32": written}})

    assert config.train.allow_tf32 is value
    assert not problems


@pytest.mark.parametrize(
    ("written", "value"),
    [("010", 10), ("1e3", 1000), ("1_000", 1000), ("0o17", 15), ("0x1f", 31), ("9007199254740993", 9007199254740993)],
)
def test_whole_numbers_are_read_as_they_are_meant(written: str, value: int) -> None:
    assert load({"train": {"num_epochs": written}})[0].train.num_epochs == value


@pytest.mark.parametrize("written", ["1:30", "12:30:45", "2024-11-01", "yes", ".inf", "inf", "nan", "1.5", "\uff11"])
def test_what_is_no_whole_number_is_refused(written: str) -> None:
    (problem,) = load({"train": {"num_epochs": written}})[1]

    assert (problem.where, problem.expected) == ("train.num_epochs", "a whole number")


def test_a_whole_float_is_an_integer() -> None:
    assert load({"train": {"num_epochs": 3.0}})[0].train.num_epochs == 3


@pytest.mark.parametrize("unset", ["", None, "???"])
def test_an_optional_key_can_be_unset_in_three_ways(unset: object) -> None:
    config, problems = load({"train": {"results_dir": unset}, "dataset": {"max_depth": unset}})

    assert config.train.results_dir is None
    assert config.dataset.max_depth is None
    assert not problems


def test_a_single_source_needs_no_list() -> None:
    config, problems = load(
        {"dataset": {"train_dataset": {"data_sources": {"dataset_name": "NYUDV2", "data_file": "a.txt"}}}}
    )

    assert config.dataset.train_dataset.data_sources[0].data_file == "a.txt"
    assert not problems


@pytest.mark.parametrize(
    ("tree", "where", "expected"),
    [
        ({"train": {"num_epochs": "many"}}, "train.num_epochs", "a whole number"),
        ({"train": {"num_epochs": True}}, "train.num_epochs", "a whole number"),
        ({"train": {"num_epochs": 0}}, "train.num_epochs", "a number of at least 1"),
        ({"train": {"optim": {"lr": 0}}}, "train.optim.lr", "a number greater than 0"),
        ({"train": {"optim": {"lr": float("nan")}}}, "train.optim.lr", "a finite number"),
        ({"train": {"precision": "fp23"}}, "train.precision", "one of fp32, bf16, fp16"),
        ({"train": {"panels": "perhaps"}}, "train.panels", "true or false"),
        ({"train": 3}, "train", "a group of keys"),
        ({"train": {"gpu_ids": 0}}, "train.gpu_ids", "a list"),
        (
            {"dataset": {"train_dataset": {"data_sources": ["x"]}}},
            "dataset.train_dataset.data_sources",
            "a list of groups",
        ),
        (
            {"dataset": {"val_dataset": {"data_sources": [{"depth_kind": "disparty"}]}}},
            "dataset.val_dataset.data_sources[0].depth_kind",
            "one of depth, disparity, inverse_depth",
        ),
        (
            {"dataset": {"val_dataset": {"data_sources": {"eval_crop": "kitti"}}}},
            "dataset.val_dataset.data_sources[0].eval_crop",
            "one of none, eigen, garg, nyu",
        ),
        ({"inference": {"outputs": ["png"]}}, "inference.outputs", "one of pictures, colour, depth_png"),
        ({"quantize": {"backend_kwargs": 3}}, "quantize.backend_kwargs", "a group of keys"),
        ({"results_dir": ["x"]}, "results_dir", "a text"),
    ],
)
def test_a_wrong_value_is_reported_with_its_place_and_what_would_fit(
    tree: dict[str, Any], where: str, expected: str
) -> None:
    _, problems = load(tree)

    assert [problem.where for problem in problems] == [where]
    assert expected in problems[0].expected


def test_a_misspelt_choice_names_the_right_one() -> None:
    _, problems = load({"train": {"optim": {"lr_scheduler": "MultiStep"}}})

    assert problems[0].fix == "did you mean MultiStepLR?"


def test_a_misspelt_choice_of_a_data_source_names_the_right_one() -> None:
    _, problems = load({"dataset": {"val_dataset": {"data_sources": [{"depth_kind": "disparty"}]}}})

    assert problems[0].fix == "did you mean disparity?"


def test_all_problems_are_reported_at_once() -> None:
    _, problems = load({"trian": {}, "train": {"lr": 1, "num_epochs": 0}, "model": {"encodr": "vits"}})

    assert {problem.where for problem in problems} == {"trian", "train.lr", "train.num_epochs", "model.encodr"}


def test_a_key_with_a_problem_has_its_default_and_the_others_their_values() -> None:
    config, problems = load(
        {
            "train": {"num_epochs": 0, "gpu_ids": [0, -1], "seed": 7},
            "dataset": {"train_dataset": {"data_sources": {"dataset_name": "NYUDV2", "data_file": ["x"]}}},
        }
    )

    assert [problem.where for problem in problems] == [
        "dataset.train_dataset.data_sources[0].data_file",
        "train.gpu_ids",
        "train.num_epochs",
    ]
    assert (config.train.num_epochs, config.train.gpu_ids, config.train.seed) == (10, (0,), 7)
    assert config.dataset.train_dataset.data_sources[0].dataset_name == "NYUDV2"


def test_several_problems_of_one_list_are_reported_together() -> None:
    sources = ["x", {"nme": 1}, {"data_file": ["y"]}]

    config, problems = load({"dataset": {"train_dataset": {"data_sources": sources}}, "train": {"gpu_ids": ["a", "b"]}})

    place = "dataset.train_dataset.data_sources"
    assert [problem.where for problem in problems] == [
        place,
        f"{place}[1].nme",
        f"{place}[2].data_file",
        "train.gpu_ids",
    ]
    assert config.dataset.train_dataset.data_sources == ()


def test_keys_of_newer_stereo_models_are_accepted() -> None:
    assert not load({"model": {"gwc_feature_normalization": True}})[1]


@pytest.mark.parametrize(("written", "value"), [(True, "on"), ("false", "off"), ("on", "on"), ("auto", "auto")])
def test_on_and_off_are_words_although_yaml_reads_booleans(written: object, value: str) -> None:
    assert load({"train": {"compile": written}})[0].train.compile.value == value


def test_words_become_members() -> None:
    assert load({"train": {"precision": "bf16"}})[0].train.precision is Precision.BF16


def test_every_leaf_has_a_path() -> None:
    found = {path for path, _ in leaves(ExperimentConfig)}

    assert {"train.optim.lr", "dataset.val_dataset.augmentation.crop_size", "quantize.layers"} <= found


def test_groups_of_free_keys_stay_mappings() -> None:
    config, _ = load({"quantize": {"layers": [{"module_name": "Linear", "weights": {"dtype": "int8"}}]}})

    assert config.quantize.layers[0] == {"module_name": "Linear", "weights": {"dtype": "int8"}}
