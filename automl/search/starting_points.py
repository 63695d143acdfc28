"""The first proposals of a study: the template, and what was good before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.search.sampler import Draw

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from automl.space.parameters import Scalar
    from automl.study.model import StudyPlan


def starting_points(plan: StudyPlan, earlier: Sequence[Mapping[str, Scalar]]) -> tuple[Draw, ...]:
    """Return the first proposals, without repetitions.

    Trial 0 is the template untouched, even where it lies outside the searched range: it is what the skill would train
    without a search. Points of earlier studies are moved into the space.

    Args:
        plan: The study; its ``first_trials`` come first, the space's defaults where it has none.
        earlier: Good assignments of earlier studies, best first.
    """
    given = plan.first_trials or (plan.space.default_assignment(),)
    draws = [Draw(assignment=dict(given[0]), origin="template")]
    draws += [Draw(assignment=plan.space.repair(point), origin="given") for point in given[1:]]
    draws += [Draw(assignment=plan.space.repair(point), origin="earlier study") for point in earlier]
    kept: list[Draw] = []
    for draw in draws:
        if all(draw.assignment != other.assignment for other in kept):
            kept.append(draw)
    return tuple(kept)
