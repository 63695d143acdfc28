"""When the values of a published training are tried, and that they never stand in the way of a short search."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from automl.architectures.load import known_architectures, load_architecture
from automl.architectures.model import Recipe
from automl.recipes import recipe_points
from automl.request.location import RunLocation
from automl.request.study_request import StudyRequest
from automl.run import make_plan
from automl.study.causes import OriginKind

if TYPE_CHECKING:
    from pathlib import Path

    from automl.study.model import StudyPlan

DEPTH = StudyRequest(skill="depth_net_mono", name="fine")
RECIPES = [(name, recipe) for name in known_architectures() for recipe in load_architecture(name).recipes]


def planned(results: Path, **settings: Any) -> StudyPlan:  # noqa: ANN401 - the settings differ in type
    return make_plan(DEPTH.with_settings(**{"trials": 8, **settings}), RunLocation(results=results))


def with_weights(path: str = "/weights.pth") -> dict[str, Any]:
    return {"overrides": {"train.pretrained_model_path": path}}


def test_a_fine_tuning_of_depth_tries_the_published_rates_after_the_template_and_names_the_paper(
    tmp_path: Path,
) -> None:
    plan = planned(tmp_path, **with_weights())

    assert plan.first_trials[1]["train.optim.lr"] == 5e-6
    assert plan.first_trials[1]["train.optim.head_lr_multiplier"] == 10
    others = plan.first_trials[0].items() - plan.first_trials[1].items()
    assert {path for path, _ in others} == {"train.optim.lr"}
    assert plan.first_origins[1].kind is OriginKind.RECIPE
    assert "recipe of Depth Anything V2 (arXiv:2406.09414, section 7.1)" in plan.reasons[-1]


@pytest.mark.parametrize(
    "settings",
    [
        {},  # from random weights, as the demo trains: the rate is published for pretrained ones
        with_weights() | {"trials": 7},
        with_weights() | {"warm_start": ()},
        with_weights() | {"sampler": "tpe"},
        with_weights() | {"search": ("train.optim.lr=1e-5..1e-3:log",)},
        {"overrides": {"train.pretrained_model_path": "/w.pth", "train.optim.head_lr_multiplier": 1.0}},
        {"overrides": {"train.pretrained_model_path": "/w.pth", "train.optim.lr": 5e-6}},
    ],
)
def test_a_recipe_is_left_out_where_it_does_not_fit(tmp_path: Path, settings: dict[str, Any]) -> None:
    assert len(planned(tmp_path, **settings).first_trials) == 1


def test_a_recipe_holds_only_for_what_it_was_published_for(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    for pattern, count in (("metric*", 1), ("relative*", 0)):
        where = MappingProxyType({"model.model_type": (pattern,)})
        recipe = Recipe(source="a paper", values={"train.optim.lr": 1e-3}, where=where)
        architecture = replace(plan.skill.architecture, recipes=(recipe,))
        changed = replace(plan, skill=replace(plan.skill, architecture=architecture))

        assert len(recipe_points(changed)) == count


@pytest.mark.parametrize(("name", "recipe"), RECIPES)
def test_every_recipe_names_its_paper_and_plausible_rates(name: str, recipe: Recipe) -> None:
    assert "arXiv:" in recipe.source, name
    rate = recipe.values["train.optim.lr"]
    assert isinstance(rate, float)
    assert 1e-6 <= rate <= 1e-2
