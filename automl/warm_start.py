"""Give a plan what earlier studies of the same skill know: their observations, or good points to try first.

With two comparable studies or more the plan keeps what they measured, and its sampler learns from that (see
`automl.transfer`). Else good points of earlier studies follow the template in its first trials.

They come from the studies that the user names, else from this results folder, else from the tracking server. The plan
names each. Studies that the user names are used as they are. Of the results folder those count that have ended and
searched the same parameters of the same skill for the same objective. A repetition of a study (same fingerprint) tries
the points of that study, so the same command gives the same assignments whatever was run in between.
"""

from __future__ import annotations

import dataclasses
import itertools
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from automl.errors import ConfigurationError, LaunchError, Problem
from automl.request.policy import Route
from automl.samplers.registry import agreement_of
from automl.storage.paths import find_studies
from automl.storage.plan_document import StoredPlan, read_plan
from automl.storage.study_directory import read_study, why_unreadable
from automl.study.causes import Origin, OriginKind
from automl.study.trial import EarlierPoint
from automl.tracking.mlflow.earlier_runs import recorded_points
from automl.tracking.mlflow.rest import is_server
from automl.transfer import FEWEST_STUDIES, MOST_STUDIES, described, is_comparable, learns, observed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from automl.request.location import RunLocation
    from automl.request.study_request import StudyRequest
    from automl.study.earlier import EarlierStudy as ObservedStudy
    from automl.study.model import StudyPlan
    from automl.study.result import StudyResult
    from automl.study.trial import TrialResult

_MOST_POINTS = 2
"""Points of earlier studies that are tried; where the user names more studies, one of each."""


class EarlierStudy(NamedTuple):
    """A study of a results folder."""

    root: Path
    plan: StoredPlan
    written_ns: int
    """When its plan was written: Unix time in nanoseconds."""


def with_earlier_points(request: StudyRequest, plan: StudyPlan, place: RunLocation) -> StudyPlan:
    """Return the plan with known-good points of earlier studies after its template, with the reason for them.

    Raises:
        ConfigurationError: a study that the user names cannot be used.
    """
    studies = read_studies(place.results) if request.warm_start is None and takes_earlier_points(plan) else ()
    earlier = _earlier_studies(plan, request.data, studies) if learns(plan) else ()
    if len(earlier) >= FEWEST_STUDIES:
        reason = described(earlier, agreement_of(plan, earlier))
        return dataclasses.replace(plan, earlier=earlier, reasons=(*plan.reasons, reason))
    points, notes = _earlier_points(request, plan, place, studies)
    chosen = chosen_points(plan, points, most=max(_MOST_POINTS, len(request.warm_start or ())))
    if not chosen:
        return dataclasses.replace(plan, reasons=(*plan.reasons, *notes))
    origins = " and ".join(str(point.origin) for point in chosen)
    reason = f"after the template it tries {origins} (--no-warm-start: neither)"
    return dataclasses.replace(
        plan,
        first_trials=(*plan.first_trials, *(point.assignment for point in chosen)),
        first_origins=(*plan.first_origins, *(point.origin for point in chosen)),
        reasons=(*plan.reasons, reason),
    )


def _earlier_studies(
    plan: StudyPlan, data: Mapping[str, str], studies: Sequence[EarlierStudy]
) -> tuple[ObservedStudy, ...]:
    """Return what comparable studies measured, the most alike first; for a repetition those of the original."""
    repeated = [study for study in studies if _is_repeated(study, plan)]
    if repeated:
        return min(repeated, key=lambda study: study.root.name).plan.earlier
    found: list[ObservedStudy] = []
    for study in sorted(studies, key=lambda study: _distance(study, plan, data)):
        if len(found) < MOST_STUDIES and is_comparable(study.plan, plan):
            with suppress(ConfigurationError, OSError):
                kept = observed(plan, *read_study(study.root))
                found += [kept] if kept is not None else []
    return tuple(found)


def _earlier_points(
    request: StudyRequest, plan: StudyPlan, place: RunLocation, studies: Sequence[EarlierStudy]
) -> tuple[tuple[EarlierPoint, ...], tuple[str, ...]]:
    """Return points of earlier studies, and a note if the tracking server did not answer."""
    if request.warm_start is not None:
        return named_points(plan, request.warm_start, place.results) if plan.route is Route.TUNE else (), ()
    if not takes_earlier_points(plan):
        return (), ()
    found = found_points(plan, request.data, studies)
    uri, is_repeated = place.tracking_uri, any(_is_repeated(study, plan) for study in studies)
    if found or uri is None or not is_server(uri) or is_repeated:
        return found, ()
    try:
        return recorded_points(plan, uri), ()
    except LaunchError as error:
        return (), (error.headline,)


def named_points(plan: StudyPlan, names: Sequence[str], results: Path) -> tuple[EarlierPoint, ...]:
    """Return the best trials of studies that the user names: the best of each first, then the second best.

    Args:
        plan: The study that begins.
        names: Study directories, or names of studies in the results folder.
        results: The results folder.

    Raises:
        ConfigurationError: a study cannot be read, has no trial with a value, or shares no parameter; all problems.
    """
    problems: list[Problem] = []
    ranked = []
    for name in names:
        root = results / name
        try:
            root = Path(name) if Path(name).is_dir() else root
            _, result = read_study(root)
        except (ConfigurationError, OSError) as error:
            problems.append(_problem(name, f"no study that can be read: {why_unreadable(root, error)}"))
            continue
        trials = [t for t in result.ranked() if set(t.assignment) & set(plan.space.paths)]
        if not trials:
            problems.append(_problem(name, "no trial with a value of a parameter that is searched here"))
        ranked.append([_point(root, result, trial) for trial in trials])
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the command line")
    return tuple(_in_turns(ranked))


def read_studies(results: Path) -> tuple[EarlierStudy, ...]:
    """Return every study of a results folder that can be read; the folder need not exist."""
    found = []
    for paths in find_studies(results):
        with suppress(ConfigurationError, OSError):  # a study that is being written, or a file of another program
            written_ns = paths.plan_file.stat().st_mtime_ns
            found.append(EarlierStudy(paths.root, read_plan(paths), written_ns))
    return tuple(found)


def found_points(plan: StudyPlan, data: Mapping[str, str], studies: Sequence[EarlierStudy]) -> tuple[EarlierPoint, ...]:
    """Return the best trials of comparable studies of the results folder, where they are better than their template.

    Studies on the same data come first, then those whose skill files have not changed, then those as long as this one,
    then the newest.

    Args:
        plan: The study that begins.
        data: Split -> path of its data.
        studies: Of the results folder.
    """
    repeated = [study for study in studies if _is_repeated(study, plan)]
    if repeated:
        first = min(repeated, key=lambda study: study.root.name).plan
        pairs = zip(first.first_trials[1:], first.origins[1:], strict=True)
        return tuple(EarlierPoint(assignment=assignment, origin=origin) for assignment, origin in pairs)
    comparable = [study for study in studies if _is_comparable(study.plan, plan)]
    ranked = []
    for study in sorted(comparable, key=lambda study: _distance(study, plan, data)):
        with suppress(ConfigurationError, OSError):
            _, result = read_study(study.root)
            ranked.append([_point(study.root, result, trial) for trial in _better_than_template(result)])
    return tuple(_in_turns(ranked))


def chosen_points(
    plan: StudyPlan, points: Iterable[EarlierPoint], *, most: int = _MOST_POINTS
) -> tuple[EarlierPoint, ...]:
    """Return the points to try: moved into the space, none twice, no more than the study has trials after its first."""
    kept: list[EarlierPoint] = []
    known = [dict(assignment) for assignment in plan.first_trials]
    for point in points:
        shared = {path: value for path, value in point.assignment.items() if path in plan.space.paths}
        assignment = plan.space.repair(shared)
        if assignment not in known and len(kept) < min(most, plan.budget.trials - 1):
            known.append(assignment)
            kept.append(EarlierPoint(assignment=assignment, origin=point.origin))
    return tuple(kept)


def takes_earlier_points(plan: StudyPlan) -> bool:
    """Tell whether a study looks for earlier ones without being asked to: the default sampler does."""
    return plan.route is Route.TUNE and plan.sampler == "auto"


def _is_repeated(study: EarlierStudy, plan: StudyPlan) -> bool:
    return study.plan.fingerprint == plan.fingerprint and study.plan.request.get("warm_start") is None


def _is_comparable(document: StoredPlan, plan: StudyPlan) -> bool:
    skill, objective = document.skill, plan.objective
    return (
        (skill.name, skill.network_arch) == (plan.skill.name, plan.skill.network_arch)
        and (document.objective.metric, document.objective.direction) == (objective.metric, objective.direction)
        and {parameter.path for parameter in document.space.parameters} == set(plan.space.paths)
    )


def _distance(study: EarlierStudy, plan: StudyPlan, data: Mapping[str, str]) -> tuple[Any, ...]:
    return (
        study.plan.request.get("data") != dict(data),
        study.plan.skill.fingerprints != dict(plan.skill.fingerprints),
        study.plan.max_epochs != plan.max_epochs,
        -study.written_ns,
        study.root.name,
    )


def _better_than_template(result: StudyResult) -> list[TrialResult]:
    """Return the trials that beat trial 0, best first; all where it has no value, none of a study that goes on."""
    if not all(trial.state.is_final for trial in result.trials):
        return []
    ranked = list(result.ranked())
    numbers = [trial.number for trial in ranked]
    return ranked[: numbers.index(0)] if 0 in numbers else ranked


def _point(root: Path, result: StudyResult, trial: TrialResult) -> EarlierPoint:
    metric = result.objective.metric
    detail = f"{metric} {trial.values[metric]:.4g}"
    origin = Origin(OriginKind.EARLIER_STUDY, parent=trial.number, study=root.name, detail=detail)
    return EarlierPoint(assignment=trial.assignment, origin=origin)


def _in_turns(ranked: Iterable[Sequence[EarlierPoint]]) -> Iterator[EarlierPoint]:
    for row in itertools.zip_longest(*ranked):
        yield from (point for point in row if point is not None)


def _problem(name: str, found: str) -> Problem:
    return Problem(
        where=f"--warm-start {name}",
        found=found,
        expected="a study directory, or the name of a study in the results folder, with trials that have values",
        fix="`automl list` and `automl status` show what is there; or leave --warm-start out",
    )
