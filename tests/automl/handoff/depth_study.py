"""A finished depth study on disk whose checkpoints are not real: enough for everything up to the launch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl.resources import builtin_skill
from automl.spec.model import Spec
from automl.storage.documents import write_document, write_text
from automl.storage.paths import StudyPaths
from automl.study.trial import TrialResult, TrialState
from tests.automl.storage.recorded import write_result
from tests.automl.tracking.synthetic import plan_of

if TYPE_CHECKING:
    from pathlib import Path

    from automl.skill.model import JsonValue

VALIDATION: dict[str, JsonValue] = {
    "data_sources": [{"dataset_name": "NYUDV2", "data_file": "val.txt"}],
    "batch_size": 4,
    "augmentation": {"crop_size": [70, 98], "input_mean": [0.5, 0.5, 0.5], "input_std": [0.2, 0.2, 0.2]},
}
SPEC: dict[str, JsonValue] = {
    "dataset": {"min_depth": 0.1, "max_depth": 5.0, "normalize_depth": False, "val_dataset": VALIDATION},
    "model": {"model_type": "MetricDepthAnything", "encoder": "vit_tiny"},
    "train": {"num_epochs": 2, "optim": {"lr": 1e-4}},
}
CHECKPOINTS = ("model_epoch_000_step_00003.pth", "model_epoch_001_step_00006.pth")


def write_depth_study(
    root: Path,
    *,
    skill: str = "depth_net_mono",
    training: dict[str, JsonValue] = SPEC,
    **changes: Any,  # noqa: ANN401 # fields of plan.json
) -> StudyPaths:
    directory = StudyPaths(root)
    images = root / "val.txt"
    root.mkdir(parents=True, exist_ok=True)
    write_text(images, "a.png a.exr\n")
    spec = Spec(values=training).with_values(
        {"dataset.val_dataset.data_sources[0].data_file": str(images)}, origin="test"
    )
    plan = plan_of(root, spec=spec.values, **changes)
    plan["skill"] = {**plan["skill"], "name": skill, "root": str(builtin_skill(skill))}
    write_document(directory.plan_file, plan)
    folder = root / "trials/0000/train"
    folder.mkdir(parents=True)
    for name in CHECKPOINTS:
        (folder / name).write_bytes(name.encode())
    write_result(
        directory,
        TrialResult(
            number=0,
            state=TrialState.COMPLETED,
            assignment={"train.optim.lr": 0.01},
            directory="trials/0000",
            values={"val/d1": 0.5},
            best_epoch=1,
            epochs=2,
            curve=((0, 0.4), (1, 0.5)),
            checkpoint=f"trials/0000/train/{CHECKPOINTS[1]}",
        ),
    )
    return directory
