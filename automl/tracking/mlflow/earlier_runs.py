"""Known-good points of earlier studies that an MLflow server has recorded.

A question of two requests does not pay for the five seconds that importing MLflow takes, so it is asked over the REST
interface. A server that is down or slow costs seconds and a sentence in the plan, never a study.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from automl.errors import LaunchError
from automl.study.causes import Origin, OriginKind, origin_from
from automl.study.trial import EarlierPoint
from automl.tracking.mlflow.names import stored_name
from automl.tracking.mlflow.rest import ask, open_session
from automl.tracking.mlflow.uri import without_password

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from automl.space.values import Scalar
    from automl.study.model import StudyPlan

_MOST_EXPERIMENTS = 200
_MOST_STUDIES = 50


def recorded_points(plan: StudyPlan, tracking_uri: str) -> tuple[EarlierPoint, ...]:
    """Return the best trial of each comparable study on a server, the newest study first.

    Comparable are studies of the same skill that searched the same parameters for the same objective and whose best
    trial is not their template. A study with the same fingerprint is repeated: its own first points come back.

    Raises:
        LaunchError: the server does not answer as MLflow does.
    """
    found = _tags_of_studies(plan, tracking_uri)
    repeated = [tags for tags in found if tags.get("automl.fingerprint") == plan.fingerprint]
    if repeated:
        return _first_points(repeated[-1])
    points = [_point(plan, tags) for tags in found if _is_comparable(plan, tags)]
    return tuple(point for point in points if point.assignment)


def _tags_of_studies(plan: StudyPlan, tracking_uri: str) -> list[dict[str, str]]:
    import requests  # noqa: PLC0415 - only where a server is asked

    with open_session() as session:
        try:
            experiments = ask(session, tracking_uri, "experiments/search", {"max_results": _MOST_EXPERIMENTS})
            question = {
                "experiment_ids": [found["experiment_id"] for found in experiments.get("experiments", ())],
                "filter": f"tags.`automl.kind` = 'study' and tags.`automl.skill` = '{plan.skill.name}'",
                "max_results": _MOST_STUDIES,
                "order_by": ["attributes.start_time DESC"],
            }
            runs = (
                ask(session, tracking_uri, "runs/search", question).get("runs", ())
                if question["experiment_ids"]
                else ()
            )
        except (requests.RequestException, ValueError, LookupError, TypeError, AttributeError) as error:
            address = without_password(tracking_uri)
            raise LaunchError(f"{address} was not asked for earlier studies: {type(error).__name__}") from None
    return [{tag["key"]: tag["value"] for tag in run.get("data", {}).get("tags", ())} for run in runs]


def _is_comparable(plan: StudyPlan, tags: Mapping[str, str]) -> bool:
    wanted = {
        "automl.network_arch": plan.skill.network_arch,
        "automl.metric": plan.objective.metric,
        "automl.direction": plan.objective.direction.value,
        "automl.state": "COMPLETED",
    }
    same_space = set(tags.get("automl.space", "").split(", ")) == set(plan.space.paths)
    return same_space and tags.get("automl.best_trial") != "0" and wanted.items() <= tags.items()


def _point(plan: StudyPlan, tags: Mapping[str, str]) -> EarlierPoint:
    assignment: dict[str, Scalar] = {}
    for parameter in plan.space.parameters:
        text = tags.get(stored_name(f"automl.best.{parameter.path}"))
        if text is not None and parameter.choices:
            assignment[parameter.path] = next((one for one in parameter.choices if str(one) == text), text)
        elif text is not None:
            with suppress(ValueError):  # it is no number
                assignment[parameter.path] = int(float(text)) if parameter.is_integer else float(text)
    best = tags.get("automl.best_trial", "")
    origin = Origin(
        OriginKind.TRACKED_STUDY,
        parent=int(best) if best.isdecimal() else None,
        study=tags.get("automl.study"),
        detail=f"{plan.objective.metric} {tags.get('automl.best_value')}",
    )
    return EarlierPoint(assignment=assignment, origin=origin)


def _first_points(tags: Mapping[str, str]) -> tuple[EarlierPoint, ...]:
    with suppress(ValueError, TypeError, KeyError):
        entries: Sequence[Mapping[str, Any]] = json.loads(tags.get("automl.first_points", "[]"))
        return tuple(
            EarlierPoint(assignment=entry["assignment"], origin=origin_from(entry.get("origin_data", entry["origin"])))
            for entry in entries
        )
    return ()
