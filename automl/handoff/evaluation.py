"""Evaluate the champion again, by itself, and compare with what its trial reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.handoff.actions import ActionStatus, run_action
from automl.handoff.champion import read_champion
from automl.study.directory import write_json

if TYPE_CHECKING:
    from pathlib import Path

    from automl.handoff.action_spec import ActionOptions
    from automl.handoff.actions import ActionResult
    from automl.launch.base import Launcher
    from automl.study.model import Direction

EVALUATION_FILE = "final_evaluation.json"

_TOLERANCE = 1e-3
"""Relative difference up to which a value counts as the same: other batch sizes and devices add in another order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The champion, evaluated again.

    Attributes:
        status: Of the evaluate action; MEASURED only if it reported the objective.
        reason: Why there is no value.
        metric_name: The objective.
        direction: Whether more or less of it is better.
        in_study: What the trial reported.
        value: What the evaluation reported; None if it did not.
        difference: ``value - in_study``.
        is_reproduced: Whether the two agree; None on other data than the study's, or without a value.
    """

    status: ActionStatus
    metric_name: str
    direction: Direction
    in_study: float
    reason: str = ""
    value: float | None = None
    difference: float | None = None
    is_reproduced: bool | None = None


def evaluate_champion(
    root: Path, launcher: Launcher, options: ActionOptions | None = None
) -> tuple[Evaluation, ActionResult]:
    """Run the skill's evaluate action on the champion; write `final_evaluation.json`.

    Without data in the options the validation data of the study is used, and the value must come out again.

    Raises:
        ConfigurationError: the study has no champion, or the options do not fit the action.
    """
    champion = read_champion(root)
    result = run_action(root, "evaluate", launcher, options)
    value = result.values.get(champion.metric_name)
    status, reason = result.status, result.reason
    if value is None and status in {ActionStatus.MEASURED, ActionStatus.DONE}:
        status, reason = ActionStatus.UNAVAILABLE, f"the evaluation does not report {champion.metric_name}"
    is_same_data = options is None or not (options.data or options.overrides)
    difference = None if value is None else value - champion.value
    evaluation = Evaluation(
        status=status,
        reason=reason,
        metric_name=champion.metric_name,
        direction=champion.direction,
        in_study=champion.value,
        value=value,
        difference=difference,
        is_reproduced=_agrees(difference, champion.value) if is_same_data else None,
    )
    write_json(
        root / EVALUATION_FILE,
        {name: getattr(evaluation, name) for name in Evaluation.__dataclass_fields__} | {"action": result.key},
    )
    return evaluation, result


def _agrees(difference: float | None, reference: float) -> bool | None:
    return None if difference is None else abs(difference) <= _TOLERANCE * max(abs(reference), _TOLERANCE)
