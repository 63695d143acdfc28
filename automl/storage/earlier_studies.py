"""Known-good points of earlier studies, which the next study of the same skill tries after its template.

Studies that the user names are used as they are. Otherwise those of the results folder are used that have ended and
searched the same parameters of the same skill for the same objective. A repetition of a study (same fingerprint) tries
the points of that study, so the same command gives the same assignments whatever was run in between.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from automl.errors import ConfigurationError, Problem
from automl.request.policy import Route
from automl.storage.paths import StudyPaths, find_studies
from automl.storage.plan_document import StoredPlan, read_plan
from automl.storage.study_directory import read_study
from automl.study.causes import Origin, OriginKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from automl.space.values import Scalar
    from automl.study.model import StudyPlan
    from automl.study.result import StudyResult
    from automl.study.trial import TrialResult

EarlierStudy: TypeAlias = "tuple[Path, StoredPlan]"
"""Directory of a study and its `plan.json`."""

MOST_POINTS = 2
"""Points of earlier studies that are tried; where the user names more studies, one of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierPoint:
    """A good assignment of an earlier study.

    Attributes:
        assignment: As it was run there.
        origin: Study, trial and value.
    """

    assignment: Mapping[str, Scalar]
    origin: Origin


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
        root = Path(name) if Path(name).is_dir() else results / name
        try:
            _, result = read_study(root)
        except ConfigurationError:
            problems.append(_problem(name, f"no study with a readable plan.json in {root}"))
            continue
        trials = [t for t in result.ranked() if set(t.assignment) & set(plan.space.paths)]
        if not trials:
            problems.append(_problem(name, "no trial with a value of a parameter that is searched here"))
        ranked.append([_point(root, result, trial) for trial in trials])
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the command line")
    return tuple(_in_turns(ranked))


def read_studies(results: Path) -> tuple[EarlierStudy, ...]:
    """Return every study of a results folder that can be read: its directory and its `plan.json`.

    Args:
        results: The results folder; it need not exist.
    """
    studies = find_studies(results)
    return tuple((paths.root, document) for paths in studies if (document := _plan_of(paths)) is not None)


def found_points(plan: StudyPlan, data: Mapping[str, str], studies: Sequence[EarlierStudy]) -> tuple[EarlierPoint, ...]:
    """Return the best trials of comparable studies of the results folder, where they are better than their template.

    Studies on the same data come first, then those whose skill files have not changed, then those as long as this one,
    then the newest.

    Args:
        plan: The study that begins.
        data: Split -> path of its data.
        studies: Of the results folder.
    """
    repeated = [document for _, document in sorted(studies, key=lambda s: s[0].name) if _is_repeated(document, plan)]
    if repeated:
        first = repeated[0]
        pairs = zip(first.first_trials[1:], first.origins[1:], strict=True)
        return tuple(EarlierPoint(assignment=assignment, origin=origin) for assignment, origin in pairs)
    comparable = [(root, document) for root, document in studies if _is_comparable(document, plan)]
    comparable.sort(key=lambda study: _distance(study[1], plan, data, study[0]))
    ranked = []
    for root, _ in comparable:
        if (result := _ended_study(root)) is not None:
            ranked.append([_point(root, result, trial) for trial in _better_than_template(result)])
    return tuple(_in_turns(ranked))


def is_repetition(plan: StudyPlan, studies: Sequence[EarlierStudy]) -> bool:
    """Tell whether one of the studies has the same fingerprint and looked for its points itself."""
    return any(_is_repeated(document, plan) for _, document in studies)


def chosen_points(
    plan: StudyPlan, points: Iterable[EarlierPoint], *, most: int = MOST_POINTS
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


def _plan_of(paths: StudyPaths) -> StoredPlan | None:
    try:
        return read_plan(paths)
    except ConfigurationError:
        return None  # a study that is being written, or a file of another program


def _ended_study(root: Path) -> StudyResult | None:
    try:
        _, result = read_study(root)
    except (ConfigurationError, OSError):
        return None
    return result if result.trials and all(trial.state.is_final for trial in result.trials) else None


def _is_repeated(document: StoredPlan, plan: StudyPlan) -> bool:
    return document.fingerprint == plan.fingerprint and document.request.get("warm_start") is None


def _is_comparable(document: StoredPlan, plan: StudyPlan) -> bool:
    skill, objective = document.skill, plan.objective
    return (
        (skill.name, skill.network_arch) == (plan.skill.name, plan.skill.network_arch)
        and (document.objective.metric, document.objective.direction) == (objective.metric, objective.direction)
        and {parameter.path for parameter in document.space.parameters} == set(plan.space.paths)
    )


def _distance(document: StoredPlan, plan: StudyPlan, data: Mapping[str, str], root: Path) -> tuple[Any, ...]:
    return (
        document.request.get("data") != dict(data),
        document.skill.fingerprints != dict(plan.skill.fingerprints),
        document.max_epochs != plan.max_epochs,
        -StudyPaths(root).plan_file.stat().st_mtime_ns,
        root.name,
    )


def _better_than_template(result: StudyResult) -> list[TrialResult]:
    """Return the trials that beat trial 0, best first; all of them where it has no value."""
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
