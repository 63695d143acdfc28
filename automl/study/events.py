"""What happens in a study, one frozen value per line of `events.jsonl`: the study is the sum of its events.

Field names are those of the JSON lines (docs/record.md). Events hold plain JSON values and small dataclasses, no paths
of this machine but those that are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from automl.space.values import Scalar
from automl.study.causes import Origin
from automl.study.earlier import Agreement
from automl.study.ends import EndReason, StopCause
from automl.study.evaluation import Evaluation
from automl.study.trial import TrialResult


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyStarted:
    """A process starts or resumes the study.

    Attributes:
        study: Its name.
        route: Tune, or train once.
        fingerprint: Of the plan.
        metric: The primary objective.
        direction: Of the primary objective.
        trials: Number of trials.
        jobs: Trials that run at once.
        max_epochs: Epochs of a full trial, where known.
        process: Process id of the driver.
        log_version: 3 since `HandedOver` is written; 2 since the log alone is enough to resume a study; 1 before.
        environment: What it runs with: ``version.<package>``, ``data.<input>`` -> text.
        links: Links out of the study that stood in its directory: their paths there -> where they lead to, absolute.
        token: By which its documents are known; empty for one that an earlier version began.
    """

    kind: ClassVar[str] = "study_started"
    study: str
    route: str
    fingerprint: str
    metric: str
    direction: str
    trials: int
    jobs: int
    max_epochs: int | None
    process: int
    log_version: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialProposed:
    """A trial exists: its number and its assignment are decided.

    Attributes:
        trial: Its number; trials are numbered from 0 without gaps.
        assignment: Parameter path -> value.
        origin: Where the assignment comes from.
        replicate_of: Number of the trial that it repeats; None for a trial of the search.
        seed: The trainer's seed of a replicate.
    """

    kind: ClassVar[str] = "trial_proposed"
    trial: int
    assignment: Mapping[str, Scalar]
    origin: Origin
    replicate_of: int | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStarted:
    """An attempt of a trial starts.

    Attributes:
        trial: Its number.
        attempt: One-based.
        origin: Where the assignment comes from, as a sentence.
        assignment: Parameter path -> value.
        directory: Of the attempt, relative to the study directory.
        start: What `attempt.json` holds: checkpoint, first epoch, earlier attempts, changes.
        gpus: Devices that the driver gives it; empty where Ray does.
    """

    kind: ClassVar[str] = "trial_started"
    trial: int
    attempt: int
    origin: str
    assignment: Mapping[str, Scalar]
    directory: str
    start: Mapping[str, Any] = field(default_factory=dict)
    gpus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A trainer reported something.

    Attributes:
        trial: The trial's number.
        epoch: Zero-based; None for reports outside epochs.
        step: Optimiser steps done so far, where given.
        max_epochs: Epochs that the trainer intends to run, where given.
        values: Metric name -> finite value.
        nonfinite: Metric name -> ``nan``, ``inf`` or ``-inf``.
        unix_time_s: When it was read.
    """

    kind: ClassVar[str] = "measured"
    trial: int
    epoch: int | None
    step: int | None
    max_epochs: int | None
    values: Mapping[str, float]
    nonfinite: Mapping[str, str] = field(default_factory=dict)
    unix_time_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """Something of what a trainer wrote was refused or left out; each text is there once for a trial.

    Attributes:
        trial: The trial's number.
        text: What and why, as a sentence.
    """

    kind: ClassVar[str] = "noticed"
    trial: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopDecided:
    """A trial is to be stopped or paused; its end follows.

    Attributes:
        trial: Its number.
        cause: Why.
    """

    kind: ClassVar[str] = "stop_decided"
    trial: int
    cause: StopCause


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRetried:
    """The attempt that ended last is followed by another one.

    Attributes:
        trial: Its number.
        change: What the next attempt does differently; see `automl.trial.attempts.Change`.
        failure: Why the last attempt failed: a failure kind.
        reason: The same, as a sentence.
        elapsed_s: Seconds that the trial's attempts took.
    """

    kind: ClassVar[str] = "trial_retried"
    trial: int
    change: Mapping[str, Any]
    failure: str
    reason: str
    elapsed_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPromoted:
    """A paused trial continues from its checkpoint.

    Attributes:
        trial: Its number.
    """

    kind: ClassVar[str] = "trial_promoted"
    trial: int


@dataclass(frozen=True, slots=True)
class TrialEnded:
    """An attempt ended and nothing follows now: the trial is final, paused or interrupted.

    Attributes:
        result: How it ended. In JSON its fields are those of the event, with ``trial`` for its number.
    """

    kind: ClassVar[str] = "trial_ended"
    result: TrialResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ImprovementEstimated:
    """What the best further trial was expected to gain after a trial had ended.

    Attributes:
        value: Gain in the primary objective, >= 0; None where the sampler has no model.
    """

    kind: ClassVar[str] = "improvement_estimated"
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementEstimated:
    """How alike the earlier studies and this one were after a trial had ended.

    Attributes:
        trial: The trial's number.
        studies: Name of an earlier study -> correlation, pairs of trials, and those that it ranks as they came out;
            one that the values here contradict, and that is not used, is left out.
    """

    kind: ClassVar[str] = "agreement_estimated"
    trial: int
    studies: Mapping[str, Agreement]


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeGrown:
    """A range grows, because the best trials gather at an end of it that was derived.

    Attributes:
        path: The parameter.
        low: The lower end from now on.
        high: The upper end from now on.
        reason: Why, as a sentence.
    """

    kind: ClassVar[str] = "range_grown"
    path: str
    low: float
    high: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDecided:
    """No further trial is started.

    Attributes:
        end: Why.
        is_search: Only the search is over; replicates of the best trials follow.
    """

    kind: ClassVar[str] = "end_decided"
    end: EndReason
    is_search: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyEnded:
    """The study is over.

    Attributes:
        trials: Trials of which a result is known.
        best_trial: Number of the best one; None without a usable value.
        best_value: Its primary objective.
        reason: Why no further trial was started, as a sentence.
        is_failure: Errors ended it.
        may_go_on: A resume continues it all the same.
        end: Why; None in logs of version 1.
    """

    kind: ClassVar[str] = "study_ended"
    trials: int
    best_trial: int | None
    best_value: float | None
    reason: str = ""
    is_failure: bool = False
    may_go_on: bool = False
    end: EndReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySuspended:
    """The study is cut off; a resume continues it.

    Attributes:
        reason: Why, as a sentence.
        end: Why; None in logs of version 1.
    """

    kind: ClassVar[str] = "study_suspended"
    reason: str = ""
    end: EndReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionEnded:
    """An action of the skill on a checkpoint ended: evaluate, infer, export, quantize.

    Attributes:
        key: ``evaluate-1``.
        result: Its ``result.json``.
    """

    kind: ClassVar[str] = "action_ended"
    key: str
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """The starting checkpoint and the best one were evaluated by themselves.

    Attributes:
        evaluations: ``evaluations.json``: role -> evaluation.
    """

    kind: ClassVar[str] = "evaluated"
    evaluations: Mapping[str, Evaluation]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRegistered:
    """The best checkpoint is to be a version of the study's registered model.

    Attributes:
        request: ``name`` of the model; ``files``: name inside the model folder -> file, relative to the study directory
            or absolute; ``sha256``: such a file -> its hash; ``tags`` of the version; ``loader``: importable module
            with MLflow's ``_load_pyfunc(path)``, None where the files are recorded as they are; ``metadata`` of the
            model; ``later_tags``: of the version too, but no part of its identity: a value that is measured again
            replaces them.
    """

    kind: ClassVar[str] = "model_registered"
    request: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver:
    """What follows the end of the study is done: its last event. Only the record may still be on its way.

    Attributes:
        sha256: Of the best checkpoint; None where none could be handed over.
    """

    kind: ClassVar[str] = "handed_over"
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAttached:
    """A file of the study belongs to its record.

    Attributes:
        run: ``study``, a trial's ``0007`` or an action's key.
        path: Relative to the study directory.
        folder: Folder inside the run's artifacts.
    """

    kind: ClassVar[str] = "file_attached"
    run: str
    path: str
    folder: str = ""


Event: TypeAlias = (
    StudyStarted
    | TrialProposed
    | TrialStarted
    | Measured
    | Noticed
    | StopDecided
    | TrialRetried
    | TrialPromoted
    | TrialEnded
    | ImprovementEstimated
    | AgreementEstimated
    | RangeGrown
    | EndDecided
    | StudyEnded
    | StudySuspended
    | ActionEnded
    | Evaluated
    | ModelRegistered
    | FileAttached
    | HandedOver
)
