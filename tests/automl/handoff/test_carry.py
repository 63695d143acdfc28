"""An action sees the model, the sizes and the normalisation of its training."""

from __future__ import annotations

import pytest

from automl.errors import ConfigurationError
from automl.handoff.carry import carried_values, check_overrides_fit
from automl.resources import builtin_skill
from automl.skill.load import load_skill
from automl.spec.build import build_spec
from automl.spec.model import Spec
from tests.automl.handoff.depth_study import SPEC, VALIDATION

TRAINING = Spec(values=SPEC)


def carried(action: str) -> dict[str, object]:
    folder = builtin_skill("depth_net_mono")
    assert folder is not None
    skill = load_skill(folder)
    return dict(carried_values(TRAINING, build_spec(skill, action), skill))


def test_model_and_depth_range_are_those_of_the_training() -> None:
    values = carried("evaluate")

    assert values["model.encoder"] == "vit_tiny"
    assert (values["dataset.min_depth"], values["dataset.max_depth"]) == (0.1, 5.0)


def test_a_test_split_without_its_own_values_gets_those_of_the_validation_split() -> None:
    values = carried("evaluate")

    assert values["dataset.test_dataset.data_sources"] == VALIDATION["data_sources"]
    assert values["dataset.test_dataset.augmentation.crop_size"] == [70, 98]
    assert values["dataset.test_dataset.augmentation.input_mean"] == [0.5, 0.5, 0.5]


def test_batch_size_and_workers_stay_the_actions_own() -> None:
    assert not [path for path in carried("inference") if path.endswith(("batch_size", "workers"))]


def test_an_export_has_the_size_of_the_validation_images() -> None:
    values = carried("export")

    assert (values["export.input_height"], values["export.input_width"]) == (70, 98)


def test_sections_of_actions_are_never_carried() -> None:
    assert not [path for path in carried("export") if path.startswith("export.") and "input_" not in path]


def test_overrides_that_describe_another_model_are_refused_all_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_overrides_fit(TRAINING, {"model.encoder": "vits", "dataset.max_depth": 80.0, "evaluate.num_gpus": 0})

    assert [problem.where for problem in caught.value.problems] == ["model.encoder", "dataset.max_depth"]


def test_overrides_that_repeat_the_training_are_accepted() -> None:
    check_overrides_fit(TRAINING, {"model.encoder": "vit_tiny", "evaluate.num_gpus": 0})
