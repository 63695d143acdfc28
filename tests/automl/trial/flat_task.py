"""A task from its fields by name, whatever part of it each belongs to, and the history of one that began."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from automl.architectures.load import load_architecture
from automl.study.causes import Origin, OriginKind
from automl.study.objectives import Direction, Objective
from automl.study.trial import Proposal
from automl.trial.attempts import Start
from automl.trial.history import TrialHistory
from automl.trial.task import TrialCommand, TrialLimits, TrialTask
from automl.trial.watch import TrialWatch

if TYPE_CHECKING:
    from pathlib import Path


def flat_task(*, study_directory: Path, directory: Path, **fields: Any) -> TrialTask:  # noqa: ANN401 # fields by name
    """Return a task; fields that are not given have their defaults."""
    known = {
        "number": 0,
        "assignment": {},
        "origin": Origin(OriginKind.TEMPLATE),
        "template": "",
        "spec": {},
        "tag": "t",
    }
    given = {**known, **fields}
    given.setdefault("objective", Objective(metric="val/d1", direction=Direction.MAXIMIZE))

    def part(kind: type[Any]) -> Any:  # noqa: ANN401 # one of the parts
        names = {field.name for field in dataclasses.fields(kind)}
        return kind(**{name: given.pop(name) for name in list(given) if name in names})

    proposal, start, command, watch, limits = map(part, (Proposal, Start, TrialCommand, TrialWatch, TrialLimits))
    evaluate_with = given.pop("evaluate_with", None)
    assert not given, f"unknown fields {sorted(given)}"
    return TrialTask(
        proposal=proposal,
        start=start,
        study_directory=study_directory,
        directory=directory,
        command=command,
        watch=watch,
        limits=limits,
        evaluate_with=evaluate_with,
    )


def empty_history(
    direction: Direction = Direction.MAXIMIZE,
    *,
    objective: str = "val/d1",
    explosion: bool = True,
    max_epochs: int | None = None,
) -> TrialHistory:
    """Return the history of a trial that has measured nothing yet."""
    return TrialHistory(
        TrialWatch(
            objective=Objective(metric=objective, direction=direction),
            naming=load_architecture("depth_net_mono").checkpoints,
            explosion=explosion,
            max_epochs=max_epochs,
        )
    )
