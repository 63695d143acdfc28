"""Event log -> what MLflow is to have: runs, parameters, metrics, tags, files. Pure: no MLflow, no files.

One parent run per study, one child per trial; attempts are tags. Parameters of a trial are the searched values, those
of the study its settings and its spec; everything else is a tag. A number that is not finite becomes a tag and never a
metric; but the objectives of a trial that diverged or failed end with NaN, which every search of MLflow ranks last.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.spec.model import iterate_leaves
from automl.storage.study_directory import study_of_plan
from automl.study.cost import ObjectivePer
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
from automl.tracking.mlflow.names import stored_name

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

STUDY_RUN = "study"
"""Key of the parent run."""

MAX_PARAMETER_LENGTH, MAX_TAG_LENGTH = 6000, 8000
"""Longest value of a parameter and of a tag."""

NOTE_TAG = "mlflow.note.content"
"""MLflow shows it as the description of a run, as Markdown."""
_LOST = "INTERRUPTED: what ran it was killed"
_DIGEST = re.compile(r"\w+:(?P<digest>[0-9a-f]{16,}) (?P<path>.+)", re.DOTALL)
_MAX_DIGEST_LENGTH = 36
_USES = {"val": "validation", "test": "testing"}

_STATUS = {
    TrialState.COMPLETED: "FINISHED",
    TrialState.STOPPED: "KILLED",
    TrialState.INTERRUPTED: "KILLED",
    TrialState.DIVERGED: "FAILED",
    TrialState.FAILED: "FAILED",
}
_OF_TRIAL = ("state", "reason", "attempt", "failure", "best_epoch", "checkpoint", "sha256", "exit_status")
_OF_ACTION = ("action", "status", "reason", "trial", "epoch", "checkpoint", "directory")


class UploadKind(StrEnum):
    """What an upload does."""

    RUN = "run"
    """Make or re-open a run: ``name``, ``parent`` (key or None), ``start_ms``, ``tags``."""
    PARAMETERS = "parameters"
    """``values``: name -> text."""
    TAGS = "tags"
    """``values``: name -> text."""
    INPUTS = "inputs"
    """``datasets`` that a run reads, each with ``name``, ``digest``, ``path`` and ``context``."""
    METRICS = "metrics"
    """``values``: name -> number, ``step``, ``time_ms``; finite, or NaN where a trial has no value after all."""
    END = "end"
    """``status`` (FINISHED, KILLED, FAILED), ``end_ms``."""
    ARTIFACT = "artifact"
    """``path`` (relative to the study directory, or absolute), ``folder`` inside the run's artifacts."""
    TRIAL_FILES = "trial_files"
    """The small files of an attempt: ``trial``, ``attempt``."""
    ACTION_FILES = "action_files"
    """The log of an action and the small files that it has made: ``files``, relative to the study directory."""
    MODEL = "model"
    """A model version; see `ModelRegistered`."""


OF_FILES = frozenset({UploadKind.ARTIFACT, UploadKind.TRIAL_FILES, UploadKind.ACTION_FILES, UploadKind.MODEL})
"""What copies files, which may fail where the store of artifacts does and the server does not."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One thing that MLflow is to have.

    Attributes:
        kind: What it is.
        run: Key of the run inside the study: ``study``, ``0007``, ``evaluate-1``.
        data: See `UploadKind`; JSON values, finite numbers.
    """

    kind: UploadKind
    run: str
    data: dict[str, Any]

    @property
    def title(self) -> str:
        """What it is, for people: ``train.log of 0007``."""
        return f"{self.data.get('path', self.kind)} of {self.run}"


def trial_files(result: TrialResult) -> Upload:
    """Return the upload of a trial's files, with the hash of its spec."""
    data = {"trial": result.number, "attempt": result.attempt, "spec": result.spec_sha256}
    return Upload(UploadKind.TRIAL_FILES, _trial_run(result.number), data)


def _trial_run(number: int) -> str:
    return f"{number:04d}"


class Projection:
    """Turns the events of the study of a plan into uploads; what it has seen is its state."""

    def __init__(self, plan: PlanDocument, study: StudyPaths) -> None:
        self._plan = plan
        self._paths = study
        self._study = study_of_plan(plan)
        self._incumbent = Incumbent(self._study)
        self._replicates: dict[int, dict[str, object]] = {}
        self._assignments: dict[int, Mapping[str, Scalar]] = {}
        self._results: dict[int, TrialResult] = {}
        self._epochs: dict[int, int] = {}
        self._held: dict[int, list[Upload]] = {}
        self._actions: set[str] = set()
        self._points: dict[str, set[int]] = {}
        self._source: dict[str, str] = {}
        self._attempts: dict[int, int] = {}
        self._scored: dict[int, set[str]] = {}
        self._ended_attempts: set[tuple[int, int]] = set()

    def uploads(self, entry: Entry) -> list[Upload]:
        """Return what an entry of the log adds; entries have to come in order.

        What has no values is left out, and so are points that MLflow has already: a trainer's status file is read again
        after a resume.
        """
        time_ms = round(entry.time.timestamp() * 1000)
        found = [upload for upload in self._of_event(entry.event, time_ms) if self._is_new(upload)]
        if isinstance(entry.event, TrialEnded) and entry.event.result.state.is_final:
            self._points.pop(_trial_run(entry.event.result.number), None)
        return found

    def _of_event(self, event: Event, time_ms: int) -> list[Upload]:  # noqa: C901, PLR0911, PLR0912 # one case per event
        match event:
            case StudyStarted():
                return self._study_started(event, time_ms)
            case TrialProposed() if event.replicate_of is not None:
                seeds: dict[str, object] = {
                    "automl.replicate_of": event.replicate_of,
                    "automl.trainer_seed": event.seed,
                }
                self._replicates[event.trial] = seeds
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
                trials = tuple(result for _, result in sorted(self._results.items()))
                return list(_study_end(replace(self._study, trials=trials), event.reason, time_ms))
            case StudySuspended():
                facts = {"automl.state": TrialState.INTERRUPTED, "automl.end_reason": event.reason}
                return [_tags(STUDY_RUN, facts), _end(STUDY_RUN, "KILLED", time_ms)]
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
        self._source = _source(event.environment)
        plan, skill = self._plan, self._plan.skill
        facts = {
            **self._source,
            NOTE_TAG: _started_note(plan),
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
            **_optional_facts(plan),
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
        run = _run(STUDY_RUN, self._paths.root.name, None, time_ms, facts)
        settings = _parameters(STUDY_RUN, _settings(plan))
        inputs = Upload(UploadKind.INPUTS, STUDY_RUN, {"datasets": list(_datasets(event.environment))})
        return [run, settings, inputs, Upload(UploadKind.ARTIFACT, STUDY_RUN, plan_file)]

    def _trial_started(self, event: TrialStarted, time_ms: int) -> list[Upload]:
        key = _trial_run(event.trial)
        self._assignments[event.trial] = event.assignment
        lost = [number for number in range(1, event.attempt) if (event.trial, number) not in self._ended_attempts]
        facts = {
            **self._source,
            **{f"automl.attempt.{number}": _LOST for number in lost},
            "automl.kind": "trial",
            "automl.state": "RUNNING",
            "automl.trial": event.trial,
            "automl.attempt": event.attempt,
            "automl.origin": event.origin,
            "automl.directory": event.directory,
            **self._replicates.get(event.trial, {}),
        }
        self._attempts[event.trial] = event.attempt
        run = _run(key, f"{self._paths.root.name} trial {event.trial}", STUDY_RUN, time_ms, facts)
        return [run, _parameters(key, event.assignment)]

    def _attempt_ended(self, trial: int, how: str) -> Upload:
        attempt = self._attempts.get(trial, 1)
        self._ended_attempts.add((trial, attempt))
        return _tags(_trial_run(trial), {f"automl.attempt.{attempt}": how})

    def _measured(self, event: Measured, time_ms: int) -> list[Upload]:
        key = _trial_run(event.trial)
        if event.epoch is not None:
            self._epochs[event.trial] = event.epoch
        step = self._epochs.get(event.trial, 0)
        objectives = {objective.metric for objective in self._study.objectives}
        self._scored.setdefault(event.trial, set()).update(objectives & event.values.keys())
        found = _metrics(key, event.values, step, int(event.unix_time_s * 1000) or time_ms)
        if not event.nonfinite and event.trial not in self._epochs:
            # MLflow's comparison opens on the metric that a run got first, which is not to be its use of memory.
            self._held.setdefault(event.trial, []).append(found)
            return []
        facts = {f"automl.nonfinite.{name}": f"{kind} at {step}" for name, kind in event.nonfinite.items()}
        return [found, _tags(key, facts), *self._held.pop(event.trial, [])]

    def _trial_ended(self, result: TrialResult, time_ms: int) -> list[Upload]:
        key = _trial_run(result.number)
        # Logs of the version before have the assignment at the start of the trial alone.
        result = replace(result, assignment=result.assignment or self._assignments.get(result.number, {}))
        self._results[result.number] = result
        summary = {"automl.elapsed_s": result.elapsed_s, "automl.epochs": float(result.epochs)}
        metric = self._study.objective.metric
        if result.state.has_value and metric in result.values:
            summary["automl.best"] = result.values[metric]
        ended: dict[str, object] = {name: getattr(result, name) for name in _OF_TRIAL}
        ended["parent_trial"] = result.parent
        ended |= {"changes": json.dumps(dict(result.changes))} if result.changes else {}
        self._attempts[result.number] = result.attempt
        # Its last good value would lead every search by the metric.
        no_value = result.state in {TrialState.DIVERGED, TrialState.FAILED}
        nothing = dict.fromkeys(sorted(self._scored.get(result.number, ())) if no_value else (), math.nan)
        uploads = [
            *self._held.pop(result.number, []),
            _tags(key, _facts(ended)),
            self._attempt_ended(result.number, f"{result.state}: {result.reason}".removesuffix(": ")),
            _metrics(key, nothing, self._epochs.get(result.number, 0), time_ms),
            _metrics(key, summary, result.best_epoch or 0, time_ms),
            trial_files(result),
            _end(key, _STATUS.get(result.state, "RUNNING"), time_ms),
        ]
        if (best := self._incumbent.learn(result)) is not None:
            uploads.append(_metrics(STUDY_RUN, {"automl.best": best}, result.number, time_ms))
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


def _source(environment: Mapping[str, str]) -> dict[str, str]:
    """Return MLflow's own tags about who ran what: shown as columns of its tables."""
    revision = environment.get("version.git.skill") or environment.get("version.git", "")
    facts = {
        "mlflow.source.name": "automl",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": revision.removesuffix("-dirty"),
        "mlflow.user": environment.get("user", ""),
    }
    return {name: text for name, text in facts.items() if text}


def _settings(plan: PlanDocument) -> dict[str, object]:
    """Return what cannot change while a study goes on: its settings, then every value of its spec."""
    settings = {
        "automl.skill": plan.skill.name,
        "automl.network_arch": plan.skill.network_arch,
        "automl.route": plan.route,
        "automl.objective": ", ".join(f"{o.direction} {o.metric}" for o in plan.all_objectives),
        "automl.constraints": "; ".join(plan.constraints),
        "automl.sampler": plan.sampler,
        "automl.scheduler": plan.scheduler,
        "automl.seed": plan.seed,
        "automl.max_epochs": plan.max_epochs,
    }
    return {name: value for name, value in settings.items() if value not in {"", None}} | dict(
        iterate_leaves(plan.spec)
    )


def _datasets(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield the data of a study that have a digest: name, digest as long as MLflow takes it, path and use."""
    for name, text in environment.items():
        found = _DIGEST.fullmatch(text) if name.startswith("data.") else None
        if found is not None:
            path = Path(found["path"])
            uses = (use for word, use in _USES.items() if word in name.lower())
            yield {
                "name": f"{path.parent.name}/{path.name}".removeprefix("/"),
                "digest": found["digest"][:_MAX_DIGEST_LENGTH],
                "path": str(path),
                "context": next(uses, "training"),
            }


def _started_note(plan: PlanDocument) -> str:
    searched = ", ".join(f"`{parameter.path}`" for parameter in plan.space.parameters) or "nothing: it trains once"
    objectives = ", ".join(f"{o.direction} {o.metric}" for o in plan.all_objectives)
    return f"**{plan.skill.name}**, {objectives}. Not ended yet.\n\nSearches {searched}."


def _ended_note(result: StudyResult, reason: str) -> str:
    """Return the summary of a study as Markdown."""
    states = Counter(trial.state.lower() for trial in result.trials)
    counts = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    objective, best = result.objective, result.best
    lines = [f"{reason or 'It has ended'}. Trials: {counts}."]
    if best is None:
        return f"No trial has a usable value of {objective.metric}. {lines[0]}"
    epoch = f" at {best.best_at}" if best.best_at else ""
    lines.insert(0, f"**Trial {best.number}: {objective.metric} {best.values[objective.metric]:.6g}**{epoch}.")
    if best.assignment:
        rows = [f"| `{path}` | {value} |" for path, value in best.assignment.items()]
        lines.append("\n".join(["| parameter | best value |", "|---|---|", *rows]))
    return "\n\n".join(lines)


def _optional_facts(plan: PlanDocument) -> dict[str, str]:
    """Return what describes several objectives, constraints, their command and first points; nothing for a plain study.

    A repetition begins with the same points of earlier studies.
    """
    objectives = [f"{o.metric}:{o.direction}" for o in plan.objectives]
    known = zip(plan.first_trials[1:], plan.origins[1:], strict=False)
    points = [{"assignment": dict(a), "origin": str(origin), "origin_data": origin.document()} for a, origin in known]
    text = json.dumps(points) if points else ""
    by_id = json.dumps({study.study_id or study.name: study.name for study in plan.earlier}) if plan.earlier else ""
    facts = {
        "automl.objectives": ", ".join(objectives) if len(objectives) > 1 else "",
        "automl.constraints": "; ".join(plan.constraints),
        "automl.evaluate_with": plan.evaluate_with or "",
        "automl.objective_per": plan.weighed_by.value if plan.weighed_by is not ObjectivePer.TRIAL else "",
        "automl.earlier_studies": ", ".join(study.name for study in plan.earlier)[:MAX_TAG_LENGTH],
        "automl.earlier_ids": by_id if len(by_id) <= MAX_TAG_LENGTH else "",
        "automl.first_points": text if len(text) <= MAX_TAG_LENGTH else "",
    }
    return {name: value for name, value in facts.items() if value}


def _agreement(earlier: Iterable[EarlierStudy], event: AgreementEstimated, time_ms: int) -> Iterator[Upload]:
    """Yield how alike earlier studies are: a metric for each, over the trials, and all in words."""
    words = "; ".join(f"{study.name}: {text}" for study, text in agreement_rows(earlier, event.studies))
    yield _tags(STUDY_RUN, {"automl.agreement": words})
    known = {
        f"automl.agreement.{name}": a.correlation for name, a in event.studies.items() if a.correlation is not None
    }
    yield _metrics(STUDY_RUN, known, event.trial, time_ms)


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
        yield _tags(_trial_run(trial.number), marks | ({"automl.unmet": "; ".join(missed)} if missed else {}))
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
        yield _metrics(STUDY_RUN, measured, best.number, time_ms)
        # The value over time has the trials' numbers as steps; the last of them is what MLflow shows.
        last = max(trial.number for trial in result.trials)
        yield _metrics(STUDY_RUN, {"automl.best": best.values[result.objective.metric]}, last, time_ms)
    yield _tags(STUDY_RUN, {**facts, NOTE_TAG: _ended_note(result, reason)})
    yield _end(STUDY_RUN, "KILLED" if unfinished else "FINISHED" if best else "FAILED", time_ms)


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
    yield _run(key, name, _trial_run(result["trial"] or 0), start_ms, {**source, "automl.kind": "action", **facts})
    yield _metrics(key, result["values"], result["epoch"] or 0, time_ms)
    yield Upload(UploadKind.ACTION_FILES, key, {"files": list(result["files"])})
    yield _end(key, "FAILED" if result["status"] in {"failed", "unavailable"} else "FINISHED", time_ms)


def _evaluations(evaluations: Mapping[str, Evaluation], time_ms: int) -> Iterator[Upload]:
    """Yield what the starting checkpoint and the best one scored, by role: metrics and tags of the study."""
    found = evaluations.items()
    yield _tags(STUDY_RUN, {f"automl.evaluation.{role}": f"{e.status}: {e.reason or e.value}" for role, e in found})
    values = {f"automl.evaluated.{role}": e.value for role, e in found if e.value is not None}
    yield _metrics(STUDY_RUN, values, 0, time_ms)


def _run(key: str, name: str, parent: str | None, start_ms: int, facts: Mapping[str, object]) -> Upload:
    data = {"name": name, "parent": parent, "start_ms": start_ms, "tags": _tags(key, facts).data["values"]}
    return Upload(UploadKind.RUN, key, data)


def _parameters(key: str, values: Mapping[str, object]) -> Upload:
    named = {stored_name(path): str(value)[:MAX_PARAMETER_LENGTH] for path, value in values.items()}
    return Upload(UploadKind.PARAMETERS, key, {"values": named})


def _tags(key: str, facts: Mapping[str, object]) -> Upload:
    """Return tags that MLflow accepts: encoded names, values cut to the longest that it takes."""
    values = {stored_name(name): str(value)[:MAX_TAG_LENGTH] for name, value in facts.items()}
    return Upload(UploadKind.TAGS, key, {"values": values})


def _metrics(key: str, values: Mapping[str, float], step: int, time_ms: int) -> Upload:
    named = {stored_name(name): value for name, value in values.items()}
    return Upload(UploadKind.METRICS, key, {"values": named, "step": step, "time_ms": time_ms})


def _end(key: str, status: str, end_ms: int) -> Upload:
    return Upload(UploadKind.END, key, {"status": status, "end_ms": end_ms})
