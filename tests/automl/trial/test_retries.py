from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from automl.architectures.load import load_architecture
from automl.spec.model import Spec
from automl.study.trial import FailureKind, TrialResult, TrialState
from automl.trial.attempts import CONTINUE, Start, change_after
from tests.automl.executor.toy_study import toy_plan

if TYPE_CHECKING:
    from automl.skill.model import JsonValue
    from automl.study.model import StudyPlan

BATCH = "dataset.train_dataset.batch_size"


def failed(kind: FailureKind, **assignment: int) -> TrialResult:
    return TrialResult(number=0, state=TrialState.FAILED, failure=kind, assignment=assignment, directory="trials/0000")


def depth_plan(root: Path, batch: int) -> StudyPlan:
    plan = toy_plan(root / "skill", trials=1)
    values: dict[str, JsonValue] = {
        "dataset": {"train_dataset": {"batch_size": batch}},
        "train": {"accumulate_grad_batches": 3},
    }
    return replace(
        plan, skill=replace(plan.skill, architecture=load_architecture("depth_net_mono")), spec=Spec(values=values)
    )


def test_what_the_infrastructure_cost_is_tried_three_times_in_all(tmp_path: Path) -> None:
    plan = toy_plan(tmp_path / "skill", trials=1)

    changes = [change_after(failed(FailureKind.INFRASTRUCTURE), Start(), losses, plan) for losses in range(4)]

    assert changes == [CONTINUE, CONTINUE, None, None]


def test_half_the_batch_and_twice_the_accumulation_follow_where_memory_ran_out(tmp_path: Path) -> None:
    result = replace(failed(FailureKind.OUT_OF_MEMORY), assignment={BATCH: 16})

    change = change_after(result, Start(), 0, depth_plan(tmp_path, 8))

    assert change is not None
    assert dict(change.changes) == {BATCH: 8, "train.accumulate_grad_batches": 6}
    assert "8 instead of 16" in change.remark
    assert change_after(result, Start(changes=change.changes), 0, depth_plan(tmp_path, 8)) is None


@pytest.mark.parametrize("batch", [1, 5])
def test_a_batch_that_has_no_half_is_tried_once_more_alone(tmp_path: Path, batch: int) -> None:
    plan = depth_plan(tmp_path, batch)

    change = change_after(failed(FailureKind.OUT_OF_MEMORY), Start(), 0, plan)

    assert change is not None
    assert change.is_alone
    assert change_after(failed(FailureKind.OUT_OF_MEMORY), Start(is_alone=True), 0, plan) is None


@pytest.mark.parametrize(
    "kind", sorted(set(FailureKind) - {FailureKind.INFRASTRUCTURE, FailureKind.OUT_OF_MEMORY}, key=str)
)
def test_no_other_failure_is_tried_again(tmp_path: Path, kind: FailureKind) -> None:
    assert change_after(failed(kind), Start(), 0, toy_plan(tmp_path / "skill", trials=1)) is None


def test_a_checkpoint_from_which_nothing_comes_is_given_up_once(tmp_path: Path) -> None:
    plan = toy_plan(tmp_path / "skill", trials=1)
    start = Start(attempt=2, checkpoint=Path("model.pth"), first_epoch=2, earlier=(Path("0000"),))
    stuck = replace(failed(FailureKind.SPEC), curve=((0, 0.1), (1, 0.2)))

    change = change_after(stuck, start, 0, plan)

    assert change is not None
    assert change.is_afresh
    assert change_after(replace(stuck, curve=(*stuck.curve, (2, 0.3))), start, 0, plan) is None
