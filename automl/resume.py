"""Continue an interrupted study: with the same plan, or an error that shows the difference."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from typing import TYPE_CHECKING

from automl.errors import LaunchError, NothingToRunError, Problem, ResumeMismatchError
from automl.executor.decide import missing_replicates
from automl.handoff.hand_over import missing_parts
from automl.handoff.integrity import require_sound
from automl.plugins import check_installed
from automl.program.sources import GONE
from automl.request.location import RunLocation
from automl.request.study_request import request_from_document
from automl.run import alone, make_plan, run_in
from automl.skill.program import COMMAND
from automl.space.document import planned_space
from automl.storage.documents import to_json
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import plan_document, read_plan
from automl.storage.study_directory import read_study
from automl.study.ends import EndKind
from automl.study.events import StudyEnded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from automl.request.study_request import StudyRequest
    from automl.skill.model import Skill
    from automl.storage.plan_document import StoredPlan
    from automl.study.events import StudySuspended
    from automl.study.model import StudyPlan
    from automl.tracking.base import Tracker

logger = logging.getLogger(__name__)

ACCEPT_CHANGED_CODE = "--accept-changed-code, in Python accepts_changed_code=True"

_COMPARED = (
    *("route", "objective", "objectives", "constraints", "evaluate_with"),
    *("sampler", "scheduler", "seed", "max_epochs", "options", "spec", "space"),
)
_SEARCHED = (
    *("path", "type", "low", "high", "log", "log_to_one", "step", "choices", "beside", "default", "condition"),
)
_LIMITS = {EndKind.TIME: "time_s", EndKind.GPU_HOURS: "gpu_hours"}


@alone()
def resume_study(
    root: Path,
    *,
    trials: int | None = None,
    ray_address: str | None = None,
    extra_trackers: Sequence[Tracker] = (),
    accepts_changed_code: bool = False,
) -> Path:
    """Continue a study: trials that have ended are kept, unfinished ones continue, the rest follows.

    With ``trials`` the study gets a new number of them; a limit of time or GPU hours that ended it counts no more.
    With ``accepts_changed_code`` files of the user's own program may differ; a notice of the study says so.

    Raises:
        ConfigurationError: the folder is no study directory, a file of it is damaged, or the skill cannot be read.
        ResumeMismatchError: skill, template, schema or settings have changed; lists the changes.
        NothingToRunError: every trial has ended, and nothing of what follows is missing.
        LaunchError: nothing of what is missing could be done, or another study runs in this process; or see `run_in`.
    """
    directory = StudyPaths(root)
    stored = read_plan(directory)
    state = require_sound(directory)
    request = _asked(stored, state.last, trials)
    uri = stored.mlflow.tracking_uri
    place = RunLocation(results=stored.results or root.parent, tracking_uri=uri, ray_address=ray_address)
    # It keeps its first points, whatever studies have ended since, and its launcher, whatever would be chosen now.
    check_installed(stored.plugins)
    launcher = stored.launch.plugin or stored.launch.launcher.value if stored.launch else request.launcher
    # A study without a race gets none, whatever is the default now.
    replicates = 0 if request.replicates is None and not stored.race else request.replicates
    plan = make_plan(request.with_settings(warm_start=(), launcher=launcher, replicates=replicates), place)
    skill = plan.skill
    if (changed := _changed_code(stored, skill)) and not accepts_changed_code:
        raise ResumeMismatchError(f"{root} was made by another program", changed)
    if skill.is_open:
        # Digests that a study of an earlier version lacks are no difference; of changes the trials take note.
        kept = {**stored.skill.fingerprints, COMMAND: skill.fingerprints[COMMAND]}
        skill = dataclasses.replace(skill, fingerprints=kept)
    is_same_skill = dict(skill.fingerprints) == dict(stored.skill.fingerprints)
    plan = dataclasses.replace(
        plan,
        skill=skill,
        # Of the same files another version may build other ranges: those of the study hold.
        space=planned_space(stored.space, plan.space) if is_same_skill else plan.space,
        name=stored.name,
        experiment=stored.mlflow.experiment,
        model=stored.model or stored.name,
        reasons=stored.reasons,
        first_trials=stored.first_trials,
        first_origins=stored.origins,
        earlier=stored.earlier,
    )
    # The fingerprint says where data of the results folder lay when the study began, and that may have moved.
    if plan.fingerprint != stored.fingerprint and (differences := _differences(stored, plan, directory)):
        raise ResumeMismatchError(f"{root} was made by another plan", differences)
    plan = dataclasses.replace(plan, fingerprint=stored.fingerprint)
    ended = sum(result.replicate_of is None for result in state.finished)
    has_all = ended >= plan.budget.trials and not missing_replicates(plan, state)
    end = state.last if isinstance(state.last, StudyEnded) else None
    if end is None or not (has_all or (trials is None and bool(end.reason) and not end.may_go_on)):
        return run_in(directory, request, plan, place, extra_trackers=extra_trackers)
    missing = missing_parts(directory, uri)
    if not missing:
        raise NothingToRunError(_nothing_missing(directory, end, has_all=has_all))
    with _completing(missing, directory, uri):
        return run_in(directory, request, plan, place, extra_trackers=extra_trackers, is_over=True)


def _changed_code(stored: StoredPlan, skill: Skill) -> list[Problem]:
    """Return which files of the user's own program are not what they were when the study was planned."""
    now = skill.fingerprints
    expected = "the code that the trials so far have run: else one ranking mixes the trials of two programs"
    fix = f"undo the change, start a new study, or go on all the same with {ACCEPT_CHANGED_CODE}"
    return [
        Problem(
            where=str(skill.sources.get(name, skill.root / name)),
            found="a file that has changed since the study was planned" if now.get(name, GONE) != GONE else "no file",
            expected=expected,
            fix=fix,
        )
        for name, digest in stored.skill.code.items()
        if now.get(name) != digest
    ]


def _asked(stored: StoredPlan, last: StudyEnded | StudySuspended | None, trials: int | None) -> StudyRequest:
    """Return what was asked for, with the new number of trials."""
    request = request_from_document(stored.request)
    if trials is None:
        return request
    end = last.end if isinstance(last, StudyEnded) else None
    spent = _LIMITS.get(end.kind) if end is not None else None
    if spent is not None:
        logger.warning("%s; with --trials %d that limit does not count any more", end, trials)
    lifted = {} if spent is None else {spent: None}
    return request.with_settings(trials=trials, **lifted, explicit=(*request.explicit, "trials", *lifted))


def _nothing_missing(paths: StudyPaths, end: StudyEnded, *, has_all: bool) -> str:
    """Return why there is nothing to do for a study that has ended, and whether it has failed."""
    failed = " without a usable value" if read_study(paths.root)[1].best is None else ""
    if has_all:
        return f"all trials of {paths.root} have ended{failed}; --trials N adds some"
    return f"{paths.root} has ended{failed}: {end.reason}; --trials N adds trials all the same"


@contextlib.contextmanager
def _completing(missing: Sequence[str], paths: StudyPaths, tracking_uri: str) -> Iterator[None]:
    """Say what is done of what a study that has ended lacks.

    Raises:
        LaunchError: nothing of it could be done.
    """
    logger.warning("the trials of %s have ended; missing: %s", paths.root, ", ".join(missing))
    try:
        yield
    finally:
        left = missing_parts(paths, tracking_uri)
        done = [part for part in missing if part not in left]
        logger.warning("done now: %s; missing: %s", ", ".join(done) or "nothing", ", ".join(left) or "nothing")
    if not done:
        raise LaunchError(f"nothing of what {paths.root} lacks could be done ({', '.join(left)}); see the lines above")


def _differences(stored: StoredPlan, plan: StudyPlan, paths: StudyPaths) -> list[Problem]:
    before, now = to_json(stored), plan_document(plan)
    for document in (before, now):  # what is computed: texts about the space are written anew by each version
        document["space"] = [{key: one[key] for key in _SEARCHED} for one in document["space"]["parameters"]]
    pairs = [(key, before[key], now[key]) for key in _COMPARED if before[key] != now[key]]
    was, would_be = ((one["launch"] or {}).get("image") for one in (before, now))
    pairs += [("image", was, would_be)] if was != would_be else []
    old, new = before["skill"]["fingerprints"], now["skill"]["fingerprints"]
    pairs += [
        (f"skill file {name}", old.get(name), new.get(name)) for name in {*old, *new} if old.get(name) != new.get(name)
    ]
    return [
        Problem(
            where=f"{paths.plan_file}: {name}",
            found=f"now {str(current)[:120]}",
            expected=f"as planned, {str(planned)[:120]}",
            fix="undo the change, or start a new study with automl run",
        )
        for name, planned, current in pairs
    ]
