"""The values of published trainings of an architecture, as points that a first study tries after its template."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.architectures.model import matches
from automl.space.values import is_same
from automl.study.causes import Origin, OriginKind
from automl.study.trial import EarlierPoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.architectures.model import Recipe
    from automl.spec.model import Spec
    from automl.study.model import StudyPlan

FEWEST_TRIALS = 8
"""With fewer the search has no trial to spare for what was published for other data."""


def recipe_points(plan: StudyPlan) -> tuple[EarlierPoint, ...]:
    """Return a point for each published recipe that fits the plan's spec and lies in its ranges.

    The parameters that a recipe does not name have the template's values; what it names and is not searched has to
    have the recipe's value in the spec.
    """
    if plan.budget.trials < FEWEST_TRIALS:
        return ()
    return tuple(_points(plan))


def _points(plan: StudyPlan) -> Iterator[EarlierPoint]:
    searched = {parameter.path: parameter for parameter in plan.space.parameters}
    template = plan.first_trials[0]
    for recipe in plan.skill.architecture.recipes:
        chosen = {path: value for path, value in recipe.values.items() if path in searched}
        fixed = {path: value for path, value in recipe.values.items() if path not in searched and plan.spec.has(path)}
        is_whole = all(plan.spec.get(path) == value for path, value in fixed.items())
        is_inside = all(_contains(plan, path, value) for path, value in chosen.items())
        differs = any(not is_same(template.get(path), value) for path, value in chosen.items())
        if chosen and is_whole and is_inside and differs and _fits(recipe, plan.spec):
            origin = Origin(OriginKind.RECIPE, detail=recipe.source)
            yield EarlierPoint(assignment={**template, **chosen}, origin=origin)


def _contains(plan: StudyPlan, path: str, value: bool | float | str) -> bool:  # noqa: FBT001 - a value of a spec
    parameter = plan.space[path]
    if parameter.choices or not isinstance(value, int | float):
        return parameter.contains(value)
    low, high = parameter.bounds
    return low <= value <= high


def _fits(recipe: Recipe, spec: Spec) -> bool:
    """Tell whether a recipe was published for such a spec."""
    is_given = not recipe.given or any(spec.get(path) for path in recipe.given if spec.has(path))
    return is_given and all(
        spec.has(path) and matches(str(spec.get(path)).lower(), [pattern.lower() for pattern in patterns])
        for path, patterns in recipe.where.items()
    )
