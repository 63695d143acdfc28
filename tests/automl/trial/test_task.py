"""A task travels: it survives pickling, which read-only mapping views do not."""

from __future__ import annotations

import pickle
from pathlib import Path

from automl.architectures.load import load_architecture
from tests.automl.trial.flat_task import flat_task


def test_a_task_with_its_defaults_can_be_sent_to_another_process() -> None:
    task = flat_task(
        number=0,
        assignment={"lr": 0.1},
        study_directory=Path("/s"),
        directory=Path("/s/trials/0000"),
        template="trainer -e {config_path}",
        spec={"lr": 0.1},
        tag="t/0000/1",
        naming=load_architecture("toy").checkpoints,
    )

    assert pickle.loads(pickle.dumps(task)) == task  # noqa: S301 # our own bytes
