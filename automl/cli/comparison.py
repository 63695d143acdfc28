"""Several studies side by side: the settings in which they differ, and one table of their trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automl.cli import render
from automl.cli.paths import wrong_argument
from automl.errors import options_text
from automl.storage.final_status import read_settled
from automl.study.objectives import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.table import Table

    from automl.storage.plan_document import StoredPlan
    from automl.study.result import StudyResult
    from automl.study.trial import TrialResult


_MOST_NOTICES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedStudy:
    """A study under a name that no other one of the comparison has."""

    name: str
    plan: StoredPlan
    result: StudyResult
    notices: tuple[str, ...] = ()


def read_studies(roots: Sequence[Path]) -> list[ComparedStudy]:
    """Read studies; those whose folders have the same name are called by their paths.

    Raises:
        ConfigurationError: a folder is no study directory, or is named twice.
    """
    if len({*roots}) < len(roots):
        twice = next(root for root in roots if roots.count(root) > 1)
        raise wrong_argument("STUDY", f"{twice} twice", "each study once", "leave one of them out")
    names = [root.name for root in roots]
    read = [read_settled(root) for root in roots]
    return [
        ComparedStudy(name=name if names.count(name) == 1 else str(root), plan=plan, result=result, notices=end.notices)
        for name, root, (plan, result, end) in zip(names, roots, read, strict=True)
    ]


def differing_settings(studies: Sequence[ComparedStudy]) -> dict[str, dict[str, Any]]:
    """Return setting -> study -> value for the settings that are not the same in all studies."""
    settings = {study.name: _settings(study) for study in studies}
    names = dict.fromkeys(name for values in settings.values() for name in values)
    rows = {name: {study: values.get(name) for study, values in settings.items()} for name in names}
    return {name: row for name, row in rows.items() if len({repr(value) for value in row.values()}) > 1}


def show(studies: Sequence[ComparedStudy], limit: int) -> None:
    """Print the differing settings of several studies, and their trials, the best first where one metric ranks all."""
    console = render.console()
    objectives = dict.fromkeys(_objective(study.result) for study in studies)
    if len(studies) > 1:
        console.print(_settings_table(studies))
        console.print()
    names = "" if len(studies) > 1 else f"{studies[0].name}: "
    console.print(f"{names}{'; '.join(objectives)}", style="bold")
    entries = _entries(studies, limit, is_ranked=len(objectives) == 1)
    console.print(render.trials_table(entries))
    more = sum(max(0, len(study.result.trials) - limit) for study in studies)
    if more:
        console.print(f"... and {more} more: --top N, --csv and --json show them")
    for study in studies:
        for text in study.notices[:_MOST_NOTICES]:
            console.print(f"notice  {study.name}: {text}", markup=False, soft_wrap=True)
        if (left := len(study.notices) - _MOST_NOTICES) > 0:
            console.print(f"notice  {study.name}: {left} more, which automl status shows", markup=False)


def _entries(
    studies: Sequence[ComparedStudy], limit: int, *, is_ranked: bool
) -> list[tuple[str, StudyResult, TrialResult]]:
    has_names = len(studies) > 1
    found = [
        (study.name if has_names else "", study.result, trial)
        for study in studies
        for trial in study.result.leaderboard()[:limit]
    ]
    if not is_ranked or not has_names:
        return found

    def place(entry: tuple[str, StudyResult, TrialResult]) -> tuple[bool, float]:
        _, result, trial = entry
        if not result.competes(trial):
            return True, 0.0
        value = trial.values[result.objective.metric]
        return False, -value if result.objective.direction is Direction.MAXIMIZE else value

    return sorted(found, key=place)  # stable: equals stay in order of their studies


def _objective(result: StudyResult) -> str:
    return ", ".join([*(f"{o.direction} {o.metric}" for o in result.objectives), *map(str, result.constraints)])


def _settings_table(studies: Sequence[ComparedStudy]) -> Table:
    rows = [
        (name, *("-" if value is None else _shown(value) for value in row.values()))
        for name, row in differing_settings(studies).items()
    ]
    return render.plain_table(("setting", *(study.name for study in studies)), rows or [("none differs",)])


def _shown(value: object) -> str:
    return f"{{{options_text(value)}}}" if isinstance(value, list) else render.format_value(value)


def _settings(study: ComparedStudy) -> dict[str, Any]:
    """Return what was asked for and planned, flat, without what every study has of its own."""
    plan = study.plan
    space = {parameter.path: parameter for parameter in plan.space.parameters}
    ranges = {
        f"search {path}": list(p.choices) if p.choices else f"{p.low:g} .. {p.high:g}" for path, p in space.items()
    }
    flat = {
        "skill": plan.skill.name,
        "objective": _objective(study.result),
        "route": str(plan.route),
        "sampler": plan.sampler,
        "scheduler": plan.scheduler,
        "seed": plan.seed,
        "epochs": plan.max_epochs,
        "trials planned": plan.budget.trials,
        "time limit (s)": plan.budget.time_s,
        "trials at once": plan.resources.jobs,
        "GPUs per trial": plan.resources.gpus_per_trial,
        "starts from": len(plan.earlier) or None,
        **{f"data {split}": path for split, path in dict(plan.request.get("data") or {}).items()},
        **{f"set {name}": value for name, value in dict(plan.request.get("overrides") or {}).items()},
        **{f"option {name}": value for name, value in plan.options.items()},
        **ranges,
        **{f"code {name}": digest[:12] for name, digest in plan.skill.code.items()},
    }
    return {name: value for name, value in flat.items() if value is not None}
