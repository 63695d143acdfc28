"""A finished study on disk: plan, results, events and trial files, as a run leaves them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl.storage.documents import write_document
from automl.storage.paths import StudyPaths
from tests.automl.tracking.synthetic import RESULTS, plan_of, tell

if TYPE_CHECKING:
    from pathlib import Path

    from automl.study.trial import TrialResult


def write_study(root: Path, results: tuple[TrialResult, ...] = RESULTS, **changes: Any) -> StudyPaths:  # noqa: ANN401 # fields of plan.json
    directory = StudyPaths(root)
    tell(directory, results=results)
    write_document(directory.plan_file, plan_of(root, **changes))
    return directory
