"""An action sees the model, the sizes and the normalisation of its training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.handoff.action_spec import check_overrides_fit, inherited_values
from automl.resources import builtin_skill
from automl.skill.load import load_skill
from automl.spec.build import build_spec
from automl.spec.model import Spec
from tests.automl.handoff.depth_study import SPEC, VALIDATION

if TYPE_CHECKING:
    from automl.skill.model import JsonValue, Skill

TRAINING = Spec(values=SPEC)


def skill() -> Skill:
    folder = builtin_skill("depth_net_mono")
    assert folder is not None
    return load_skill(folder)


def inherited(action: str) -> dict[str, object]:
    return dict(inherited_values(TRAINING, build_spec(skill(), action), skill(), action))


def test_model_and_depth_range_are_those_of_the_training() -> None:
    values = inherited("evaluate")

    assert values["model.encoder"] == "vit_tiny"
    assert (values["dataset.min_depth"], values["dataset.max_depth"]) == (0.1, 5.0)


def test_a_test_split_without_its_own_values_gets_those_of_the_validation_split() -> None:
    values = inherited("evaluate")

    assert values["dataset.test_dataset.data_sources"] == VALIDATION["data_sources"]
    assert values["dataset.test_dataset.augmentation.crop_size"] == [70, 98]
    assert values["dataset.test_dataset.augmentation.input_mean"] == [0.5, 0.5, 0.5]


def test_batch_size_and_workers_stay_the_actions_own() -> None:
    assert not [path for path in inherited("inference") if path.endswith(("batch_size", "workers"))]


def test_an_export_has_the_size_of_the_validation_images() -> None:
    values = inherited("export")

    assert (values["export.input_height"], values["export.input_width"]) == (70, 98)


def test_sections_of_actions_are_never_inherited() -> None:
    assert not [path for path in inherited("export") if path.startswith("export.") and "input_" not in path]


def test_an_export_is_compared_on_the_validation_images_with_their_normalisation() -> None:
    values = inherited("export")

    assert values["dataset.infer_dataset.data_sources"] == VALIDATION["data_sources"]
    assert values["dataset.infer_dataset.augmentation.input_mean"] == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    ("action", "path", "value"),
    [
        ("evaluate", "model.encoder", "vits"),
        ("evaluate", "dataset.max_depth", 80.0),
        ("evaluate", "dataset.test_dataset.augmentation.crop_size", [518, 518]),
        ("inference", "dataset.infer_dataset.augmentation.input_std", [1.0, 1.0, 1.0]),
        ("export", "export.input_height", 98),
    ],
)
def test_an_override_of_shape_or_normalisation_is_refused(action: str, path: str, value: JsonValue) -> None:
    with pytest.raises(ConfigurationError, match="checkpoint has one shape") as caught:
        check_overrides_fit(TRAINING, {path: value}, skill(), action)

    assert [problem.where for problem in caught.value.problems] == [path]


def test_overrides_that_describe_another_model_are_refused_all_at_once() -> None:
    overrides: dict[str, JsonValue] = {"model.encoder": "vits", "dataset.max_depth": 80.0, "evaluate.num_gpus": 0}
    with pytest.raises(ConfigurationError) as caught:
        check_overrides_fit(TRAINING, overrides, skill(), "evaluate")

    assert [problem.where for problem in caught.value.problems] == ["model.encoder", "dataset.max_depth"]


def test_overrides_that_repeat_the_training_are_accepted() -> None:
    overrides: dict[str, JsonValue] = {
        "model.encoder": "vit_tiny",
        "dataset.test_dataset.augmentation.crop_size": [70, 98],
        "evaluate.num_gpus": 0,
    }
    check_overrides_fit(TRAINING, overrides, skill(), "evaluate")
