"""Train as little of trial 0 as the skill allows, end to end, before a study spends anything.

It runs like every trial, with the same launcher, placement and evaluation, in a folder of its own that is no study. A
skill whose spec has a dry run trains one step; any other trains one epoch.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError, StudyFailedError
from automl.executor.failure_summary import summarize_failure
from automl.regular_file import followed
from automl.request.location import make_private
from automl.request.policy import Route
from automl.resolve import chosen_scheduler
from automl.samplers.registry import make_searcher
from automl.space.search_space import SearchSpace
from automl.storage.deletion import delete
from automl.storage.paths import AttemptPaths
from automl.study.model import Budget, StudyLocation
from automl.study.plan import epoch_key
from automl.study.trial import FailureKind, TrialState

if TYPE_CHECKING:
    from automl.request.location import RunLocation
    from automl.skill.model import JsonValue
    from automl.study.model import StudyPlan
    from automl.study.trial import TrialResult

logger = logging.getLogger(__name__)

_KEPT_OPTIONS = ("silence_limit_s", "trial_time_limit_s")
_USER_ERRORS = (FailureKind.DATA, FailureKind.SPEC, FailureKind.IMAGE, FailureKind.CREDENTIAL)


def smoke_plan(plan: StudyPlan) -> StudyPlan:
    """Return the plan of the shortest training of trial 0: one trial, one epoch, one step where the skill has a key."""
    values: dict[str, JsonValue] = dict(plan.first_trials[0]) if plan.first_trials else {}
    key = epoch_key(plan.skill, plan.spec)
    values |= {} if key is None else {key: 1}
    keys = plan.skill.keys
    values |= {path: 1 for path in (*keys.checkpoint_interval, *keys.validation_interval) if plan.spec.has(path)}
    dry_run = plan.spec.first_of(keys.dry_run)
    values |= {} if dry_run is None else {dry_run: True}
    return dataclasses.replace(
        plan,
        name=f"{plan.name}-smoke",
        route=Route.TRAIN_ONCE,
        spec=plan.spec.with_values(values, origin="smoke"),
        space=SearchSpace(parameters=(), fixed={}),
        budget=Budget(trials=1),
        resources=dataclasses.replace(plan.resources, jobs=1),
        sampler="auto",
        scheduler="none",
        objective_per=None,
        replicates=0,
        race=False,
        max_epochs=1 if key is not None else plan.max_epochs,
        first_trials=(MappingProxyType({}),),
        first_origins=(),
        options={name: plan.options[name] for name in _KEPT_OPTIONS if name in plan.options},
    )


def has_dry_run(plan: StudyPlan) -> bool:
    """Tell whether the spec has a key that makes the trainer stop after one step."""
    return plan.spec.first_of(plan.skill.keys.dry_run) is not None


def smoke_test(plan: StudyPlan, place: RunLocation) -> TrialResult:
    """Train the least of trial 0; its folder stays only where it fails.

    Raises:
        ConfigurationError: it fails for a reason in data, spec, image or credentials.
        StudyFailedError: it fails for another reason, or diverges at once.
        LaunchError: Ray does not start.
        InterruptedStudyError: a signal ended it.
    """
    from automl.executor.ray.study import execute_study  # noqa: PLC0415 - ray

    short = smoke_plan(plan)
    make_private(place.results)
    folder = Path(tempfile.mkdtemp(prefix=f"{short.name}-", dir=place.results))
    location = StudyLocation(directory=folder, tracking_uri="", ray_address=place.ray_address)
    (trial,) = execute_study(short, location, searcher=make_searcher(short), scheduler=chosen_scheduler(short)).trials
    _check(trial, folder, is_dry=has_dry_run(plan))
    with contextlib.suppress(OSError):
        delete(folder, inside=followed(place.results))
    return trial


def _check(trial: TrialResult, folder: Path, *, is_dry: bool) -> None:
    if trial.state is TrialState.COMPLETED:
        return
    if is_dry and trial.failure is FailureKind.METRIC_MISSING and trial.exit_status == 0:
        logger.warning("smoke: one step of trial 0 works; %s, as some trainers do in a dry run", trial.reason)
        return
    cause = f"{trial.state.value.lower()}: {trial.reason}"
    if trial.failure in _USER_ERRORS:
        log = AttemptPaths(folder / trial.directory).log_file
        expected = "one step of trial 0 that trains"
        raise ConfigurationError.single("this run", where="--smoke", found=cause, expected=expected, fix=f"read {log}")
    raise StudyFailedError(
        f"the smoke test of trial 0 failed, no study was started\n{summarize_failure([trial], folder)}"
    )
