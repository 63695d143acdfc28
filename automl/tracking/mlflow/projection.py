"""Event log -> what MLflow is to have: runs, parameters, metrics, tags, files. Pure: no MLflow, no files.

One parent run per study, one child per trial; attempts are tags. Parameters of a trial are the searched values, those
of the study its settings and its spec; everything else is a tag. A number that is not finite becomes a tag and never a
metric; but the objectives of a trial that diverged or failed end with NaN, which every search of MLflow ranks last.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from automl.storage.study_directory import study_of_plan
from automl.study.earlier import agreement_rows
from automl.study.events import (
    ActionEnded,
    AgreementEstimated,
    Evaluated,
    FileAttached,
    Measured,
    ModelRegistered,
    StudyEnded,
    StudyStarted,
    StudySuspended,
    TrialEnded,
    TrialProposed,
    TrialRetried,
    TrialStarted,
)
from automl.study.result import Incumbent
from automl.study.trial import TrialState
from automl.tracking.data_fingerprint import evaluation_data
from automl.tracking.mlflow.study_run import (
    NOTE_TAG,
    datasets_of,
    ended_note,
    optional_facts,
    settings_of,
    source_of,
    started_note,
)
from automl.tracking.mlflow.uploads import (
    STUDY_RUN,
    Upload,
    UploadKind,
    begin,
    end,
    metrics,
    parameters,
    tags,
    trial_files,
    trial_run,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from automl.space.values import Scalar
    from automl.storage.event_log import Entry
    from automl.storage.paths import StudyPaths
    from automl.storage.plan_document import PlanDocument
    from automl.study.earlier import EarlierStudy
    from automl.study.evaluation import Evaluation
    from automl.study.events import Event
    from automl.study.result import StudyResult
    from automl.study.trial import TrialResult

_LOST = "INTERRUPTED: what ran it was killed"
_STATUS = {
    TrialState.COMPLETED: "FINISHED",
    TrialState.STOPPED: "KILLED",
    TrialState.INTERRUPTED: "KILLED",
    TrialState.DIVERGED: "FAILED",
    TrialState.FAILED: "FAILED",
}
_OF_TRIAL = ("state", "reason", "attempt", "failure", "best_epoch", "checkpoint", "sha256", "exit_status")
_OF_ACTION = ("action", "status", "reason", "trial", "epoch", "checkpoint", "directory")


@dataclass(slots=True)
class _Seen:
    """What the events have said of a trial so far; ``held`` waits for its first epoch."""

    assignment: Mapping[str, Scalar] = field(default_factory=dict)
    replicate: Mapping[str, object] = field(default_factory=dict)
    attempt: int = 1
    ended_attempts: set[int] = field(default_factory=set)
    epoch: int | None = None
    scored: set[str] = field(default_factory=set)
    held: list[Upload] = field(default_factory=list)
    result: TrialResult | None = None


class Projection:
    """Turns the events of the study of a plan into uploads; what it has seen is its state."""

    def __init__(self, plan: PlanDocument, study: StudyPaths) -> None:
        self._plan = plan
        self._paths = study
        self._study = study_of_plan(plan)
        self._incumbent = Incumbent(self._study)
        self._trials: defaultdict[int, _Seen] = defaultdict(_Seen)
        self._actions: set[str] = set()
        self._points: dict[str, set[int]] = {}
        self._source: dict[str, str] = {}

    def uploads(self, entry: Entry) -> list[Upload]:
        """Return what an entry of the log adds; entries have to come in order.

        What has no values is left out, and so are points that MLflow has already: a trainer's status file is read again
        after a resume.
        """
        time_ms = round(entry.time.timestamp() * 1000)
        found = [upload for upload in self._of_event(entry.event, time_ms) if self._is_new(upload)]
        if isinstance(entry.event, TrialEnded) and entry.event.result.state.is_final:
            self._points.pop(trial_run(entry.event.result.number), None)
        return found

    def _of_event(self, event: Event, time_ms: int) -> list[Upload]:  # noqa: C901, PLR0911, PLR0912 # one case per event
        match event:
            case StudyStarted():
                return self._study_started(event, time_ms)
            case TrialProposed() if event.replicate_of is not None:
                seeds = {"automl.replicate_of": event.replicate_of, "automl.trainer_seed": event.seed}
                self._trials[event.trial].replicate = seeds
            case TrialStarted():
                return self._trial_started(event, time_ms)
            case Measured():
                return self._measured(event, time_ms)
            case TrialRetried():
                return [self._attempt_ended(event.trial, f"FAILED: {event.reason}")]
            case TrialEnded():
                return self._trial_ended(event.result, time_ms)
            case AgreementEstimated():
                return list(_agreement(self._plan.earlier, event, time_ms))
            case StudyEnded():
                results = (trial.result for _, trial in sorted(self._trials.items()) if trial.result is not None)
                return list(_study_end(replace(self._study, trials=tuple(results)), event.reason, time_ms))
            case StudySuspended():
                facts = {"automl.state": TrialState.INTERRUPTED, "automl.end_reason": event.reason}
                return [tags(STUDY_RUN, facts), end(STUDY_RUN, "KILLED", time_ms)]
            case ActionEnded() if event.key not in self._actions:
                self._actions.add(event.key)
                return list(_action(self._paths.root.name, event.key, event.result, time_ms, self._source))
            case Evaluated():
                return list(_evaluations(event.evaluations, time_ms))
            case ModelRegistered():
                return [Upload(UploadKind.MODEL, STUDY_RUN, dict(event.request))]
            case FileAttached():
                return [Upload(UploadKind.ARTIFACT, event.run, {"path": event.path, "folder": event.folder})]
            case _:
                pass
        return []

    def _study_started(self, event: StudyStarted, time_ms: int) -> list[Upload]:
        self._source = source_of(event.environment)
        plan, skill = self._plan, self._plan.skill
        facts = {
            **self._source,
            NOTE_TAG: started_note(plan),
            "automl.kind": "study",
            "automl.state": "RUNNING",
            "automl.end_reason": "",
            "automl.study": event.study,
            "automl.directory": self._paths.root,
            "automl.route": event.route,
            "automl.reasons": "; ".join(plan.reasons),
            "automl.skill": skill.name,
            "automl.network_arch": skill.network_arch,
            "automl.metric": event.metric,
            "automl.direction": event.direction,
            **optional_facts(plan),
            "automl.sampler": plan.sampler,
            "automl.scheduler": plan.scheduler,
            "automl.seed": plan.seed,
            "automl.trials": event.trials,
            "automl.fingerprint": event.fingerprint,
            "automl.evaluation_data": evaluation_data(event.environment),
            "automl.space": ", ".join(parameter.path for parameter in plan.space.parameters),
            **{f"automl.sha256.{name}": digest for name, digest in skill.fingerprints.items()},
            **{f"automl.{name}": text for name, text in event.environment.items()},
        }
        plan_file = {"path": self._paths.plan_file.name, "folder": ""}
        run = begin(STUDY_RUN, self._paths.root.name, None, time_ms, facts)
        settings = parameters(STUDY_RUN, settings_of(plan))
        inputs = Upload(UploadKind.INPUTS, STUDY_RUN, {"datasets": list(datasets_of(event.environment))})
        return [run, settings, inputs, Upload(UploadKind.ARTIFACT, STUDY_RUN, plan_file)]

    def _trial_started(self, event: TrialStarted, time_ms: int) -> list[Upload]:
        key, trial = trial_run(event.trial), self._trials[event.trial]
        trial.assignment, trial.attempt = event.assignment, event.attempt
        lost = [number for number in range(1, event.attempt) if number not in trial.ended_attempts]
        facts = {
            **self._source,
            **{f"automl.attempt.{number}": _LOST for number in lost},
            "automl.kind": "trial",
            "automl.state": "RUNNING",
            "automl.trial": event.trial,
            "automl.attempt": event.attempt,
            "automl.origin": event.origin,
            "automl.directory": event.directory,
            **trial.replicate,
        }
        run = begin(key, f"{self._paths.root.name} trial {event.trial}", STUDY_RUN, time_ms, facts)
        return [run, parameters(key, event.assignment)]

    def _attempt_ended(self, number: int, how: str) -> Upload:
        trial = self._trials[number]
        trial.ended_attempts.add(trial.attempt)
        return tags(trial_run(number), {f"automl.attempt.{trial.attempt}": how})

    def _measured(self, event: Measured, time_ms: int) -> list[Upload]:
        key, trial = trial_run(event.trial), self._trials[event.trial]
        trial.epoch = trial.epoch if event.epoch is None else event.epoch
        step = trial.epoch or 0
        trial.scored |= {objective.metric for objective in self._study.objectives} & event.values.keys()
        found = metrics(key, event.values, step, int(event.unix_time_s * 1000) or time_ms)
        if not event.nonfinite and trial.epoch is None:
            # MLflow's comparison opens on the metric that a run got first, which is not to be its use of memory.
            trial.held.append(found)
            return []
        held, trial.held = trial.held, []
        facts = {f"automl.nonfinite.{name}": f"{kind} at {step}" for name, kind in event.nonfinite.items()}
        return [found, tags(key, facts), *held]

    def _trial_ended(self, result: TrialResult, time_ms: int) -> list[Upload]:
        key, trial = trial_run(result.number), self._trials[result.number]
        # Logs of the version before have the assignment at the start of the trial alone.
        result = replace(result, assignment=result.assignment or trial.assignment)
        trial.result, trial.attempt = result, result.attempt
        summary = {"automl.elapsed_s": result.elapsed_s, "automl.epochs": float(result.epochs)}
        metric = self._study.objective.metric
        if result.state.has_value and metric in result.values:
            summary["automl.best"] = result.values[metric]
        ended: dict[str, object] = {name: getattr(result, name) for name in _OF_TRIAL}
        ended["parent_trial"] = result.parent
        ended |= {"changes": json.dumps(dict(result.changes))} if result.changes else {}
        held, trial.held = trial.held, []
        # Its last good value would lead every search by the metric.
        no_value = result.state in {TrialState.DIVERGED, TrialState.FAILED}
        nothing = dict.fromkeys(sorted(trial.scored) if no_value else (), math.nan)
        uploads = [
            *held,
            tags(key, _facts(ended)),
            self._attempt_ended(result.number, f"{result.state}: {result.reason}".removesuffix(": ")),
            metrics(key, nothing, trial.epoch or 0, time_ms),
            metrics(key, summary, result.best_epoch or 0, time_ms),
            trial_files(result),
            end(key, _STATUS.get(result.state, "RUNNING"), time_ms),
        ]
        if (best := self._incumbent.learn(result)) is not None:
            uploads.append(metrics(STUDY_RUN, {"automl.best": best}, result.number, time_ms))
        return uploads

    def _is_new(self, upload: Upload) -> bool:
        if upload.kind is not UploadKind.METRICS:
            return upload.data.get("values") != {} and upload.data.get("datasets") != []
        step = upload.data["step"]
        # Hashes: of thousands of metrics the names would take more than all else.
        points, known = {hash((name, step, v)) for name, v in upload.data["values"].items()}, self._points
        is_new = not points <= known.setdefault(upload.run, set())  # also for NaN: it is one object
        known[upload.run] |= points
        return is_new


def _facts(values: Mapping[str, object]) -> dict[str, object]:
    return {f"automl.{name}": "" if value is None else value for name, value in values.items()}


def _agreement(earlier: Iterable[EarlierStudy], event: AgreementEstimated, time_ms: int) -> Iterator[Upload]:
    """Yield how alike earlier studies are: a metric for each, over the trials, and all in words."""
    words = "; ".join(f"{study.name}: {text}" for study, text in agreement_rows(earlier, event.studies))
    yield tags(STUDY_RUN, {"automl.agreement": words})
    known = {
        f"automl.agreement.{name}": a.correlation for name, a in event.studies.items() if a.correlation is not None
    }
    yield metrics(STUDY_RUN, known, event.trial, time_ms)


def _study_end(result: StudyResult, reason: str, time_ms: int) -> Iterator[Upload]:
    """Yield the end of a study: counts by state, the best trial, the front, missed constraints, the final status."""
    states = [trial.state for trial in result.trials]
    best = result.best
    unfinished = any(not state.is_final for state in states)
    facts: dict[str, object] = {f"automl.trials.{state.lower()}": states.count(state) for state in sorted(set(states))}
    facts |= {f"automl.replicates.{r.trial.number}": f"mean {r.mean} of {len(r.values)}" for r in result.replicated}
    if result.further:
        facts["automl.pareto"] = ", ".join(str(trial.number) for trial in result.pareto)
    facts["automl.state"] = TrialState.INTERRUPTED if unfinished else TrialState.COMPLETED if best else "FAILED"
    facts["automl.end_reason"] = reason
    front = {trial.number for trial in result.pareto} if result.further else set()
    for trial in result.trials:
        missed = result.unmet(trial) if trial.state.has_value else ()
        marks = {"automl.pareto": "true"} if trial.number in front else {}
        yield tags(trial_run(trial.number), marks | ({"automl.unmet": "; ".join(missed)} if missed else {}))
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
        yield metrics(STUDY_RUN, measured, best.number, time_ms)
        # The value over time has the trials' numbers as steps; the last of them is what MLflow shows.
        last = max(trial.number for trial in result.trials)
        yield metrics(STUDY_RUN, {"automl.best": best.values[result.objective.metric]}, last, time_ms)
    yield tags(STUDY_RUN, {**facts, NOTE_TAG: ended_note(result, reason)})
    yield end(STUDY_RUN, "KILLED" if unfinished else "FINISHED" if best else "FAILED", time_ms)


def _action(
    study: str, key: str, result: Mapping[str, Any], time_ms: int, source: Mapping[str, str]
) -> Iterator[Upload]:
    """Yield the run of an action on a checkpoint.

    It lies under the run of the trial whose checkpoint it used, the starting checkpoint's under trial 0: the children
    of the study's run are its trials and nothing else.
    """
    facts = _facts({name: result[name] for name in _OF_ACTION})
    of = "the start" if result["trial"] is None else f"trial {result['trial']}"
    start_ms = time_ms - int(result["elapsed_s"] * 1000)
    name = f"{study} {result['action']} of {of}"
    yield begin(key, name, trial_run(result["trial"] or 0), start_ms, {**source, "automl.kind": "action", **facts})
    yield metrics(key, result["values"], result["epoch"] or 0, time_ms)
    yield Upload(UploadKind.ACTION_FILES, key, {"files": list(result["files"])})
    yield end(key, "FAILED" if result["status"] in {"failed", "unavailable"} else "FINISHED", time_ms)


def _evaluations(evaluations: Mapping[str, Evaluation], time_ms: int) -> Iterator[Upload]:
    """Yield what the starting checkpoint and the best one scored, by role: metrics and tags of the study."""
    found = evaluations.items()
    yield tags(STUDY_RUN, {f"automl.evaluation.{role}": f"{e.status}: {e.reason or e.value}" for role, e in found})
    values = {f"automl.evaluated.{role}": e.value for role, e in found if e.value is not None}
    yield metrics(STUDY_RUN, values, 0, time_ms)
