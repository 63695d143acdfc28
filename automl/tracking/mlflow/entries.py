"""What MLflow shall know about each event of a study, as entries of the spool. Pure: no MLflow, no files written.

One parent run per study, one child per trial; attempts are tags. Parameters are the searched values, everything else
that describes a trial is a tag. A number that is not finite becomes a tag and never a metric.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from automl.storage.paths import PANELS, StudyPaths
from automl.study.trial import TrialState
from automl.tracking.mlflow.names import MAX_NAME_LENGTH, encode_name
from automl.tracking.mlflow.outbox import Entry, EntryKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from automl.study.evaluation import Evaluation
    from automl.study.model import StudyPlan
    from automl.study.result import StudyResult
    from automl.study.trial import Measurement, Proposal, TrialResult

STUDY_RUN = "study"
"""Key of the parent run."""

MAX_PARAMETER_LENGTH = 6000
"""Longest value of a parameter (``mlflow.utils.validation.MAX_PARAM_VAL_LENGTH``)."""

MAX_TAG_LENGTH = 8000
"""Longest value of a tag (``mlflow.utils.validation.MAX_TAG_VAL_LENGTH``)."""

LOG_TAIL_BYTES = 64 * 1024
"""How much of the end of a trial's log is kept as an artifact."""

_STATUS = {
    TrialState.COMPLETED: "FINISHED",
    TrialState.STOPPED: "KILLED",
    TrialState.INTERRUPTED: "KILLED",
    TrialState.DIVERGED: "FAILED",
    TrialState.FAILED: "FAILED",
}


def trial_run(number: int) -> str:
    """Return the key of a trial's run."""
    return f"{number:04d}"


def study_entries(plan: StudyPlan, directory: Path, surroundings: Mapping[str, str], time_ms: int) -> list[Entry]:
    """Return the entries of a study's start.

    Args:
        plan: What will run.
        directory: The study directory.
        surroundings: ``version.<name>`` and ``data.<input>`` -> what it ran with; become tags ``automl.<name>``.
        time_ms: Now, in Unix milliseconds.
    """
    facts = {
        "automl.kind": "study",
        "automl.state": "RUNNING",
        "automl.end_reason": "",
        "automl.study": plan.name,
        "automl.directory": str(directory),
        "automl.route": plan.route,
        "automl.reasons": "; ".join(plan.reasons),
        "automl.skill": plan.skill.name,
        "automl.network_arch": plan.skill.network_arch,
        "automl.metric": plan.objective.metric,
        "automl.direction": plan.objective.direction,
        **_goals(plan),
        **_first_points(plan),
        "automl.sampler": plan.sampler,
        "automl.scheduler": plan.scheduler,
        "automl.seed": plan.seed,
        "automl.trials": plan.budget.trials,
        "automl.fingerprint": plan.fingerprint,
        "automl.space": ", ".join(parameter.path for parameter in plan.space.parameters),
        **{f"automl.sha256.{name}": digest for name, digest in plan.skill.fingerprints.items()},
        **{f"automl.{name}": words for name, words in surroundings.items()},
    }
    run = {"name": plan.name, "parent": None, "start_ms": time_ms, "tags": tags(facts)}
    return [
        Entry(EntryKind.RUN, STUDY_RUN, run),
        Entry(EntryKind.ARTIFACT, STUDY_RUN, {"path": StudyPaths(directory).plan_file.name, "folder": ""}),
    ]


def _first_points(plan: StudyPlan) -> dict[str, object]:
    """Return the points of earlier studies that a study begins with: a repetition begins with the same."""
    pairs = zip(plan.first_trials[1:], plan.first_origins[1:], strict=False)
    points = [
        {"assignment": dict(assignment), "origin": str(origin), "origin_data": origin.document()}
        for assignment, origin in pairs
    ]
    text = json.dumps(points)
    return {"automl.first_points": text} if len(plan.first_trials) > 1 and len(text) <= MAX_TAG_LENGTH else {}


def _goals(plan: StudyPlan) -> dict[str, object]:
    """Return what describes several objectives, constraints and their command; nothing for a plain study."""
    facts: dict[str, object] = {}
    if len(plan.objectives) > 1:
        facts["automl.objectives"] = ", ".join(f"{o.metric}:{o.direction.value}" for o in plan.objectives)
    if plan.constraints:
        facts["automl.constraints"] = "; ".join(map(str, plan.constraints))
    if plan.evaluate_with:
        facts["automl.evaluate_with"] = plan.evaluate_with
    return facts


def trial_start_entries(proposal: Proposal, directory: str, attempt: int, time_ms: int) -> list[Entry]:
    """Return the entries of the start of an attempt of a trial.

    Args:
        proposal: What is tried.
        directory: The attempt's directory, relative to the study directory.
        attempt: One-based.
        time_ms: Now, in Unix milliseconds.
    """
    key = trial_run(proposal.number)
    facts = {
        "automl.kind": "trial",
        "automl.state": "RUNNING",
        "automl.trial": proposal.number,
        "automl.attempt": attempt,
        "automl.origin": proposal.origin,
        "automl.directory": directory,
    }
    if proposal.replicate_of is not None:
        facts |= {"automl.replicate_of": proposal.replicate_of, "automl.trainer_seed": proposal.seed}
    run = {"name": f"trial {proposal.number}", "parent": STUDY_RUN, "start_ms": time_ms, "tags": tags(facts)}
    values = {
        encode_name(path)[:MAX_NAME_LENGTH]: str(value)[:MAX_PARAMETER_LENGTH]
        for path, value in proposal.assignment.items()
    }
    entries = [Entry(EntryKind.RUN, key, run)]
    if values:
        entries.append(Entry(EntryKind.PARAMETERS, key, {"values": values}))
    return entries


def measurement_entries(number: int, measurement: Measurement, step: int, time_ms: int) -> list[Entry]:
    """Return the entries of one measurement; non-finite values become tags ``automl.nonfinite.<metric>``."""
    key = trial_run(number)
    entries = []
    if measurement.values:
        values = {encode_name(name)[:MAX_NAME_LENGTH]: value for name, value in measurement.values.items()}
        entries.append(Entry(EntryKind.METRICS, key, {"values": values, "step": step, "time_ms": time_ms}))
    if measurement.nonfinite:
        found = {f"automl.nonfinite.{name}": f"{kind} at {step}" for name, kind in measurement.nonfinite.items()}
        entries.append(Entry(EntryKind.TAGS, key, {"values": tags(found)}))
    return entries


def trial_end_entries(result: TrialResult, metric: str, artifacts: Iterable[str], time_ms: int) -> list[Entry]:
    """Return the entries of a trial's end.

    Args:
        result: How it ended.
        metric: The leading objective.
        artifacts: Files of the trial directory to keep, relative to the study directory.
        time_ms: Now, in Unix milliseconds.
    """
    key = trial_run(result.number)
    facts = {
        "automl.state": result.state,
        "automl.reason": result.reason,
        "automl.failure": result.failure or "",
        "automl.attempt": result.attempt,
        f"automl.attempt.{result.attempt}": f"{result.state}: {result.reason}".removesuffix(": "),
        "automl.best_epoch": "" if result.best_epoch is None else result.best_epoch,
        "automl.checkpoint": result.checkpoint or "",
        "automl.sha256": result.sha256 or "",
        "automl.exit_status": "" if result.exit_status is None else result.exit_status,
        "automl.parent_trial": "" if result.parent is None else result.parent,
    }
    entries = [Entry(EntryKind.TAGS, key, {"values": tags(facts)})]
    summary = {"automl.elapsed_s": result.elapsed_s, "automl.epochs": float(result.epochs)}
    if result.state.has_value and metric in result.values:
        summary["automl.best"] = result.values[metric]
    step = result.best_epoch or 0
    entries.append(Entry(EntryKind.METRICS, key, {"values": summary, "step": step, "time_ms": time_ms}))
    for path in artifacts:
        folder = PANELS if f"/{PANELS}/" in path else ""
        entries.append(Entry(EntryKind.ARTIFACT, key, {"path": path, "folder": folder}))
    entries.append(Entry(EntryKind.END, key, {"status": _STATUS.get(result.state, "RUNNING"), "end_ms": time_ms}))
    return entries


def incumbent_entry(value: float, number: int, time_ms: int) -> Entry:
    """Return the entry of a new best value: metric ``automl.best`` of the study, with the trial's number as step."""
    data = {"values": {"automl.best": value}, "step": number, "time_ms": time_ms}
    return Entry(EntryKind.METRICS, STUDY_RUN, data)


def study_end_entries(result: StudyResult, time_ms: int) -> list[Entry]:
    """Return the entries of a study's end: counts by state, the best trial, the final status."""
    states = [trial.state for trial in result.trials]
    best = result.best
    unfinished = any(not state.is_final for state in states)
    facts: dict[str, object] = {f"automl.trials.{state.lower()}": states.count(state) for state in sorted(set(states))}
    facts |= {f"automl.replicates.{r.trial.number}": f"mean {r.mean} of {len(r.values)}" for r in result.replicated}
    if result.further:
        facts["automl.pareto"] = ", ".join(str(trial.number) for trial in result.pareto)
    facts["automl.state"] = TrialState.INTERRUPTED if unfinished else TrialState.COMPLETED if best else "FAILED"
    facts["automl.end_reason"] = result.end_reason
    entries = _verdicts(result)
    if best is not None:
        facts |= {
            "automl.best_trial": best.number,
            "automl.best_epoch": best.best_epoch,
            "automl.best_value": best.values[result.objective.metric],
            **{f"automl.best.{path}": value for path, value in best.assignment.items()},
        }
        measured = {f"best/{name}": value for name, value in best.values.items()}
        for r in result.replicated[:1]:
            measured |= {"automl.replicates_mean": r.mean, "automl.selection_gap": r.gap}
        values = {encode_name(name)[:MAX_NAME_LENGTH]: value for name, value in measured.items()}
        data = {"values": values, "step": best.number, "time_ms": time_ms}
        entries.append(Entry(EntryKind.METRICS, STUDY_RUN, data))
    entries.append(Entry(EntryKind.TAGS, STUDY_RUN, {"values": tags(facts)}))
    status = "KILLED" if unfinished else "FINISHED" if best else "FAILED"
    entries.append(Entry(EntryKind.END, STUDY_RUN, {"status": status, "end_ms": time_ms}))
    return entries


def study_suspension_entries(reason: str, time_ms: int) -> list[Entry]:
    """Return the entries of a study that was cut off: its run is no running one until a resume takes it up."""
    facts = {"automl.state": TrialState.INTERRUPTED, "automl.end_reason": reason}
    return [
        Entry(EntryKind.TAGS, STUDY_RUN, {"values": tags(facts)}),
        Entry(EntryKind.END, STUDY_RUN, {"status": _STATUS[TrialState.INTERRUPTED], "end_ms": time_ms}),
    ]


def _verdicts(result: StudyResult) -> list[Entry]:
    """Return tags of trials: on the Pareto front of several objectives, or missing a constraint."""
    front = {trial.number for trial in result.pareto} if result.further else set()
    entries = []
    for trial in result.trials:
        missed = result.unmet(trial) if trial.state.has_value else ()
        facts = {"automl.pareto": "true"} if trial.number in front else {}
        facts |= {"automl.unmet": "; ".join(missed)} if missed else {}
        if facts:
            entries.append(Entry(EntryKind.TAGS, trial_run(trial.number), {"values": tags(facts)}))
    return entries


def action_entries(key: str, result: Mapping[str, Any], artifacts: Iterable[str], time_ms: int) -> list[Entry]:
    """Return the entries of an action on a checkpoint: evaluate, export, ...; a run of its own.

    It lies under the run of the trial whose checkpoint it used, the starting checkpoint's under trial 0: the children
    of the study's run are its trials and nothing else.

    Args:
        key: The action's key: ``evaluate-1``.
        result: Its ``result.json``.
        artifacts: Files to keep, relative to the study directory.
        time_ms: Now, in Unix milliseconds; the start is ``elapsed_s`` earlier.
    """
    kept = ("action", "status", "reason", "trial", "epoch", "checkpoint", "directory")
    facts = {f"automl.{name}": "" if result[name] is None else result[name] for name in kept}
    name = (
        f"{result['action']} of trial {result['trial']}"
        if result["trial"] is not None
        else f"{result['action']} of the start"
    )
    start_ms = time_ms - int(result["elapsed_s"] * 1000)
    parent = trial_run(result["trial"] or 0)
    run = {"name": name, "parent": parent, "start_ms": start_ms, "tags": tags({"automl.kind": "action", **facts})}
    entries = [Entry(EntryKind.RUN, key, run)]
    if result["values"]:
        values = {encode_name(metric)[:MAX_NAME_LENGTH]: value for metric, value in result["values"].items()}
        data = {"values": values, "step": result["epoch"] or 0, "time_ms": time_ms}
        entries.append(Entry(EntryKind.METRICS, key, data))
    entries += [Entry(EntryKind.ARTIFACT, key, {"path": path, "folder": ""}) for path in artifacts]
    status = "FAILED" if result["status"] in {"failed", "unavailable"} else "FINISHED"
    return [*entries, Entry(EntryKind.END, key, {"status": status, "end_ms": time_ms})]


def evaluation_entries(evaluations: Mapping[str, Evaluation], time_ms: int) -> list[Entry]:
    """Return the entries of what baseline and champion scored, by role: metrics and tags of the study.

    Args:
        evaluations: `evaluations.json`.
        time_ms: Now, in Unix milliseconds.
    """
    found = {role: evaluation.value for role, evaluation in evaluations.items() if evaluation.value is not None}
    words = {
        f"automl.evaluation.{role}": f"{evaluation.status}: {evaluation.reason or evaluation.value}"
        for role, evaluation in evaluations.items()
    }
    entries = [Entry(EntryKind.TAGS, STUDY_RUN, {"values": tags(words)})] if words else []
    if found:
        values = {f"automl.evaluated.{role}": value for role, value in found.items()}
        entries.append(Entry(EntryKind.METRICS, STUDY_RUN, {"values": values, "step": 0, "time_ms": time_ms}))
    return entries


def tags(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return tags that MLflow accepts: encoded names, text values cut to the longest it takes."""
    return {encode_name(name)[:MAX_NAME_LENGTH]: str(value)[:MAX_TAG_LENGTH] for name, value in facts.items()}
