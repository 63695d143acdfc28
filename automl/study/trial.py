"""The states of a trial, what it measured, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from automl.space.values import Scalar
from automl.study.causes import Origin
from automl.study.ends import StopCause


class TrialState(StrEnum):
    """Where a trial is in its life."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    STOPPED = "STOPPED"
    """Ended early by the stopping rule, the budget or the user; its best value counts."""
    DIVERGED = "DIVERGED"
    """Its training loss or its objective was not finite (or exploded)."""
    FAILED = "FAILED"
    INTERRUPTED = "INTERRUPTED"
    """Its study was interrupted; a resume continues it."""

    @property
    def is_final(self) -> bool:
        """Tell whether the trial will not run again."""
        return self not in _OPEN

    @property
    def has_value(self) -> bool:
        """Tell whether an objective of this trial may compete."""
        return self in _WITH_VALUE


_OPEN = frozenset({TrialState.PENDING, TrialState.RUNNING, TrialState.INTERRUPTED})
_WITH_VALUE = frozenset({TrialState.COMPLETED, TrialState.STOPPED})


class FailureKind(StrEnum):
    """Why a trial failed."""

    OUT_OF_MEMORY = "out_of_memory"
    DATA = "data"
    SPEC = "spec"
    IMAGE = "image"
    CREDENTIAL = "credential"
    INFRASTRUCTURE = "infrastructure"
    TRAINER = "trainer"
    METRIC_MISSING = "metric_missing"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An assignment to try.

    Attributes:
        number: The trial's number; proposals are numbered from 0 without gaps.
        assignment: Valid in the space, inactive parameters absent.
        replicate_of: Number of the trial that it repeats with another seed; None for a trial of the search.
        seed: The trainer's seed of a replicate.
    """

    number: int
    assignment: Mapping[str, Scalar]
    origin: Origin
    replicate_of: int | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierPoint:
    """A good assignment of an earlier study, as it was run there, with study, trial and value as its origin."""

    assignment: Mapping[str, Scalar]
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What a trainer reported at one moment.

    Attributes:
        epoch: Zero-based epoch it belongs to; None for reports outside epochs.
        step: Optimiser steps done so far, where given.
        values: Metric name -> finite value.
        nonfinite: Metric name -> ``nan``, ``inf`` or ``-inf``. Never handed on as numbers.
        max_epochs: Number of epochs the trainer intends to run, where given.
        message: The trainer's own words, e.g. of a failure line.
        is_failure: The trainer reports that it failed (proves nothing by itself).
        failure_code: The machine-readable code of a failure line, ``data`` for example; empty where there is none.
        unix_time_s: When it was read.
        notice: What was refused or left out of what the trainer wrote, as a sentence; empty for nothing.
    """

    epoch: int | None = None
    step: int | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    nonfinite: Mapping[str, str] = field(default_factory=dict)
    max_epochs: int | None = None
    message: str = ""
    is_failure: bool = False
    failure_code: str = ""
    unix_time_s: float = 0.0
    notice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """How one trial ended (or stands, while it runs).

    Attributes:
        number: Zero-based number in its study.
        state: Its state.
        reason: Why it ended so, in words; for DIVERGED the epoch and the metric.
        failure: The kind of failure, for FAILED only.
        assignment: Parameter path -> value.
        values: Metric name -> value at the best epoch of the primary objective; finite, empty if there is none. Of a
            trial that runs, the latest values.
        best_epoch: Zero-based epoch of the best value; None if there is none.
        epochs: Epochs measured.
        curve: (epoch, primary objective), in order of epochs; finite values only.
        elapsed_s: Seconds from launch to end, all attempts.
        directory: Trial directory, relative to the study directory: ``trials/0007``.
        checkpoint: File or folder of the best epoch, relative to the study directory; None if none was found.
        sha256: Of the checkpoint file; None where unknown.
        attempt: One-based attempt that gave this result.
        exit_status: Of the trainer; negative for a signal; None if it never ended by itself.
        log_tail: Last lines of the log, for failures.
        parent: Number of the trial whose checkpoint it started from; None for its own start.
        replicate_of: Number of the trial that it repeats with another seed; None for a trial of the search.
        seed: The trainer's seed of a replicate.
        changes: Parameter path -> value that the attempt used in place of the planned one, because memory ran out.
        gpus: Devices it was given, as CUDA_VISIBLE_DEVICES entries; empty for none, or for several nodes.
        cause: Why it was stopped; None for a trial that ended by itself, diverged or failed.
        origin: Where its assignment comes from; None in the result of an earlier version.
        spec_sha256: Of the spec that its last attempt was started with; empty where unknown.
        files_behind_links: Its checkpoints that lie outside of the study, behind links that stood in it: real paths.
    """

    number: int
    state: TrialState
    assignment: Mapping[str, Scalar]
    directory: str
    reason: str = ""
    failure: FailureKind | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    best_epoch: int | None = None
    epochs: int = 0
    curve: tuple[tuple[int, float], ...] = ()
    elapsed_s: float = 0.0
    checkpoint: str | None = None
    sha256: str | None = None
    attempt: int = 1
    exit_status: int | None = None
    log_tail: tuple[str, ...] = ()
    parent: int | None = None
    replicate_of: int | None = None
    seed: int | None = None
    changes: Mapping[str, Scalar] = field(default_factory=dict)
    gpus: tuple[str, ...] = ()
    cause: StopCause | None = None
    origin: Origin | None = None
    spec_sha256: str = ""
    files_behind_links: tuple[str, ...] = ()

    @property
    def best_at(self) -> str:
        """The best epoch in words, ``epoch 8 of 8``: counted from 1, unlike `best_epoch`; empty without one."""
        return (
            "" if self.best_epoch is None else f"epoch {self.best_epoch + 1} of {max(self.epochs, self.best_epoch + 1)}"
        )
