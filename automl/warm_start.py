"""Add good points of earlier studies of the same skill to the first trials of a plan, after the template.

They come from the studies that the user names, else from this results folder, else from the tracking server. The plan
names each; a repeated command gets the points of its first run.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from automl.errors import LaunchError
from automl.request.policy import Route
from automl.storage.earlier_studies import (
    MOST_POINTS,
    chosen_points,
    found_points,
    is_repetition,
    named_points,
    read_studies,
    takes_earlier_points,
)
from automl.tracking.mlflow.earlier_runs import is_server, recorded_points

if TYPE_CHECKING:
    from automl.request.location import RunLocation
    from automl.request.study_request import StudyRequest
    from automl.storage.earlier_studies import EarlierPoint
    from automl.study.model import StudyPlan


def with_earlier_points(request: StudyRequest, plan: StudyPlan, place: RunLocation) -> StudyPlan:
    """Return the plan with known-good points of earlier studies after its template, with the reason for them.

    Raises:
        ConfigurationError: a study that the user names cannot be used.
    """
    points, notes = _earlier_points(request, plan, place)
    chosen = chosen_points(plan, points, most=max(MOST_POINTS, len(request.warm_start or ())))
    if not chosen:
        return dataclasses.replace(plan, reasons=(*plan.reasons, *notes))
    origins = " and ".join(str(point.origin) for point in chosen)
    reason = f"after the template it tries {origins} (--no-warm-start: neither)"
    return dataclasses.replace(
        plan,
        first_trials=(*plan.first_trials, *(point.assignment for point in chosen)),
        first_origins=(*plan.first_origins, *(point.origin for point in chosen)),
        reasons=(*plan.reasons, reason),
    )


def _earlier_points(
    request: StudyRequest, plan: StudyPlan, place: RunLocation
) -> tuple[tuple[EarlierPoint, ...], tuple[str, ...]]:
    """Return points of earlier studies, and a note if the tracking server did not answer."""
    if request.warm_start is not None:
        return named_points(plan, request.warm_start, place.results) if plan.route is Route.TUNE else (), ()
    if not takes_earlier_points(plan):
        return (), ()
    studies = read_studies(place.results)
    found = found_points(plan, request.data, studies)
    uri = place.tracking_uri
    if found or uri is None or not is_server(uri) or is_repetition(plan, studies):
        return found, ()
    try:
        return recorded_points(plan, uri), ()
    except LaunchError as error:
        return (), (error.headline,)
