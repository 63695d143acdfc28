"""What an earlier study measured, as a study that begins keeps it in its plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from automl.space.values import Scalar
from automl.study.trial import TrialState


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierTrial:
    """One trial of an earlier study.

    Attributes:
        assignment: In the parameters of the study that begins; one that was not searched there has its value there.
        value: Of the objective, as measured; None where it diverged.
        state: COMPLETED, STOPPED or DIVERGED.
    """

    assignment: Mapping[str, Scalar]
    value: float | None
    state: TrialState


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierStudy:
    """An earlier study of the same skill and objective.

    Attributes:
        name: Of the study.
        data: Name of its data, where it is known.
        trials: Those that say something about an assignment, in order of their numbers.
    """

    name: str
    trials: tuple[EarlierTrial, ...]
    data: str = ""
