"""The first proposals of a study: the template, and what was good before."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from automl.samplers.sampler import Candidate
from automl.study.causes import Origin, OriginKind

if TYPE_CHECKING:
    from automl.study.model import StudyPlan


def starting_points(plan: StudyPlan) -> tuple[Candidate, ...]:
    """Return the first proposals, without repetitions.

    Trial 0 is the template untouched, even where it lies outside the searched range: it is what the skill would train
    without a search. The others, such as points of earlier studies, are moved into the space.

    Args:
        plan: The study; where it has no ``first_trials``, the space's defaults are trial 0.
    """
    given = plan.first_trials or (plan.space.default_assignment(),)
    draws = [Candidate(assignment=dict(given[0]), origin=Origin(OriginKind.TEMPLATE))]
    for point, origin in itertools.zip_longest(given[1:], plan.first_origins[1:], fillvalue=None):
        if point is not None:
            draws.append(Candidate(assignment=plan.space.repair(point), origin=origin or Origin(OriginKind.GIVEN)))
    kept: list[Candidate] = []
    for draw in draws:
        if all(draw.assignment != other.assignment for other in kept):
            kept.append(draw)
    return tuple(kept)
