"""Results of trials as a study records them: in its event log, and as documents."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from automl.storage import study_directory
from automl.storage.event_log import EventLog
from automl.storage.own_documents import token_of
from automl.storage.study_directory import read_state
from automl.study.causes import Origin, OriginKind
from automl.study.events import TrialEnded, TrialProposed, TrialStarted
from automl.study.state import Phase
from automl.study.trial import TrialState
from tests.automl.study.examples import study_started

if TYPE_CHECKING:
    from automl.storage.paths import StudyPaths
    from automl.study.trial import TrialResult


def write_result(paths: StudyPaths, result: TrialResult) -> None:
    """Record a trial that ended, or runs, with all that comes before it."""
    paths.root.mkdir(parents=True, exist_ok=True)
    log, state = EventLog(paths.events_file), read_state(paths)
    if state.started is None:
        started = study_started(trials=16, max_epochs=None)
        if paths.plan_file.is_file():
            fingerprint = json.loads(paths.plan_file.read_text(encoding="utf-8"))["fingerprint"]
            started = replace(started, fingerprint=fingerprint, token=token_of(paths))
        log.append(started)
    for number in range(len(state.trials), result.number + 1):
        assignment = result.assignment if number == result.number else {}
        origin = result.origin or Origin(OriginKind.TEMPLATE)
        log.append(
            TrialProposed(
                trial=number,
                assignment=assignment,
                origin=origin,
                replicate_of=result.replicate_of,
                seed=result.seed,
            )
        )
    known = dict(enumerate(state.trials)).get(result.number)
    if known is None or known.phase is not Phase.RUNNING:
        directory = paths.attempt(result.number, result.attempt).root
        log.append(
            TrialStarted(
                trial=result.number,
                attempt=result.attempt,
                origin=str(result.origin or ""),
                assignment=result.assignment,
                directory=paths.relative(directory),
                gpus=result.gpus,
            )
        )
    if result.state is not TrialState.RUNNING:
        log.append(TrialEnded(result))
        study_directory.write_result(paths, result)
    log.close()
