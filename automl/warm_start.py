"""Give a plan what earlier studies of the same skill know: their observations, or good points to try first.

With two comparable studies or more the plan keeps what they measured, and its sampler learns from that (see
`automl.transfer`). Else good points of earlier studies follow the template in its first trials; where there are none,
those of `automl.recipes`.

They come from the studies that the user names, else from where `automl.earlier_studies` looks. The plan names each.
Studies that the user names are used as they are; of the others those count that have ended, and for points those that
searched the same parameters. A repetition of a study (same fingerprint) begins with what that study began with, so the
same command gives the same assignments whatever was run in between.
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from automl.earlier_studies import find_earlier_studies
from automl.errors import ConfigurationError, Problem
from automl.recipes import recipe_points
from automl.request.policy import Route
from automl.storage.plan_document import named_study
from automl.storage.study_directory import read_study, why_unreadable
from automl.study.causes import Origin, OriginKind
from automl.study.replication import without_needless_race
from automl.study.trial import EarlierPoint
from automl.transfer import FEWEST_STUDIES, FEWEST_TRIALS, described, learns, observed, with_own_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from automl.earlier_studies import EarlierStudies
    from automl.request.location import RunLocation
    from automl.request.study_request import StudyRequest
    from automl.study.earlier import EarlierStudy, RecordedTrial, StudyHistory
    from automl.study.model import StudyPlan
    from automl.study.result import StudyResult
    from automl.study.trial import TrialResult

_MOST_POINTS = 2
"""Points of earlier studies that are tried; where the user names more studies, one of each."""
_REPEATS = "it begins as the study did that it repeats (with another --seed it would learn from it)"
_FEW = f"fewer than {FEWEST_TRIALS} of its trials have a value in these ranges"


def with_earlier_points(request: StudyRequest, plan: StudyPlan, place: RunLocation) -> StudyPlan:
    """Return the plan with what it knows of earlier studies, and with the reason for it.

    Raises:
        ConfigurationError: a study, or a place of studies, that the user names cannot be used.
    """
    if plan.route is not Route.TUNE:
        return plan
    if request.warm_start is not None:
        points = named_points(plan, request.warm_start, place.results)
        if not points:
            return dataclasses.replace(plan, reasons=(*plan.reasons, *described((), is_switched_off=True)))
        return _with_points(plan, chosen_points(plan, points, most=max(_MOST_POINTS, len(request.warm_start))), ())
    if not takes_earlier_points(plan):
        ignored = f"the sampler {plan.sampler} takes nothing from the earlier studies of --studies"
        return dataclasses.replace(plan, reasons=(*plan.reasons, *([ignored] if request.studies else [])))
    studies = find_earlier_studies(plan, place, request.studies, request.data)
    earlier = _observations(plan, studies) if learns(plan) else ()
    if len(earlier) >= FEWEST_STUDIES:
        kept = {study.name for study in earlier}
        unused = studies.sentences({history.name: _FEW for history in studies.histories if history.name not in kept})
        plan = dataclasses.replace(plan, earlier=earlier, reasons=(*plan.reasons, *described(earlier), *unused))
        return plan if request.replicates is not None else without_needless_race(plan)
    is_repeated = studies.original is not None or studies.began_with is not None
    points = found_points(plan, studies)
    if not points and not is_repeated:
        points = recipe_points(plan)
    chosen = chosen_points(plan, points)
    used = {point.origin.study for point in chosen}
    others = [history for history in studies.histories if history.name not in used and not is_repeated]
    repeats = [_REPEATS] if is_repeated else []
    return _with_points(plan, chosen, [*repeats, *studies.sentences({h.name: _why_no_point(plan, h) for h in others})])


def _with_points(plan: StudyPlan, chosen: Sequence[EarlierPoint], reasons: Sequence[str]) -> StudyPlan:
    own = described((), [point.origin for point in chosen])
    return dataclasses.replace(
        plan,
        first_trials=(*plan.first_trials, *(point.assignment for point in chosen)),
        first_origins=(*plan.first_origins, *(point.origin for point in chosen)),
        reasons=(*plan.reasons, *own, *reasons),
    )


def _observations(plan: StudyPlan, studies: EarlierStudies) -> tuple[EarlierStudy, ...]:
    """Return what comparable studies measured, in order of their names; for a repetition that of the original."""
    if studies.original is not None:
        return studies.original.earlier
    return with_own_names(
        dataclasses.replace(study, study_id=source.study_id)
        for source in studies.found
        if (study := observed(plan, source.history)) is not None
    )


def named_points(plan: StudyPlan, names: Sequence[str], results: Path) -> tuple[EarlierPoint, ...]:
    """Return the best trials of studies that the user names: the best of each first, then the second best.

    Args:
        plan: The study that begins.
        names: Study directories, or names of studies in the results folder or of skills, whose newest study is taken.
        results: The results folder.

    Raises:
        ConfigurationError: a study cannot be read, has no trial with a value, or shares no parameter; all problems.
    """
    problems: list[Problem] = []
    ranked = []
    for name in names:
        root = results / name
        try:
            found = named_study(name, results)
            root = Path(name) if Path(name).is_dir() else found[0] if found else root
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


def found_points(plan: StudyPlan, studies: EarlierStudies) -> tuple[EarlierPoint, ...]:
    """Return the best trials of comparable studies, where they are better than their template.

    Args:
        plan: The study that begins.
        studies: The earlier ones that are found, the most alike first.
    """
    if studies.original is not None:
        first = studies.original
        pairs = zip(first.first_trials[1:], first.origins[1:], strict=True)
        return tuple(EarlierPoint(assignment=assignment, origin=origin) for assignment, origin in pairs)
    if studies.began_with is not None:
        return studies.began_with[0]
    ranked = [
        [_recorded_point(source.history, trial, source.kind) for trial in _better_than_template(source.history)]
        for source in studies.found
        if _searched_the_same(plan, source.history)
    ]
    return tuple(_in_turns(ranked))


def _searched_the_same(plan: StudyPlan, history: StudyHistory) -> bool:
    return {parameter.path for parameter in history.parameters} == set(plan.space.paths)


def _why_no_point(plan: StudyPlan, history: StudyHistory) -> str:
    """Return why neither the observations of a comparable study are used nor one of its trials is tried."""
    if learns(plan) and observed(plan, history) is None:
        return _FEW
    if not _searched_the_same(plan, history):
        return "it searched other parameters"
    return "others have better points" if _better_than_template(history) else "none of its trials beats its template"


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


def _better_than_template(history: StudyHistory) -> list[RecordedTrial]:
    """Return the trials that beat trial 0, best first; all where it has no value."""
    trials = [t for t in history.trials if t.value is not None and t.replicate_of is None and not t.misses_constraint]
    ranked = sorted(trials, key=lambda trial: -history.direction.sign * (trial.value or 0.0))
    numbers = [trial.number for trial in ranked]
    return ranked[: numbers.index(0)] if 0 in numbers else ranked


def _recorded_point(history: StudyHistory, trial: RecordedTrial, kind: OriginKind) -> EarlierPoint:
    detail = f"{history.metric} {trial.value:.4g}"
    origin = Origin(kind, parent=trial.number, study=history.name, detail=detail)
    return EarlierPoint(assignment=trial.assignment, origin=origin)


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
        expected="a study directory, the name of a study in the results folder or of a skill, with trials that have "
        "values",
        fix="`automl list` and `automl status` show what is there; or leave --warm-start out",
    )
