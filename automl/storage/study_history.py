"""What a study says to later ones, read from its directory."""

from __future__ import annotations

import hashlib
from pathlib import PurePath
from typing import TYPE_CHECKING

from automl.spec.model import iterate_leaves
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_study
from automl.study.completion import Completion
from automl.study.earlier import RecordedTrial, StudyHistory
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from pathlib import Path

    from automl.storage.plan_document import StoredPlan
    from automl.study.result import StudyResult

_OBSERVED = frozenset({TrialState.COMPLETED, TrialState.STOPPED, TrialState.DIVERGED})


def digest_of(command: str | None) -> str:
    """Return the SHA-256 of a command; empty for none."""
    return hashlib.sha256(command.encode()).hexdigest() if command else ""


def read_history(root: Path) -> StudyHistory:
    """Return the history of a study directory; raises as `read_study`."""
    plan, result = read_study(root)
    return history_of(plan, result, root.name, StudyPaths(root).plan_file.stat().st_mtime)


def history_of(plan: StoredPlan, result: StudyResult, name: str, started_s: float) -> StudyHistory:
    """Return the history of a study: plan, trials, name and Unix time of its start."""
    metric, trials = plan.objective.metric, result.trials
    expected = _expected_values(plan, result)
    recorded = (
        RecordedTrial(
            number=trial.number,
            state=trial.state,
            assignment=trial.assignment,
            value=trial.values.get(metric) if trial.state.has_value else None,
            expected=expected.get(trial.number),
            elapsed_s=trial.elapsed_s,
            replicate_of=trial.replicate_of,
            misses_constraint=trial.state.has_value and bool(result.unmet(trial)),
        )
        for trial in trials
        if trial.state in _OBSERVED and not trial.changes
    )
    return StudyHistory(
        name=name,
        fingerprint=plan.fingerprint,
        skill=plan.skill.name,
        network_arch=plan.skill.network_arch,
        skill_files=plan.skill.fingerprints,
        metric=metric,
        direction=plan.objective.direction,
        evaluated_with=digest_of(plan.evaluate_with),
        parameters=plan.space.parameters,
        fixed=dict(iterate_leaves(plan.spec)),
        max_epochs=plan.max_epochs,
        started_s=started_s,
        data=_name_of_data(plan.request.get("data")),
        is_ended=all(trial.state.is_final for trial in trials),
        trials=tuple(recorded),
    )


def _expected_values(plan: StoredPlan, result: StudyResult) -> dict[int, float]:
    """Return what the stopped trials would have reached, by their numbers."""
    metric, sign = plan.objective.metric, plan.objective.direction.sign
    known = {
        state: [(t, [(epoch, sign * at) for epoch, at in t.curve]) for t in result.trials if t.state is state]
        for state in (TrialState.COMPLETED, TrialState.STOPPED)
    }
    completed = ((curve, sign * t.values[metric]) for t, curve in known[TrialState.COMPLETED] if metric in t.values)
    completion = Completion(completed)
    stopped = ((t, curve) for t, curve in known[TrialState.STOPPED] if metric in t.values and curve)
    return {t.number: sign * completion.of(sign * t.values[metric], curve) for t, curve in stopped}


def _name_of_data(data: object) -> str:
    train = data.get("train") if isinstance(data, dict) else None
    return PurePath(train).stem if isinstance(train, str) else ""
