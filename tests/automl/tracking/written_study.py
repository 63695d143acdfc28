"""A finished study on disk: plan, results, events and trial files, as a run leaves them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl.storage.documents import write_document
from automl.storage.paths import StudyPaths
from automl.tracking.file_tracker import FileTracker
from tests.automl.tracking.synthetic import OBJECTIVE, RESULTS, make_plan, tell

if TYPE_CHECKING:
    from pathlib import Path

    from automl.study.trial import TrialResult


def plan_of(root: Path, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 # fields of plan.json
    plan = make_plan(root, root.name)
    parameters = [
        {
            "path": p.path,
            "type": p.type.value,
            "low": p.low,
            "high": p.high,
            "log": p.log,
            "choices": list(p.choices) or None,
            "default": p.default,
        }
        for p in plan.space.parameters
    ]
    return {
        "name": plan.name,
        "route": plan.route.value,
        "reasons": list(plan.reasons),
        "skill": {"name": "depth_net_mono", "network_arch": "depth_net_mono", "root": str(root)},
        "objective": {"metric": OBJECTIVE.metric, "direction": OBJECTIVE.direction.value},
        "sampler": plan.sampler,
        "scheduler": plan.scheduler,
        "seed": plan.seed,
        "max_epochs": plan.max_epochs,
        "budget": {"trials": plan.budget.trials},
        "resources": {"jobs": plan.resources.jobs},
        "space": {"parameters": parameters},
        "spec": plan.spec.values,
        "fingerprint": plan.fingerprint,
        "mlflow": {"tracking_uri": "sqlite:///unused.db", "experiment": plan.name, "run_id": None},
        **changes,
    }


def write_study(root: Path, results: tuple[TrialResult, ...] = RESULTS, **changes: Any) -> StudyPaths:  # noqa: ANN401 # fields of plan.json
    directory = StudyPaths(root)
    tracker = FileTracker(directory)
    tell(tracker, directory, results)
    tracker.close()
    write_document(directory.plan_file, plan_of(root, **changes))
    return directory
