"""The JSON form of a study as it stands: what `automl run --json`, `automl status --json` and `compare` print.

It is read from the study directory alone, so the end of a run and a later look at it cannot differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl.storage.documents import to_json
from automl.storage.final_status import read_settled
from automl.storage.study_directory import evaluations_of, read_record
from automl.study.evaluation import Evaluation

if TYPE_CHECKING:
    from pathlib import Path

    from automl.storage.final_status import Outcome
    from automl.storage.plan_document import StoredPlan
    from automl.study.result import StudyResult
    from automl.study.trial import TrialResult


def study_document(root: Path) -> dict[str, Any]:
    """Return the JSON form of a study.

    Raises:
        ConfigurationError: the folder is no study directory.
    """
    plan, result, outcome = read_settled(root)
    return {
        "study_dir": str(root),
        "state": outcome.state,
        "end_reason": outcome.reason,
        "notices": list(outcome.notices),
        "route": plan.route.value,
        "reasons": list(plan.reasons),
        "objective": to_json(plan.objective),
        "best": _best_document(result.best),
        "weighed_by": plan.weighed_by.value,
        **_objectives_document(plan, result),
        **_replicates_document(plan, result),
        **_earlier_document(plan, outcome),
        "trials": [_trial_document(trial) | _feasibility(result, trial) for trial in result.trials],
        "mlflow": to_json(read_record(root) or plan.mlflow),
        "evaluations": to_json(evaluations_of(root, result.best), dict[str, Evaluation]),
    }


def _best_document(best: TrialResult | None) -> dict[str, Any] | None:
    if best is None:
        return None
    return {
        "trial": best.number,
        "values": dict(best.values),
        "epoch": best.best_epoch,
        "checkpoint": best.checkpoint,
        "sha256": best.sha256,
    }


def _trial_document(trial: TrialResult) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state.value,
        "reason": trial.reason,
        "assignment": dict(trial.assignment),
        **({} if trial.replicate_of is None else {"replicate_of": trial.replicate_of, "seed": trial.seed}),
        "values": dict(trial.values),
        "best_epoch": trial.best_epoch,
        "elapsed_s": round(trial.elapsed_s, 3),
        "directory": trial.directory,
        **({"gpus": list(trial.gpus)} if trial.gpus else {}),
    }


def _objectives_document(plan: StoredPlan, result: StudyResult) -> dict[str, Any]:
    """Return what only a study with several objectives or with constraints has."""
    if not (result.further or result.constraints):
        return {}
    front = [_best_document(trial) for trial in result.pareto]
    return {
        "objectives": [to_json(objective) for objective in plan.objectives],
        "constraints": list(plan.constraints),
        "pareto": front,
    }


def _replicates_document(plan: StoredPlan, result: StudyResult) -> dict[str, Any]:
    """Return what only a study with replicates has: each replicated trial, the best mean first."""
    if not plan.replicates:
        return {}
    metric = result.objective.metric
    return {
        "replicates": [
            {
                "trial": r.trial.number,
                "selected_at": r.trial.values[metric],
                "values": list(r.values),
                "mean": r.mean,
                "spread": r.spread,
                "diverged": r.diverged,
                "gap": r.gap,
            }
            for r in result.replicated
        ]
    }


def _earlier_document(plan: StoredPlan, outcome: Outcome) -> dict[str, Any]:
    """Return what only a study has that learns from earlier ones: each of them, and how alike it is so far."""
    if not plan.earlier:
        return {}
    found = outcome.agreement
    return {
        "earlier_studies": [
            {
                "name": study.name,
                "trials": len(study.trials),
                "agreement": to_json(found[study.name]) if found is not None and study.name in found else None,
                "is_used": found is None or (study.name in found and found[study.name].correlation is not None),
            }
            for study in plan.earlier
        ]
    }


def _feasibility(result: StudyResult, trial: TrialResult) -> dict[str, Any]:
    """Return whether a trial with a value keeps the constraints; nothing where there are none."""
    if not result.constraints or not trial.state.has_value:
        return {}
    unmet = result.unmet(trial)
    return {"feasible": not unmet, "unmet": list(unmet)}
