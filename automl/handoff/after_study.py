"""What happens when a study has a best trial: its checkpoint is kept, verified and registered."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from automl.errors import StudyFailedError
from automl.handoff.champion import crown_champion, model_version
from automl.study.directory import StudyDirectory
from automl.study.document import read_plan

if TYPE_CHECKING:
    from pathlib import Path

    from automl.handoff.champion import Champion
    from automl.track.mlflow_tracker import MlflowTracker

logger = logging.getLogger(__name__)


def hand_over(root: Path, record: MlflowTracker) -> Champion | None:
    """Keep, verify and register the best checkpoint; None, with a warning, where the trainer left none that fits.

    A study whose trainer writes no checkpoints is still a study: its best values stand.
    """
    try:
        champion = crown_champion(root)
    except StudyFailedError as error:
        logger.warning("no checkpoint is handed over: %s", error)
        return None
    record.register_model(model_version(champion, read_plan(StudyDirectory(root))))
    return champion
