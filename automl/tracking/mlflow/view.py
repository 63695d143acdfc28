"""The view of a study in MLflow's web interface: all its trials, one axis per parameter, coloured by the best value.

MLflow reads such a view from a tag of the experiment, whose name the address of the page ends with (the web interface
of version 3.17: ``viewStateShareKey``). It has no logarithmic axes for parameters.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from automl.study.objectives import Direction
from automl.tracking.mlflow.names import stored_name

if TYPE_CHECKING:
    from automl.storage.plan_document import PlanDocument

_TAG = "mlflow.sharedViewState."
_MAX_TAG = 5000
"""MLflow's longest value of a tag of an experiment."""


def view_tag(plan: PlanDocument, study_id: str) -> tuple[str, str]:
    """Return name and value of the tag that a study's view is read from.

    Parameters that the tag has no room for have no axis, the last ones first.
    """
    parameters = [stored_name(parameter.path) for parameter in plan.space.parameters]
    while len(text := json.dumps(_state(plan, study_id, parameters))) > _MAX_TAG:
        parameters.pop()
    return f"{_TAG}{study_id}", text


def view_page(experiment_id: str, study_id: str) -> str:
    """Return the page of a study's view, behind the address of a server."""
    query = {"compareRunsMode": "CHART", "workflowType": "machine_learning", "viewStateShareKey": study_id}
    return f"#/experiments/{experiment_id}/runs?{urlencode(query)}"


def _state(plan: PlanDocument, study_id: str, parameters: list[str]) -> dict[str, object]:
    section = {"uuid": "automl", "name": "automl", "display": True, "isReordered": False, "columns": 1}
    chart = {
        "type": "PARALLEL",
        "uuid": "automl-parameters",
        "metricSectionId": "automl",
        "deleted": False,
        "isGenerated": False,
        "selectedParams": parameters,
        "selectedMetrics": [stored_name(plan.objective.metric), "automl.best"],  # the last one is the colour
        "showAllRuns": True,
    }
    return {
        "searchFilter": f"tags.`automl.kind` = 'trial' AND tags.`automl.key` LIKE '{study_id}/%'",
        # Sorted by date, trials would be folded into the study's run and have no lines.
        "orderByKey": "metrics.`automl.best`",
        "orderByAsc": plan.objective.direction is Direction.MINIMIZE,
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": [chart],
        "compareRunSections": [section],
    }
