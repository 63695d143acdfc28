"""A small study as events: completed, stopped, diverged, failed and resumed trials, without any trainer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from automl.request.policy import Route
from automl.skill.model import Skill
from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace
from automl.spec.model import Spec
from automl.storage.documents import write_document
from automl.storage.study_directory import write_result
from automl.study.causes import Origin, OriginKind
from automl.study.model import Budget, Resources, StudyPlan
from automl.study.objectives import Direction, Objective
from automl.study.result import StudyResult
from automl.study.trial import FailureKind, Measurement, Proposal, TrialResult, TrialState
from tests.automl.tracking.file_tracker import FileTracker

if TYPE_CHECKING:
    from pathlib import Path

    from automl.storage.paths import StudyPaths
    from automl.tracking.base import Tracker

OBJECTIVE = Objective(metric="val/d1", direction=Direction.MAXIMIZE)

RESULTS = (
    TrialResult(
        number=0,
        state=TrialState.COMPLETED,
        assignment={"train.optim.lr": 1e-3, "model.sizes[1]": 16},
        directory="trials/0000",
        values={"val/d1": 0.5, "val/i2t_R@1": 0.25, "val/d1_constant": 0.3},
        best_epoch=2,
        epochs=3,
        curve=((0, 0.3), (1, 0.4), (2, 0.5)),
        elapsed_s=12.0,
        checkpoint="trials/0000/train/model_epoch_002.pth",
    ),
    TrialResult(
        number=1,
        state=TrialState.STOPPED,
        reason="rung 1: 0.2 is below the best third, 0.3",
        assignment={"train.optim.lr": 1e-5, "model.sizes[1]": 8},
        directory="trials/0001",
        values={"val/d1": 0.2},
        best_epoch=0,
        epochs=1,
        curve=((0, 0.2),),
        elapsed_s=4.0,
    ),
    TrialResult(
        number=2,
        state=TrialState.DIVERGED,
        reason="train_loss is nan at epoch 1",
        assignment={"train.optim.lr": 1.0, "model.sizes[1]": 16},
        directory="trials/0002",
        epochs=1,
        curve=((0, 0.1),),
        elapsed_s=5.0,
    ),
    TrialResult(
        number=3,
        state=TrialState.FAILED,
        failure=FailureKind.OUT_OF_MEMORY,
        reason="out of GPU memory",
        assignment={"train.optim.lr": 1e-2, "model.sizes[1]": 64},
        directory="trials/0003",
        elapsed_s=1.0,
        exit_status=1,
        log_tail=("RuntimeError: CUDA out of memory",),
    ),
    TrialResult(
        number=4,
        state=TrialState.COMPLETED,
        assignment={"train.optim.lr": 5e-3, "model.sizes[1]": 32},
        directory="trials/0004.2",
        values={"val/d1": 0.7},
        best_epoch=1,
        epochs=3,
        curve=((0, 0.6), (1, 0.7), (2, 0.65)),
        elapsed_s=13.0,
        attempt=2,
        checkpoint="trials/0004.2/train/model_epoch_001.pth",
    ),
)


def make_plan(root: Path, name: str = "demo") -> StudyPlan:
    skill = Skill(
        name="depth_net_mono",
        root=root,
        network_arch="depth_net_mono",
        automl_enabled=True,
        actions={},
        templates={},
        schemas={},
        fingerprints={"skill_info.yaml": "ab" * 32},
    )
    space = SearchSpace(
        fixed={},
        parameters=(
            Parameter(path="train.optim.lr", type=ParameterType.FLOAT, low=1e-6, high=1.0, log=True, default=1e-3),
            Parameter(path="model.sizes[1]", type=ParameterType.INT, low=8, high=64, default=16),
        ),
    )
    return StudyPlan(
        name=name,
        route=Route.TUNE,
        reasons=("the skill is AutoML-enabled",),
        skill=skill,
        action="train",
        spec=Spec(values={"train": {"num_epochs": 3, "optim": {"lr": 1e-3}}, "model": {"sizes": [8, 16]}}),
        space=space,
        objectives=(OBJECTIVE,),
        budget=Budget(trials=len(RESULTS)),
        resources=Resources(jobs=2),
        sampler="gp",
        scheduler="asha",
        seed=7,
        max_epochs=3,
        first_trials=({},),
        fingerprint="f" * 64,
    )


def write_trial_files(directory: StudyPaths, result: TrialResult) -> None:
    folder = directory.attempt(result.number, result.attempt).root
    (folder / "panels").mkdir(parents=True, exist_ok=True)
    (folder / "spec.yaml").write_text(f"train: {{optim: {{lr: {result.assignment['train.optim.lr']}}}}}\n")
    (folder / "train.log").write_text(f"log of trial {result.number}\n")
    (folder / "panels" / "image_0.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    if result.checkpoint is not None:
        file = directory.root / result.checkpoint
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(f"weights of trial {result.number}".encode())


def plan_of(root: Path, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 # fields of plan.json
    plan = make_plan(root, root.name)
    parameters = [
        {
            "path": p.path,
            "type": p.type.value,
            "low": p.low,
            "high": p.high,
            "log": p.log,
            "choices": list(p.choices) or None,
            "default": p.default,
        }
        for p in plan.space.parameters
    ]
    return {
        "name": plan.name,
        "route": plan.route.value,
        "reasons": list(plan.reasons),
        "skill": {
            "name": "depth_net_mono",
            "network_arch": "depth_net_mono",
            "root": str(root),
            "fingerprints": dict(plan.skill.fingerprints),
        },
        "objective": {"metric": OBJECTIVE.metric, "direction": OBJECTIVE.direction.value},
        "sampler": plan.sampler,
        "scheduler": plan.scheduler,
        "seed": plan.seed,
        "max_epochs": plan.max_epochs,
        "budget": {"trials": plan.budget.trials},
        "resources": {"jobs": plan.resources.jobs},
        "space": {"parameters": parameters},
        "spec": plan.spec.values,
        "fingerprint": plan.fingerprint,
        "mlflow": {"tracking_uri": "sqlite:///unused.db", "experiment": plan.name, "run_id": None},
        **changes,
    }


def tell(directory: StudyPaths, *trackers: Tracker, results: tuple[TrialResult, ...] = RESULTS) -> None:
    """Write the log of a whole study and give it to trackers; trial 4 is interrupted once and tried again."""
    directory.root.mkdir(parents=True, exist_ok=True)
    write_document(directory.plan_file, plan_of(directory.root))
    files = FileTracker(directory, trackers)
    files.study_started(make_plan(directory.root, directory.root.name), directory.root)
    for result in results:
        write_trial_files(directory, result)
        proposal = Proposal(number=result.number, assignment=result.assignment, origin=Origin(OriginKind.SOBOL))
        for attempt in range(1, result.attempt + 1):
            files.trial_started(proposal, directory.attempt(result.number, attempt).root, attempt)
            tell_curve(files, result)
            if attempt < result.attempt:
                files.trial_ended(replace(result, state=TrialState.INTERRUPTED, attempt=attempt, values={}))
        files.trial_ended(result)
        write_result(directory, result)
    files.study_ended(StudyResult(objective=OBJECTIVE, trials=results))
    files.close()


def tell_curve(files: FileTracker, result: TrialResult) -> None:
    for epoch, value in result.curve:
        values = {"val/d1": value, "train_loss": 1 / (1 + epoch), "val/i2t_R@1": value / 2}
        files.measured(result.number, Measurement(epoch=epoch, values=values, unix_time_s=1_700_000_000.0 + epoch))
    if result.state is TrialState.DIVERGED:
        files.measured(result.number, Measurement(epoch=1, nonfinite={"train_loss": "nan"}))
