"""The spec of an action: template, training, data, overrides, special words - in this order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.handoff.action_spec import ActionOptions, action_spec
from automl.handoff.best import ChosenCheckpoint
from automl.resources import builtin_skill
from automl.skill.load import load_skill
from automl.spec.build import override_problems
from automl.spec.model import Spec
from tests.automl.handoff.depth_study import SPEC

if TYPE_CHECKING:
    from pathlib import Path

    from automl.skill.model import JsonValue


def make(
    tmp_path: Path, action: str, options: ActionOptions | None = None, training: dict[str, JsonValue] = SPEC
) -> Spec:
    folder = builtin_skill("depth_net_mono")
    assert folder is not None
    chosen = ChosenCheckpoint(path=tmp_path / "c.pth", trial=3, epoch=1, assignment={"model.encoder": "vitb"})
    skill = load_skill(folder)
    return action_spec(Spec(values=training), skill, action, chosen, tmp_path / "out", options or ActionOptions())


def test_the_parent_model_is_the_exact_checkpoint(tmp_path: Path) -> None:
    spec = make(tmp_path, "evaluate")

    assert spec.get("evaluate.checkpoint") == str(tmp_path / "c.pth")
    assert spec.get("results_dir") == str(tmp_path / "out")


def test_values_of_the_trial_count_as_training(tmp_path: Path) -> None:
    assert make(tmp_path, "quantize").get("model.encoder") == "vitb"


def test_an_onnx_file_gets_a_name_in_the_actions_directory(tmp_path: Path) -> None:
    assert make(tmp_path, "export").get("export.onnx_file") == str(tmp_path / "out" / "depth_net_mono.onnx")


def test_data_of_the_user_replaces_the_validation_data(tmp_path: Path) -> None:
    options = ActionOptions(data={"dataset.test_dataset.data_sources[0].data_file": "test.txt"})

    sources = make(tmp_path, "evaluate", options).get("dataset.test_dataset.data_sources")

    assert sources == [{"dataset_name": "NYUDV2", "data_file": "test.txt"}]


def test_an_evaluation_knows_the_training_images_that_its_data_are_compared_with(tmp_path: Path) -> None:
    trained_on: list[JsonValue] = [{"dataset_name": "NYUDV2", "data_file": "rooms", "part": "train"}]
    training = Spec(values=SPEC).with_values({"dataset.train_dataset.data_sources": trained_on}, origin="data").values

    spec = make(tmp_path, "evaluate", ActionOptions(data={"test": "rooms"}), training)

    assert spec.get("dataset.train_dataset.data_sources") == trained_on


def test_an_override_wins_over_the_template(tmp_path: Path) -> None:
    options = ActionOptions(overrides={"export.opset_version": 18})

    assert make(tmp_path, "export", options).get("export.opset_version") == 18


def test_an_override_of_the_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="checkpoint has one shape"):
        make(tmp_path, "evaluate", ActionOptions(overrides={"model.encoder": "vits"}))


def test_a_wrong_key_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="opset_version"):
        make(tmp_path, "export", ActionOptions(overrides={"export.opset_versoin": 18}))


def test_a_key_that_nothing_knows_is_refused_unless_it_is_marked(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--set foo"):
        make(tmp_path, "evaluate", ActionOptions(overrides={"foo": 3}))

    assert make(tmp_path, "evaluate", ActionOptions(overrides={"+foo": 3})).get("foo") == 3


def test_without_a_schema_of_the_action_a_key_in_a_new_block_is_refused() -> None:
    toy = load_skill(str(builtin_skill("toy")))

    (problem,) = override_problems(toy, "evaluate", {"foo": 3, "evaluate.verbose": True, "train.seed": 1})

    assert problem.where == "--set foo"
