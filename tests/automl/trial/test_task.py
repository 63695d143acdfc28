"""A task travels: it survives pickling, which read-only mapping views do not."""

from __future__ import annotations

import pickle
from pathlib import Path

from automl.architectures.load import load_architecture
from automl.study.model import Direction
from automl.trial.task import TrialTask


def test_a_task_with_its_defaults_can_be_sent_to_another_process() -> None:
    task = TrialTask(
        number=0,
        assignment={"lr": 0.1},
        study_directory=Path("/s"),
        directory=Path("/s/trials/0000"),
        command="trainer -e {config_path}",
        spec={"lr": 0.1},
        objective_metric="val/d1",
        direction=Direction.MAXIMIZE,
        tag="t/0000/1",
        naming=load_architecture("toy").checkpoints,
    )

    assert pickle.loads(pickle.dumps(task)) == task  # noqa: S301 # our own bytes
