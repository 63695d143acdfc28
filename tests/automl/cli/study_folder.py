"""A study directory as a run leaves it, written without running anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.storage.documents import write_document
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import plan_document
from automl.study.trial import FailureKind, TrialResult, TrialState
from tests.automl.storage.recorded import write_result
from tests.automl.study.examples import make_plan, study_started

if TYPE_CHECKING:
    from pathlib import Path

TRIALS = (
    TrialResult(
        number=0,
        state=TrialState.COMPLETED,
        assignment={"train.lr": 0.01},
        values={"val/d1": 0.6, "val/d1_constant": 0.3},
        best_epoch=3,
        epochs=5,
        elapsed_s=12.0,
        directory="trials/0000",
        checkpoint="trials/0000/train/a.pth",
        sha256="aa",
    ),
    TrialResult(
        number=1,
        state=TrialState.DIVERGED,
        reason="train_loss is nan in epoch 0",
        assignment={"train.lr": 0.9},
        elapsed_s=1.0,
        directory="trials/0001",
    ),
    TrialResult(
        number=2,
        state=TrialState.COMPLETED,
        assignment={"train.lr": 0.05},
        values={"val/d1": 0.7, "val/d1_constant": 0.3},
        best_epoch=4,
        epochs=5,
        elapsed_s=13.0,
        directory="trials/0002",
        checkpoint="trials/0002/train/b.pth",
        sha256="bb",
    ),
    TrialResult(
        number=3,
        state=TrialState.FAILED,
        failure=FailureKind.OUT_OF_MEMORY,
        reason="out of GPU memory",
        assignment={"train.lr": 0.02},
        elapsed_s=2.0,
        directory="trials/0003",
    ),
)


def write_study(root: Path, trials: tuple[TrialResult, ...] = TRIALS) -> Path:
    directory = StudyPaths(root)
    root.mkdir(parents=True, exist_ok=True)
    for trial in trials:
        write_result(directory, trial)
    mlflow = {"tracking_uri": "sqlite:///x/mlflow.db", "experiment": "example", "run_id": None}
    plan = {**plan_document(make_plan()), "fingerprint": study_started().fingerprint, "mlflow": mlflow}
    write_document(directory.plan_file, plan)
    write_document(root / "record.json", {**mlflow, "run_id": "abc"})
    return root
