"""What a checkpoint scored when it was evaluated by itself, and where MLflow has a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from automl.study.objectives import Direction


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
    """The difference of an evaluated value from a reference: value minus reference; ``is_better`` is strict."""

    reference: float
    difference: float
    is_better: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One evaluation of a checkpoint; `evaluations.json` maps roles to them.

    Roles are ``baseline``, ``champion`` and, on the user's test data, ``baseline_test`` and ``champion_test``.

    Attributes:
        reason: For unavailable and failed.
        metric: The primary objective.
        data: ``validation``, ``test data of the spec``, or the path of the user's test data.
        value: What was measured; None where nothing was.
        checkpoint: Relative to the study directory; absolute for a file from outside.
        action: Key of the action; None where it was not started.
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
    """Where MLflow has a study: `record.json`; the URI is without a password, the run None until the server made it."""

    tracking_uri: str
    experiment: str
    run_id: str | None = None
