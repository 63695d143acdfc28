"""What a checkpoint scored when it was evaluated by itself, and where MLflow has a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from automl.study.model import Direction


class ActionStatus(StrEnum):
    """How an action on a checkpoint ended."""

    MEASURED = "measured"
    """It ended well and reported values."""
    DONE = "done"
    """It ended well; its product is its files."""
    UNAVAILABLE = "unavailable"
    """It was not started; the reason says what is missing."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """The difference of an evaluated value from a reference.

    Attributes:
        reference: The value it is compared with.
        difference: Value minus reference.
        is_better: The value is strictly better.
    """

    reference: float
    difference: float
    is_better: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One evaluation of a checkpoint; `evaluations.json` maps roles to them.

    Roles are ``baseline``, ``champion`` and, on the user's test data, ``baseline_test`` and ``champion_test``.

    Attributes:
        status: How the action ended.
        reason: For unavailable and failed.
        metric: The primary objective.
        direction: Of the metric.
        data: ``validation``, ``test data of the spec``, or the path of the user's test data.
        value: What was measured; None where nothing was.
        checkpoint: Relative to the study directory; absolute for a file from outside.
        sha256: Of the checkpoint.
        action: Key of the action; None where it was not started.
        elapsed_s: Seconds it took.
        deltas: ``trial``, ``baseline`` -> the difference from it, where both are known.
        is_reproduced: The value is the one that the trial reported; None where it is not comparable.
    """

    status: ActionStatus
    reason: str = ""
    metric: str = ""
    direction: Direction = Direction.MAXIMIZE
    data: str = "validation"
    value: float | None = None
    checkpoint: str | None = None
    sha256: str | None = None
    action: str | None = None
    elapsed_s: float = 0.0
    deltas: Mapping[str, Delta] = field(default_factory=dict)
    is_reproduced: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLocation:
    """Where MLflow has a study: `record.json`.

    Attributes:
        tracking_uri: Without a password.
        experiment: Name of the experiment.
        run_id: The study's run; None until the server has made it.
    """

    tracking_uri: str
    experiment: str
    run_id: str | None = None
